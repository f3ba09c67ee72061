"""LockoutPolicy: the terms, and the doors that lead from them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

from .attempts import desk, hook  # noqa: F401  # the hook is in place before the first block opens
from .attempts.block import Block
from .attempts.waiting import hop
from .clients.asgi import Requestlike, expected_request
from .conf import conf, refuse
from .exceptions import LockoutStatus
from .terms.arguments import mistake_in
from .terms.bounds import Bounds, bounds_of
from .terms.registry import registered
from .terms.terms import DERIVED, Terms

SITE = "site"  # the scope of the site's policies that name none
ALLOWED = 'the arguments of a policy, as {"key": "ip+username"}, or the dotted path of a policy or of several'


class LockoutPolicy(Terms):
    """How many failed guesses are one too many, whose, and what happens then; a frozen value.

    Its arguments are the attributes of `Terms`, by keyword. Raises TypeError for any other, and ValueError for a value
    that is not allowed.
    """

    if not TYPE_CHECKING:  # pragma: no branch  # who checks types reads the arguments themselves

        def __new__(cls, *given: Any, **arguments: Any) -> Any:
            if mistake := mistake_in(given, arguments):
                raise TypeError(mistake)
            return super().__new__(cls)

    def observe(self, request: Requestlike) -> Block:
        """A block, for `with` or `async with`, in which each `authenticate()` is a guess.

        Entering it, and every `authenticate()` in it, raises LockedOut where the guess is refused.
        """
        return Block([self], expected_request(request, self.scope))

    def attempt(self, request: Requestlike, username: Any = None) -> Block:
        """A block around one guess that is verified by other means than `authenticate()`.

        Entering it raises LockedOut where the guess is refused. Say `succeed()`, `fail()` or `cancel()` in it; left
        without a word, or by an exception, the guess was wrong. `username` is who is tried, as it was sent. `request`
        may be the scope of an ASGI connection, here and wherever a policy takes a request.
        """
        return Block([self], expected_request(request, self.scope), username, eager=True)

    def bounds(self) -> Bounds:
        """How many guesses it lets be verified, from how many addresses, and whom it lets be kept out."""
        return bounds_of(self)

    def status(self, request: Requestlike, username: Any = None) -> LockoutStatus:
        """How the client stands. Raises StoreError, and ValueError where the key needs a `username`."""
        return desk.status(self, request, username)

    async def astatus(self, request: Requestlike, username: Any = None) -> LockoutStatus:
        """See status()."""
        return await hop(desk.status, self, request, username)

    def reset(self, request: Requestlike, username: Any = None) -> None:
        """Forget the client's failures and lift its lock, its address's ceiling included. Raises as status() does."""
        desk.reset(self, request, username)

    async def areset(self, request: Requestlike, username: Any = None) -> None:
        """See reset()."""
        await hop(desk.reset, self, request, username)

    def forgive(self, request: Requestlike, username: Any) -> None:
        """Forget what whoever sent `request` has proven to be its own: the failures at exactly `username` from there,
        and the lock of a counter that is about that account alone (`key="username"`). Raises as status() does.
        """
        desk.forgive(self, request, username)

    async def aforgive(self, request: Requestlike, username: Any) -> None:
        """See forgive()."""
        await hop(desk.forgive, self, request, username)


def site_policies() -> tuple[LockoutPolicy, ...]:
    """What `LOCKOUT_SITE` says; without it one policy under the other settings. Raises ImproperlyConfigured."""
    value = conf.site
    try:
        made = LockoutPolicy(**{"scope": SITE, **value}) if isinstance(value, Mapping) else import_string(value)
        several = made if isinstance(made, tuple | list) else (made,)
        policies = tuple([one.scoped(SITE) if one.scope == DERIVED else one for one in several])
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise refuse("LOCKOUT_SITE", value, f"{ALLOWED} ({error})") from error
    if not policies or any(one.failure is not None for one in policies):
        raise refuse("LOCKOUT_SITE", value, f"{ALLOWED}; failure= is for views")
    return policies


def known_policies() -> dict[str, list[LockoutPolicy]]:
    """All that were made so far, by scope, and the site's. Raises ImproperlyConfigured for what `LOCKOUT_SITE` says."""
    if conf.guards_site:  # a process that serves no requests has not loaded the middleware
        site_policies()
    return registered


def reset_attempts(request: Requestlike, scope: str | None = None) -> None:
    """Forget the failures of the client that sent `request`, and lift its locks.

    Under the policies of `scope`; without one, under every registered policy whose key needs nothing but the request.
    Raises LookupError for an unknown scope, and StoreError.
    """
    for policy in _resettable(scope):
        policy.reset(request)


async def areset_attempts(request: Requestlike, scope: str | None = None) -> None:
    """See reset_attempts()."""
    for policy in _resettable(scope):
        await policy.areset(request)


def _resettable(scope: str | None) -> list[LockoutPolicy]:
    known = known_policies()
    if scope is None:
        return [policy for several in [*known.values()] for policy in several if not policy.key.needs_identity]
    if scope not in known:
        raise LookupError(f"no policy has the scope {scope!r}; there are: {', '.join(sorted(known)) or 'none'}")
    return known[scope]

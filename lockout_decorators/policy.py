"""LockoutPolicy: the rule, a frozen value, and the doors that lead to it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from inspect import getattr_static
from typing import Any, ClassVar, Self

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from . import arguments as allowed
from .arguments import UNSET, Argument, Duration, Failure, Response, Username
from .asgi import Requestlike
from .attempts import Block
from .conf import conf
from .counting import Attempts
from .entries import Counter
from .exceptions import LockoutStatus
from .keys import Key, KeyFunction
from .registry import register
from .store import arun, run

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
IP, IP_UA = Key.parse("ip"), Key.parse("ip+ua")
CEILING = 5  # times `max`, for keys that a client can change
DERIVED = "(derived from the view)"  # the scope of a policy whose view is not known yet


@dataclass(frozen=True, kw_only=True)
class LockoutPolicy:
    """How many failed guesses are one too many, whose, and what happens then.

    Durations are seconds or a `timedelta`. What is not given is read from the settings at the moment of use. A value
    that is not allowed raises ValueError with the argument's name, what came and what is allowed.

    Attributes:
        key: How a client is recognised: "ip", "ua", "username", "user", "session", "header:Name", joined by "+", or a
            callable `(request, identity) -> str`. Default "ip" (LOCKOUT_USE_USER_AGENT: "ip+ua").
        max: Failed guesses that lock, 1 to 1000. Default LOCKOUT_MAX_ATTEMPTS, 5.
        window: Seconds, from the first guess, in which they count. Default LOCKOUT_ENFORCEMENT_WINDOW, 300.
        lockout: Seconds that the lock lasts, from the failure that completes `max`; None: until it is reset. Default
            LOCKOUT_TIME, 600.
        scope: The name under which the policy counts; views with the same scope share their counters.
        cache: The cache alias. Default LOCKOUT_CACHE, "default".
        ceiling: One address may fail `ceiling * max` times, whatever it makes up for the rest of its key; None: no
            such limit. Default 5 for keys that a client can change, else None.
        username: The credential that names the account, or a callable `(request, credentials)` that computes it.
            Default the user model's USERNAME_FIELD, "username" or "email".
        failure: For views whose verdict shows only in the response: a status, several, or a callable `(request,
            response) -> bool`. At most `max` plus what is in flight are verified.
        credentials: Whether `request` presents credentials, for `failure`. Default: it has an Authorization header.
        calls: Calls of `authenticate()` with the same secrets that are one guess. Default 2.
        response: The answer to a refused guess: a template, or a callable `(request, locked_out)`.
        methods: HTTP methods that are refused before the view runs. Default: those that are not safe.
        enforce: False counts, logs and signals, but refuses nobody.
        exempt: A callable `(request) -> bool`: requests to let through uncounted.
        patience: Seconds that a guess waits for a slot while others are being verified. Default 5.
    """

    derived: ClassVar[bool] = False  # whether the scope was

    key: Argument[str | KeyFunction, Key] = Argument(Key.parse, ask=lambda policy: IP_UA if conf.use_user_agent else IP)
    max: Argument[int, int] = Argument(
        allowed.whole(1, 1000), ask=lambda policy: conf.max_attempts, setting="LOCKOUT_MAX_ATTEMPTS"
    )
    window: Argument[Duration, float] = Argument(
        allowed.duration(1), ask=lambda policy: conf.enforcement_window, setting="LOCKOUT_ENFORCEMENT_WINDOW"
    )
    lockout: Argument[Duration | None, float | None] = Argument(
        allowed.optional(allowed.duration(1), "None for ever"), ask=lambda policy: conf.time, setting="LOCKOUT_TIME"
    )
    scope: Argument[str, str] = Argument(allowed.name, UNSET)
    cache: Argument[str, str] = Argument(allowed.name, ask=lambda policy: conf.cache, setting="LOCKOUT_CACHE")
    ceiling: Argument[int | None, int | None] = Argument(
        allowed.optional(allowed.whole(1, 1000)), ask=lambda policy: CEILING if policy.key.changeable else None
    )
    username: Argument[Username | None, Username | None] = Argument(allowed.optional(allowed.name_or_function))
    failure: Argument[Failure | None, Any] = Argument(allowed.optional(allowed.failure))
    credentials: Argument[Callable[[HttpRequest], bool] | None, Any] = Argument(allowed.optional(allowed.function))
    calls: Argument[int, int] = Argument(allowed.whole(1, 10), 2)
    response: Argument[Response | None, Response | None] = Argument(allowed.optional(allowed.template_or_function))
    methods: Argument[Iterable[str] | None, frozenset[str] | None] = Argument(allowed.optional(allowed.methods))
    enforce: Argument[bool, bool] = Argument(allowed.flag, True)
    exempt: Argument[Callable[[HttpRequest], bool] | None, Any] = Argument(allowed.optional(allowed.function))
    patience: Argument[Duration, float] = Argument(allowed.duration(0), 5)

    def __post_init__(self) -> None:
        if self.scope is UNSET:
            raise ValueError('LockoutPolicy: a policy made by hand names its scope: LockoutPolicy(scope="login").')
        for argument in fields(self):
            getattr_static(type(self), argument.name).settle(self.__dict__)
        if "key" in self.__dict__:
            self.__dict__.setdefault("ceiling", self.ceiling)
        if self.scope != DERIVED:
            register(self)

    def observe(self, request: Requestlike) -> Block:
        """A block, for `with` or `async with`, in which each `authenticate()` is a guess.

        Entering it, and every `authenticate()` in it, raises LockedOut where the guess is refused.
        """
        return Block(self, request)

    def attempt(self, request: Requestlike, username: Any = None) -> Block:
        """A block around one guess that is verified by other means than `authenticate()`.

        Entering it raises LockedOut where the guess is refused. Say `succeed()`, `fail()` or `cancel()` in it; left
        without a word, or by an exception, the guess was wrong. `username` is who is tried, as it was sent. `request`
        may be the scope of an ASGI connection, here and wherever a policy takes a request.
        """
        return Block(self, request, username, eager=True)

    def status(self, request: Requestlike, username: Any = None) -> LockoutStatus:
        """How the client stands. Raises StoreError, and ValueError where the key needs a `username`."""
        return run(Attempts(self, request).status(self._known(username)))

    async def astatus(self, request: Requestlike, username: Any = None) -> LockoutStatus:
        """See status()."""
        return await arun(Attempts(self, request).status(self._known(username)))

    def reset(self, request: Requestlike, username: Any = None) -> None:
        """Forget the client's failures and lift its lock, its address's ceiling included. Raises as status() does."""
        run(Attempts(self, request).reset(self._known(username)))

    async def areset(self, request: Requestlike, username: Any = None) -> None:
        """See reset()."""
        await arun(Attempts(self, request).reset(self._known(username)))

    def scoped(self, scope: str) -> Self:
        """This policy under a scope that was derived from a view."""
        policy = object.__new__(type(self))
        policy.__dict__.update(self.__dict__, scope=scope, derived=True)
        register(policy)
        return policy

    @property
    def limits(self) -> tuple[int, ...]:
        """The number of slots of each counter: the ceiling's, where there is one, and the key's."""
        ceiling, limit = self.ceiling, self.max
        return (limit,) if ceiling is None else (ceiling * limit, limit)

    def counters(self, digests: Iterable[str]) -> tuple[Counter, ...]:
        if self.scope == DERIVED:
            raise ImproperlyConfigured(
                'The policy of a view under method_decorator(..., name="dispatch") has no scope that could be known '
                'beforehand: write scope="..." to use it by hand.'
            )
        prefix, window, lockout = conf.cache_prefix, self.window, self.lockout
        pairs = zip(digests, self.limits, strict=True)
        return tuple([Counter(f"{prefix}:{digest}", limit, window, lockout) for digest, limit in pairs])

    @property
    def variant(self) -> str:
        """Keeps policies apart that are stacked on one view, and so share a scope that nobody gave them."""
        return f"{self.key} {self.limits} {self.window} {self.lockout}" if self.derived else ""

    def looks_early(self, request: HttpRequest) -> bool:
        """Whether a lock is looked up before the view runs."""
        if self.key.needs_identity and self.failure is None:
            return False
        if self.methods is None:
            return self.failure is not None or request.method not in SAFE_METHODS
        return request.method in self.methods

    def is_failure(self, request: HttpRequest, response: Any) -> bool:
        """The verdict of a view that shows it in its response only."""
        presented = self.credentials or (_has_authorization if isinstance(self.failure, frozenset) else None)
        if presented is not None and not presented(request):
            return False
        if isinstance(self.failure, frozenset):
            return response.status_code in self.failure
        return bool(self.failure(request, response))

    def _known(self, username: Any) -> Any:
        if username is None and "username" in self.key.parts:
            raise ValueError(f"policy {self.scope!r} counts by user name: pass username=.")
        return username


def _has_authorization(request: HttpRequest) -> bool:
    return bool(request.META.get("HTTP_AUTHORIZATION"))

"""All policies that have a scope: what `reset_attempts` and the system checks go through."""

from typing import TYPE_CHECKING

from .asgi import Requestlike

if TYPE_CHECKING:
    from .policy import LockoutPolicy

registered: "dict[str, list[LockoutPolicy]]" = {}


def register(policy: "LockoutPolicy") -> None:
    """Equal policies are one."""
    if policy not in (known := registered.setdefault(policy.scope, [])):
        known.append(policy)


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


def _resettable(scope: str | None) -> "list[LockoutPolicy]":
    if scope is None:
        return [policy for known in registered.values() for policy in known if not policy.key.needs_identity]
    if scope not in registered:
        raise LookupError(f"no policy has the scope {scope!r}; there are: {', '.join(sorted(registered)) or 'none'}")
    return registered[scope]

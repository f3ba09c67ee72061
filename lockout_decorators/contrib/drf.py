"""For authentication classes of Django REST framework: what they verify is a guess."""

from collections.abc import Iterable
from contextvars import ContextVar
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BasicAuthentication

from ..policy import LockoutPolicy

if TYPE_CHECKING:
    from rest_framework.authentication import BaseAuthentication as Base
else:
    Base = object

ASYNC = (
    "what it verifies, it verifies when nobody watches any more. Leave LockoutAuthentication out, write `async with "
    "policy.attempt(request) as attempt:` around what is verified, and `attempt.succeed()` where that was right."
)
_request: ContextVar[HttpRequest] = ContextVar("lockout_decorators_authenticating")


def _given(values: Iterable[Any]) -> HttpRequest | None:
    """The request among the arguments, as DRF's basic authentication is given it: Django's own."""
    found = next((one for one in values if hasattr(one, "META")), None)
    return getattr(found, "_request", found)


class LockoutAuthentication(Base):
    """Goes before a class that verifies in `authenticate_credentials`, as DRF's token and basic authentication do:

        class Tokens(LockoutAuthentication, TokenAuthentication):
            lockout_policy = LockoutPolicy(scope="api", max=20)

    Exact: every credential that a request presents takes a slot before it is looked up, and a right one gives it back.
    Requests without credentials are not counted. Raises LockedOut, which DRF answers.

    A class that would verify something unseen, or has no `lockout_policy`, raises TypeError when it is defined.
    """

    lockout_policy: LockoutPolicy

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        behind = cls.__mro__[cls.__mro__.index(LockoutAuthentication) + 1 :]
        for name in ("authenticate", "authenticate_credentials"):
            if any(iscoroutinefunction(vars(base).get(name)) for base in cls.__mro__):
                raise TypeError(f"{cls.__qualname__}.{name} is a coroutine function: {ASYNC}")
            ahead = next(base for base in cls.__mro__ if name in vars(base))
            if ahead is not LockoutAuthentication:
                raise TypeError(
                    f"{ahead.__qualname__}.{name} must be in a class that comes after LockoutAuthentication."
                )
        if not any("authenticate" in vars(base) for base in behind):
            return  # nothing is verified yet
        if not any("authenticate_credentials" in vars(base) for base in behind):
            raise TypeError(f"{cls.__qualname__}: LockoutAuthentication needs a class with authenticate_credentials().")
        if not isinstance(getattr(cls, "lockout_policy", None), LockoutPolicy):
            raise TypeError(f'{cls.__qualname__} needs a policy: lockout_policy = LockoutPolicy(scope="api").')

    def authenticate(self, request: Any) -> Any:
        # Django's own request: to ask DRF's for its user would begin anew. Not kept in self, which may be shared.
        token = _request.set(getattr(request, "_request", request))
        try:
            return super().authenticate(request)
        finally:
            _request.reset(token)

    @sensitive_variables()
    def authenticate_credentials(self, *credentials: Any, **options: Any) -> Any:
        basic = isinstance(self, BasicAuthentication)  # of others nobody knows the order
        userid = (*credentials, options.get("userid"))[0] if basic else None
        verify: Any = super()
        request = _request.get(None) or _given((*credentials, *options.values()))
        if request is None:
            name = type(self).__qualname__
            raise TypeError(
                f"{name}.authenticate_credentials() was called without a request, so nobody could be counted: call "
                f"{name}().authenticate(request), or hold {name}.lockout_policy.attempt(request or ASGI scope) around "
                "the same method of the class behind."
            )
        with self.lockout_policy.attempt(request, userid) as attempt:
            found = verify.authenticate_credentials(*credentials, **options)
            if isawaitable(found):
                raise TypeError(f"{type(self).__qualname__}.authenticate_credentials() returned an awaitable: {ASYNC}")
            user = found[0] if isinstance(found, tuple) else found
            if user is not None and not getattr(user, "is_anonymous", False):
                attempt.succeed()
        return found

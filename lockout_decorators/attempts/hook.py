"""The hook into django.contrib.auth: what `authenticate()` does inside open blocks.

`load_backend` is looked up by `authenticate()` at call time, so wrapping it reaches every caller, also those that bound
`authenticate` before this module was imported. The backends that it hands out ask at each call whose block this is.
"""

import asyncio
import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial, update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any

import wrapt
from django.contrib import auth
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.views.decorators.debug import sensitive_variables

from ..clients.credentials import by_name
from .unwatched import tell
from .waiting import aclaim, hop, run
from .watch import Asked, Call, apart, asked_last, inside, watching

if TYPE_CHECKING:
    Proxy = wrapt.ObjectProxy[Any]
else:
    Proxy = wrapt.ObjectProxy


class ObservedBackend(Proxy):
    """A backend whose verdicts are seen by the blocks that are open when it is asked; copied as what it stands for."""

    def __init__(self, backend: Any, path: str) -> None:
        Proxy.__init__(self, backend)
        Proxy.__setattr__(self, "_self_path", path)
        Proxy.__setattr__(self, "_self_doors", {})

    @property
    def authenticate(self) -> Callable[..., Any]:
        return self._self_doors.get("authenticate") or self._self_observed("authenticate", _observe)

    @property
    def aauthenticate(self) -> Callable[..., Any]:
        return self._self_doors.get("aauthenticate") or self._self_observed("aauthenticate", _aobserve)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("authenticate", "aauthenticate"):  # as tests do
            self._self_doors.pop(name, None)
            setattr(self.__wrapped__, name, value)
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self._self_doors.pop(name, None)
        delattr(self.__wrapped__, name)

    def _self_observed(self, name: str, observe: Callable[..., Any]) -> Callable[..., Any]:
        """The method with a look at it; made once, though Django takes it twice: for its signature, and to call."""
        method = getattr(self.__wrapped__, name)
        door: Any = partial(observe, method, self._self_path)
        if isinstance(method, MethodType):
            vars(door).update(_facade(method.__func__), __wrapped__=method)
        else:
            update_wrapper(door, method)
        self._self_doors[name] = door
        return door  # type: ignore[no-any-return]

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)


@cache  # of a site's few backends
def _facade(function: Callable[..., Any]) -> dict[str, Any]:
    """What a method shows of itself, by its function: its signature takes as long as all else that Django does."""
    method = MethodType(function, object())
    signature = getattr(auth, "signature", inspect.signature)  # Django has its own, which spares late annotations
    return {**vars(update_wrapper(partial(function), method)), "__signature__": signature(method)}


@sensitive_variables()
def _observe(authenticate: Any, name: str, /, *args: Any, **credentials: Any) -> Any:
    call, blocks = _seen(authenticate, name, args, credentials)
    asked: list[tuple[Any, Any]] = []
    try:
        for block, policies in blocks:
            if guess := run(block.asking(call, policies)):
                asked.append((block, guess))
    except BaseException:
        _withdraw(asked, call)
        raise
    asked_last.set(asked)
    token = inside.set((*inside.get(), *[block for block, _ in asked]))
    try:
        user = authenticate(*args, **credentials)
    except BaseException as error:
        _broke(asked, error)
        raise
    finally:
        inside.reset(token)
    if user is None:
        return _deny(asked)
    _succeed(asked, call)
    return user


@sensitive_variables()
async def _aobserve(authenticate: Any, name: str, /, *args: Any, **credentials: Any) -> Any:
    call, blocks = _seen(authenticate, name, args, credentials)
    asked: list[tuple[Any, Any]] = []
    try:
        for block, policies in blocks:
            if guess := await aclaim(block.asking(call, policies)):
                asked.append((block, guess))
    except BaseException:  # a task that is cancelled too
        await asyncio.shield(hop(_withdraw, asked, call))
        raise
    asked_last.set(asked)
    token = inside.set((*inside.get(), *[block for block, _ in asked]))
    try:
        user = await authenticate(*args, **credentials)
    except BaseException as error:
        _broke(asked, error)
        raise
    finally:
        inside.reset(token)
    if user is None:
        return _deny(asked)
    await hop(_succeed, asked, call)
    return user


@sensitive_variables()
def _seen(authenticate: Any, name: str, args: Any, credentials: Mapping[str, Any]) -> tuple[Call, Sequence[Any]]:
    """A call by its credentials, however they were given; and the blocks that it belongs to."""
    blocks = watching(args[0] if args else credentials.get("request"))
    if within := inside.get():
        blocks = [block for block in blocks if block not in within]
    if blocks and (len(args) > 1 or "request" in credentials):
        credentials = by_name(authenticate, args, credentials)
    return Call(credentials, name), apart(blocks)


def _withdraw(asked: Asked, call: Call) -> None:
    """The guess is not made after all, since a block has refused it; the others give its slots back."""
    for block, guess in asked:
        block.withdraw(guess, call)


def _broke(asked: Asked, error: BaseException) -> None:
    """A backend that broke down said nothing: whether the guess was right, nobody knows. Who hangs up has guessed."""
    if not isinstance(error, PermissionDenied | asyncio.CancelledError):
        for _, guess in asked:
            guess.unknown = True


def _deny(asked: Asked) -> None:
    """Another backend may know better."""
    for _, guess in asked:
        guess.denied = True


def _succeed(asked: Asked, call: Call) -> None:
    for block, guess in asked:
        block.succeed_at(guess, call)


@wrapt.function_wrapper
def _observing(load_backend: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return ObservedBackend(load_backend(*args, **kwargs), "".join(map(str, args or kwargs.values())))


auth.load_backend = _observing(auth.load_backend)


@receiver(user_login_failed, dispatch_uid="lockout_decorators")
@sensitive_variables()
def _failed(sender: Any, credentials: Any = None, request: Any = None, **kwargs: Any) -> None:
    """Take the word for a failure. No I/O: the block settles it later.

    What Django says of a call that a block observed, and that no backend was asked in, is no failure.
    """
    asked = dict(asked_last.get())
    call = Call(credentials if isinstance(credentials, Mapping) else {}, "signal")
    if not (blocks := watching(request)):
        tell(request)
    for block, policies in apart(blocks):
        guess = asked.get(block)
        if sender != auth.__name__ or (guess and not guess.verdict):
            block.fail_at(guess, call, policies)

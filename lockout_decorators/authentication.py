"""The hook into django.contrib.auth: which blocks are open, and what `authenticate()` does inside them.

`load_backend` is looked up by `authenticate()` at call time, so wrapping it reaches every caller, also those that bound
`authenticate` before this module was imported. It hands out observed backends only while a block is open.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache, partial, update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Protocol

import wrapt
from django.contrib import auth
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.views.decorators.debug import sensitive_variables

from .exceptions import LockedOut
from .store import Work, arun, run


class Call:
    """The credentials of one call of a backend; its repr shows none of them."""

    __slots__ = ("backend", "credentials")

    def __init__(self, credentials: Mapping[str, Any], backend: str) -> None:
        self.credentials: Mapping[str, Any] = credentials
        self.backend: str = backend

    def __repr__(self) -> str:
        return f"<Call of {self.backend}>"


class Block(Protocol):
    """What the hook needs of an open block; an attempt is whatever `ask` returns."""

    policy: Any
    open: bool
    guessed: bool

    def ask(self, call: Call) -> Work[Any]: ...
    def withdraw(self, attempt: Any, call: Call) -> Work[None]: ...
    def succeed_at(self, attempt: Any, call: Call) -> Work[None]: ...
    def fail_at(self, attempt: Any, call: Call) -> None: ...


BLOCKS = "_lockout_blocks"

_open: ContextVar[tuple[Block, ...]] = ContextVar("lockout_decorators_open", default=())
_asked: ContextVar[tuple[tuple[Block, Any], ...]] = ContextVar("lockout_decorators_asked", default=())


def enter(block: Block, request: Any) -> None:
    """From now on `block` watches this thread or task, and failures that are signalled with `request`."""
    _open.set((*_open.get(), block))
    _home(request).setdefault(BLOCKS, []).append(block)  # in place: other threads may have the same request


def leave(block: Block, request: Any) -> None:
    _open.set(tuple([other for other in _open.get() if other is not block]))
    if asked := _asked.get():
        _asked.set(tuple([pair for pair in asked if pair[0] is not block]))
    _home(request).get(BLOCKS, [block]).remove(block)


def hide_post(request: Any) -> None:
    """In error reports, as Django's `sensitive_post_parameters()` does; a view inside may narrow it."""
    _home(request).setdefault("sensitive_post_parameters", "__ALL__")


def peers(block: Block, request: Any) -> list[Block]:
    """Other open blocks of the request under an equal policy, as where a class and its URL were both decorated."""
    return [peer for peer in _blocks_of(request) if peer.open and peer is not block and peer.policy == block.policy]


def is_watched(block: Block, request: Any) -> bool:
    """Whether a peer already watches this very thread or task; guesses in parallel tasks need a block each."""
    return any(peer in _open.get() for peer in peers(block, request))


def _innermost(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """The blocks that count what happens: of equal policies only the last, which may hold a slot for it."""
    going = [block for block in blocks if block.open]
    return tuple(b for n, b in enumerate(going) if all(b.policy != inner.policy for inner in going[n + 1 :]))


def _home(request: Any) -> dict[str, Any]:
    """Where a request, DRF's or Django's, keeps its blocks."""
    found: dict[str, Any] = getattr(getattr(request, "_request", request), "__dict__", {})
    return found


def _blocks_of(request: Any) -> tuple[Block, ...]:
    return tuple(_home(request).get(BLOCKS, ()))


if TYPE_CHECKING:
    Proxy = wrapt.ObjectProxy[Any]
else:
    Proxy = wrapt.ObjectProxy


class ObservedBackend(Proxy):
    """A backend whose verdicts are seen by the blocks that were open when it was loaded."""

    def __init__(self, backend: Any, blocks: Sequence[Block]) -> None:
        super().__init__(backend)
        self._self_blocks = blocks
        self._self_doors: dict[str, Callable[..., Any]] = {}

    @property
    def authenticate(self) -> Callable[..., Any]:
        return self._self_doors.get("authenticate") or self._self_observed("authenticate", _observe)

    @property
    def aauthenticate(self) -> Callable[..., Any]:
        return self._self_doors.get("aauthenticate") or self._self_observed("aauthenticate", _aobserve)

    def _self_observed(self, name: str, observe: Callable[..., Any]) -> Callable[..., Any]:
        """The method with a look at it; made once, though Django takes it twice: for its signature, and to call."""
        method, kind = getattr(self.__wrapped__, name), type(self.__wrapped__)
        door: Any = partial(observe, method, f"{kind.__module__}.{kind.__qualname__}", self._self_blocks)
        door = self._self_doors[name] = update_wrapper(door, method)
        if isinstance(method, MethodType):
            door.__signature__ = _signature(method.__func__)
        return door  # type: ignore[no-any-return]


@cache  # of a site's few backends
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a method by its function: to find it out takes as long as all else that Django does here."""
    signature = getattr(auth, "signature", inspect.signature)  # Django has its own, which spares late annotations
    return signature(MethodType(function, object()))


@sensitive_variables()
def _observe(authenticate: Any, name: str, blocks: Sequence[Block], /, *args: Any, **credentials: Any) -> Any:
    call = Call(credentials, name)
    asked = run(_ask(blocks, call))
    _asked.set(asked)
    user = authenticate(*args, **credentials)
    if user is not None:
        run(_succeed(asked, call))
    return user


@sensitive_variables()
async def _aobserve(authenticate: Any, name: str, blocks: Sequence[Block], /, *args: Any, **credentials: Any) -> Any:
    call = Call(credentials, name)
    asked = await arun(_ask(blocks, call))
    _asked.set(asked)
    user = await authenticate(*args, **credentials)
    if user is not None:
        await arun(_succeed(asked, call))
    return user


def _ask(blocks: Sequence[Block], call: Call) -> Work[tuple[tuple[Block, Any], ...]]:
    """Claim a slot in every block; if one refuses, the guess is not made and the others get theirs back."""
    asked: list[tuple[Block, Any]] = []
    try:
        for block in blocks:
            if block.open and (attempt := (yield from block.ask(call))):
                asked.append((block, attempt))
    except LockedOut:
        for block, attempt in asked:
            yield from block.withdraw(attempt, call)
        raise
    return tuple(asked)


def _succeed(asked: Sequence[tuple[Block, Any]], call: Call) -> Work[None]:
    for block, attempt in asked:
        yield from block.succeed_at(attempt, call)


@wrapt.function_wrapper
def _observing(load_backend: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    backend = load_backend(*args, **kwargs)
    blocks = _innermost(_open.get())
    return ObservedBackend(backend, blocks) if blocks else backend


auth.load_backend = _observing(auth.load_backend)


@receiver(user_login_failed, dispatch_uid="lockout_decorators")
@sensitive_variables()
def _failed(sender: Any, credentials: Mapping[str, Any], request: Any = None, **kwargs: Any) -> None:
    """Take the word for a failure. No I/O: the block settles it later.

    What Django says of a call that a block observed, and that no backend was asked in, is no failure.
    """
    asked, here = dict(_asked.get()), _open.get()
    for block in _innermost(here):
        if block in asked or sender != auth.__name__:
            block.fail_at(asked.get(block), Call(credentials, "signal"))
    for block in _innermost(_blocks_of(request)):
        if all(block.policy != other.policy for other in here):
            block.fail_at(None, Call(credentials, "signal"))

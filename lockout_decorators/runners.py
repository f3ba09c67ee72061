"""Calls a view inside its block, and answers for those who are locked out: two thin runners."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from typing import Any

from asgiref.sync import iscoroutinefunction

from . import drf
from .attempts import Block
from .exceptions import LockedOut
from .policy import LockoutPolicy
from .responses import aanswer, answer, marked


def call_view(policy: LockoutPolicy, view: Any, owner: Any, is_async: bool, args: Any, kwargs: Any) -> Any:
    """What `view` answers, or for an async view a coroutine; `owner` is the object that it is a method of."""
    request = _request_of(view, args, kwargs)
    captured = {name: value for name, value in kwargs.items() if name != "request"}
    refuse = partial(_refuse, policy, request, partial(drf.view_of, view, owner, request, args[1:], captured))
    runner = _arun if is_async else _run
    return runner(policy.observe(request), partial(view, *args, **kwargs), refuse)


def _request_of(view: Any, args: Any, kwargs: Any) -> Any:
    def bind(request: Any = None, /, *args: Any, **kwargs: Any) -> Any:
        return kwargs.get("request") if request is None else request

    request = bind(*args, **kwargs)
    if not hasattr(request, "META"):
        raise TypeError(f"lockout_protect: {view!r} was called with {type(request).__name__} where a request belongs.")
    return request


def is_async(view: Any) -> bool:
    """Whether `view` answers with a coroutine."""
    return iscoroutinefunction(view) or iscoroutinefunction(getattr(view, "__call__", None))  # noqa: B004


def _run(block: Block, call: Callable[[], Any], refuse: Callable[..., Any]) -> Any:
    try:
        with block:
            block.response = call()
            _expect_response(block.response)
    except LockedOut as locked_out:
        return refuse(answer, locked_out)
    return refuse(answer, block.refused, block.response) if _is_refusal(block) else block.response


async def _arun(block: Block, call: Callable[[], Awaitable[Any]], refuse: Callable[..., Any]) -> Any:
    try:
        async with block:
            block.response = await call()
    except LockedOut as locked_out:
        made = refuse(aanswer, locked_out)
    else:
        made = refuse(aanswer, block.refused, block.response) if _is_refusal(block) else block.response
    return await made if isawaitable(made) else made


def _is_refusal(block: Block) -> bool:
    """Whether DRF has made the response of a refusal inside the view."""
    return block.refused is not None and getattr(block.response, "exception", False)


def _refuse(
    policy: LockoutPolicy, request: Any, find_view: Any, how: Any, locked_out: LockedOut, made: Any = None
) -> Any:
    """DRF's views answer by themselves, any other is answered for, unless the policy says what the answer is."""
    if policy.response is not None:
        return how(request, locked_out, policy.response)
    if made is None and (view := find_view()) is not None:
        with suppress(LockedOut):  # the project's exception handler may pass
            made = drf.answer(view, request, locked_out)
    return how(request, locked_out) if made is None else marked(made, locked_out)


def _expect_response(response: Any) -> None:
    if isawaitable(response):
        raise TypeError("lockout_protect: the view returned an awaitable but is not marked as a coroutine function.")

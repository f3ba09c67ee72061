"""Calls a view inside its block, and answers for those who are locked out: two thin runners."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from typing import Any, NamedTuple

from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from ..answers import drf
from ..answers.plain import aanswer, answer, marked
from ..attempts.block import Block
from ..clients.asgi import request_from
from ..exceptions import LockedOut
from ..terms.terms import Terms
from .deferred import is_deferred, watch_on
from .naming import verifies


class Visit(NamedTuple):
    """A call of a view; `owner` is the object that it is a method of.

    For what is no view only the policy's `response` answers; for what returns a user, nobody: an answer would be one.
    """

    block: Block
    view: Any
    owner: Any
    args: Any
    kwargs: Any
    is_view: bool

    def refuse(self, how: Any, locked_out: Any, made: Any = None) -> Any:
        """DRF's views answer by themselves, any other is answered for, unless the policy says what the answer is."""
        if verifies(self.view, self.owner):
            raise locked_out
        request = self.block.request
        if (response := self.block.answer) is not None:
            return how(request, locked_out, response)
        if not self.is_view:
            raise locked_out
        if made is None and (view := self.find_view()) is not None:
            with suppress(LockedOut):  # the project's exception handler may pass
                made = drf.answer(view, request, locked_out)
        return how(request, locked_out) if made is None else marked(made, locked_out)

    def finish(self, how: Any, response: Any) -> Any:
        """What the view answered: DRF may have made it of a refusal inside, and the rest of it may be made later."""
        block = self.block
        if not self.is_view:
            return response
        if block.refused is not None and getattr(response, "exception", False) and not verifies(self.view, self.owner):
            return self.refuse(how, block.refused, response)
        if block.watched and is_deferred(response):
            watch_on(block, response, partial(self.refuse, answer))
        return response

    def find_view(self) -> Any:
        captured = {name: value for name, value in self.kwargs.items() if name != "request"}
        return drf.view_of(self.view, self.owner, self.block.request, self.args[1:], captured)


def call_view(
    policies: Sequence[Terms], view: Any, owner: Any, is_async: bool, args: Any, kwargs: Any, find_request: Any
) -> Any:
    """What `view` answers, or for an async view a coroutine. It is no view if the request has to be found."""
    if find_request is not None:
        request = request_from(find_request(*(args if owner is None else (owner, *args)), **kwargs))
    else:
        request = args[0] if args and args[0] is not None else kwargs.get("request")
    if not hasattr(request, "META"):
        raise TypeError(f"lockout_protect: {view!r} was called with {type(request).__name__} where a request belongs.")
    visit = Visit(Block(policies, request), view, owner, args, kwargs, find_request is None)
    return _arun(visit) if is_async else _run(visit)


def is_async(view: Any) -> bool:
    """Whether `view` answers with a coroutine."""
    return iscoroutinefunction(view) or iscoroutinefunction(getattr(view, "__call__", None))  # noqa: B004


def _run(visit: Visit) -> Any:
    block = visit.block
    try:
        with block:
            response = block.response = visit.view(*visit.args, **visit.kwargs)
    except LockedOut as locked_out:
        return visit.refuse(answer, locked_out)
    except ExceptionGroup as group:
        return visit.refuse(answer, _locked_out_in(group))
    if type(response) is HttpResponse:  # nothing comes after that
        return response
    _expect_response(response)
    return visit.finish(answer, response)


async def _arun(visit: Visit) -> Any:
    block = visit.block
    try:
        async with block:
            response = block.response = await visit.view(*visit.args, **visit.kwargs)
    except LockedOut as locked_out:
        made = visit.refuse(aanswer, locked_out)
    except ExceptionGroup as group:
        made = visit.refuse(aanswer, _locked_out_in(group))
    else:
        made = visit.finish(aanswer, response)
    return await made if isawaitable(made) else made


def _locked_out_in(group: ExceptionGroup[Exception]) -> LockedOut:
    """The refusal among what tasks have raised together; without one, they go on their way."""
    found = group.subgroup(LockedOut)
    while found is not None:
        first = found.exceptions[0]
        if isinstance(first, LockedOut):
            return first
        found = first
    raise group


def _expect_response(response: Any) -> None:
    if not isinstance(response, HttpResponseBase) and isawaitable(response):
        raise TypeError("lockout_protect: the view returned an awaitable but is not marked as a coroutine function.")

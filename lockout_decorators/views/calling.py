"""Calls a view inside its block, and answers for those who are locked out: two thin runners."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from operator import attrgetter
from typing import Any, NamedTuple

from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from ..answers import drf
from ..answers.plain import aanswer, answer, bare, marked, wants_page
from ..answers.ratelimit import tell
from ..attempts.block import Block
from ..clients.asgi import request_from
from ..exceptions import LockedOut, refusal_in
from ..terms.terms import Terms
from .deferred import Resumed, is_deferred, watch_on
from .naming import verifies

_ratelimit = attrgetter("ratelimit")
COMPLETE: tuple[type[HttpResponse], ...] = (HttpResponse, HttpResponseRedirect)


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

    def expect_answer(self, locked_out: LockedOut) -> None:
        """Raises it where nobody is to answer: an answer in place of a user would let its sender in."""
        if verifies(self.view, self.owner) or not (self.is_view or self.block.answer is not None):
            raise locked_out

    def answer(self, how: Any, locked_out: LockedOut, made: Any = None) -> Any:
        """As the policy says; else DRF's views answer by themselves, and any other is answered for."""
        request = self.block.request
        if (response := self.block.answer) is not None:
            return how(request, locked_out, response)
        if made is None and (view := self.find_view()) is not None:
            with suppress(LockedOut):  # the project's exception handler may pass
                made = drf.answer(view, request, locked_out)
        return how(request, locked_out) if made is None else marked(made, locked_out)

    def asks_nobody(self, made: Any) -> bool:
        """Whether nothing of the project takes part in the answer."""
        ours = made is None and self.block.answer is None and not wants_page(self.block.request)
        return ours and self.find_view() is None

    def refuse(self, locked_out: LockedOut, made: Any = None) -> Any:
        """The answer to a refused guess, which is made under the same eyes as the view."""
        self.expect_answer(locked_out)
        if self.asks_nobody(made):
            return bare(self.block.request, locked_out)
        try:
            with Resumed(self.block):
                return self.finish(self.answer(answer, locked_out, made), bare)
        except LockedOut:
            return bare(self.block.request, locked_out)

    async def arefuse(self, locked_out: LockedOut, made: Any = None) -> Any:
        """See refuse()."""
        self.expect_answer(locked_out)
        if self.asks_nobody(made):
            return bare(self.block.request, locked_out)
        try:
            async with Resumed(self.block):
                answered = self.answer(aanswer, locked_out, made)
                return self.finish(await answered if isawaitable(answered) else answered, bare)
        except LockedOut:
            return bare(self.block.request, locked_out)

    def refused_inside(self, response: Any) -> LockedOut | None:
        """What DRF has made a response of, inside the view."""
        asked = self.is_view and getattr(response, "exception", False) and not verifies(self.view, self.owner)
        return self.block.refused if asked else None

    def finish(self, response: Any, refuse: Any = None) -> Any:
        """What was answered; the rest of it may be made later."""
        if self.block.given and is_deferred(response):
            return watch_on(self.block, response, partial(refuse, self.block.request) if refuse else self.refuse)
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
        first = args[0] if args else None
        request = first if hasattr(first, "META") else kwargs.get("request", first)
    if not hasattr(request, "META"):
        raise TypeError(
            f"lockout_protect: {view!r} was called with {type(request).__name__} where a request belongs. "
            "Say where it is: lockout_protect(..., request=lambda self, *args, **kwargs: self.context.request)."
        )
    visit = Visit(Block(policies, request), view, owner, args, kwargs, find_request is None)
    if any(map(_ratelimit, policies)):
        return _atelling(visit) if is_async else tell(visit.block, _run(visit))
    return _arun(visit) if is_async else _run(visit)


def is_async(view: Any) -> bool:
    """Whether `view` answers with a coroutine."""
    return iscoroutinefunction(view) or iscoroutinefunction(getattr(view, "__call__", None))  # noqa: B004


def _run(visit: Visit) -> Any:
    block = visit.block
    try:
        with block:
            response = block.response = visit.view(*visit.args, **visit.kwargs)
    except (LockedOut, ExceptionGroup) as error:
        if (found := refusal_in(error)) is None:
            raise
        return visit.refuse(found)
    if type(response) in COMPLETE:  # nothing comes after that
        return response
    _expect_response(response)
    if refused := visit.refused_inside(response):
        return visit.refuse(refused, response)
    return visit.finish(response)


async def _arun(visit: Visit) -> Any:
    block = visit.block
    try:
        async with block:
            response = block.response = await visit.view(*visit.args, **visit.kwargs)
    except (LockedOut, ExceptionGroup) as error:
        if (found := refusal_in(error)) is None:
            raise
        return await visit.arefuse(found)
    if refused := visit.refused_inside(response):
        return await visit.arefuse(refused, response)
    return visit.finish(response)


async def _atelling(visit: Visit) -> Any:
    return tell(visit.block, await _arun(visit))


def _expect_response(response: Any) -> None:
    if not isinstance(response, HttpResponseBase) and isawaitable(response):
        raise TypeError("lockout_protect: the view returned an awaitable but is not marked as a coroutine function.")

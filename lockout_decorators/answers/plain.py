"""From LockedOut to an answer: the same for right and wrong passwords, known and unknown users."""

import json
from collections.abc import Awaitable, Callable
from functools import lru_cache
from inspect import isawaitable
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import get_language

from ..exceptions import LockedOut, LockoutStatus
from .page import alone, page, render
from .words import translated

T = TypeVar("T")

HTML, JSON = "text/html", "application/problem+json"
LONGEST = 1024  # characters of Accept that are looked at


def answer(request: HttpRequest, locked_out: LockedOut, response: Any = None) -> Any:
    """The response to a refused guess: what `response` (a template name or a callable) makes, or a negotiated one."""
    if response is None:
        return _negotiated(request, locked_out)
    if callable(response):
        made = response(request, locked_out)
        made = async_to_sync(_awaited)(made) if isawaitable(made) else made
    else:
        made = HttpResponse(render(response, request, locked_out), status=locked_out.status_code)
    return marked(made, locked_out)


async def _awaited(made: Awaitable[T]) -> T:
    return await made


async def aanswer(request: HttpRequest, locked_out: LockedOut, response: Any = None) -> Any:
    """See answer()."""
    if iscoroutinefunction(response):
        return marked(await response(request, locked_out), locked_out)
    return await sync_to_async(answer)(request, locked_out, response)


def marked(response: T, locked_out: LockedOut) -> T:
    """Headers that every such answer has: when to come back, and that nobody may store it. What is made for a callable
    that is no view may be anything, and stays as it is."""
    if isinstance(response, HttpResponseBase):
        response.headers.setdefault("Cache-Control", "no-store")
        if (seconds := locked_out.status.retry_after) is not None:
            response.headers.setdefault("Retry-After", str(seconds))
    return response


def bare(request: HttpRequest, locked_out: LockedOut) -> HttpResponse:
    """The response where the project's own answer would make a guess itself: nothing of the project takes part."""
    return _negotiated(request, locked_out, alone)


def wants_page(request: HttpRequest) -> bool:
    """Whether a refusal is answered in HTML, by a template that the project may have replaced."""
    return _kind(request).startswith(HTML)


def _negotiated(
    request: HttpRequest, locked_out: LockedOut, paint: Callable[[HttpRequest, LockedOut], str] = page
) -> HttpResponse:
    status, kind = locked_out.status_code, _kind(request)
    if kind.startswith(HTML):
        made = paint(request, locked_out)
    else:
        spell = _problem if kind == JSON else _text
        made = spell(type(locked_out), get_language(), locked_out.status)  # type: ignore[arg-type]
    return marked(HttpResponse(made, kind, status, headers={"Vary": "Accept"}), locked_out)


@lru_cache(maxsize=1024)  # see translated()
def _problem(kind: type[LockedOut], language: str | None, status: LockoutStatus) -> str:
    """As RFC 9457 has it. What there is none of is left out."""
    words = translated(language, kind.message, kind.advice, status.retry_after)
    problem: dict[str, Any] = {"type": kind.problem, "title": words.title, "status": kind.status_code}
    problem["detail"] = words.advice
    if status.retry_after is not None:
        problem["retry_after"] = status.retry_after
    if status.until is not None:
        problem["until"] = status.until.isoformat(timespec="milliseconds")
    if status.reference:
        problem["reference"] = status.reference
    if status.challenge:
        problem["challenge"] = True
    return json.dumps(problem)


@lru_cache(maxsize=1024)
def _text(kind: type[LockedOut], language: str | None, status: LockoutStatus) -> str:
    words = translated(language, kind.message, kind.advice, status.retry_after)
    return f"{words.title} {words.advice}\n" + (f"{words.reference % status.reference}\n" if status.reference else "")


def _kind(request: HttpRequest) -> str:
    """What the client names first in Accept, HTML or some JSON; plain text for those that take anything."""
    named = _named(request.META.get("HTTP_ACCEPT", "")[:LONGEST])
    wanted = next((name for name in named if name == HTML or _is_json(name)), None)
    if wanted == HTML:
        return f"{HTML}; charset=utf-8"
    return JSON if wanted or (not named and _is_json(request.content_type)) else "text/plain; charset=utf-8"


@lru_cache(maxsize=256)
def _named(accept: str) -> tuple[str, ...]:
    """The kinds of media that a header names, as Django reads it: the best first."""
    reader = HttpRequest()
    reader.META = {"HTTP_ACCEPT": accept}
    return tuple([f"{one.main_type}/{one.sub_type}" for one in reader.accepted_types if "*" not in str(one)])


def _is_json(name: str | None) -> bool:
    return name is not None and (name == "application/json" or name.endswith("+json"))

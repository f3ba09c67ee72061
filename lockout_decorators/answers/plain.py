"""From LockedOut to an answer: the same for right and wrong passwords, known and unknown users."""

import json
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import Context, Engine, Template, TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils.translation import get_language, gettext, ngettext

from ..exceptions import LockedOut

T = TypeVar("T")

TEMPLATE = "lockout_decorators/locked_out.html"
HTML, JSON = "text/html", "application/problem+json"
LONGEST = 1024  # characters of Accept that are looked at


def answer(request: HttpRequest, locked_out: LockedOut, response: Any = None) -> Any:
    """The response to a refused guess: what `response` (a template name or a callable) makes, or a negotiated one."""
    if response is None:
        return _negotiated(request, locked_out)
    if iscoroutinefunction(response):
        made = async_to_sync(response)(request, locked_out)
    elif callable(response):
        made = response(request, locked_out)
    else:
        made = HttpResponse(_render(response, request, locked_out), status=locked_out.status_code)
    return marked(made, locked_out)


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
    return _negotiated(request, locked_out, lambda: _built_in().render(Context(_context(locked_out))))


def wants_page(request: HttpRequest) -> bool:
    """Whether a refusal is answered in HTML, by a template that the project may have replaced."""
    return _kind(request).startswith(HTML)


def _negotiated(request: HttpRequest, locked_out: LockedOut, page: Callable[[], str] | None = None) -> HttpResponse:
    status, kind = locked_out.status_code, _kind(request)
    if kind.startswith(HTML):
        made = page() if page else _page(request, locked_out)
    elif kind == JSON:
        title, advice = _words(locked_out)
        made = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": advice})
    else:
        made = "{} {}\n".format(*_words(locked_out))
    return marked(HttpResponse(made, kind, status, headers={"Vary": "Accept"}), locked_out)


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


def _page(request: HttpRequest, locked_out: LockedOut) -> str:
    try:
        return _render(TEMPLATE, request, locked_out)
    except TemplateDoesNotExist:  # the app is not installed
        return _built_in().render(Context(_context(locked_out)))


@cache
def _built_in() -> Template:
    source = (Path(__file__).parent.parent / "templates" / TEMPLATE).read_text()
    return Engine(libraries={"i18n": "django.templatetags.i18n"}).from_string(source)


def _render(template: str, request: HttpRequest, locked_out: LockedOut) -> str:
    return render_to_string(template, _context(locked_out), request)


def _context(locked_out: LockedOut) -> dict[str, Any]:
    title, advice = _words(locked_out)
    return {"status": locked_out.status, "title": title, "advice": advice}


def _words(locked_out: LockedOut) -> tuple[str, str]:
    return _translated(get_language(), locked_out.message, locked_out.advice, locked_out.status.retry_after)


@lru_cache(maxsize=1024)  # under an attack the same few are asked for again and again
def _translated(language: str | None, message: str, advice: str, seconds: int | None) -> tuple[str, str]:
    """Title and advice."""
    return gettext(message), gettext(advice) if seconds is None else _advice(seconds)


def _advice(seconds: int) -> str:
    if seconds < 120:
        return ngettext("Try again in %d second.", "Try again in %d seconds.", seconds) % seconds
    minutes = -(-seconds // 60)
    return ngettext("Try again in %d minute.", "Try again in %d minutes.", minutes) % minutes

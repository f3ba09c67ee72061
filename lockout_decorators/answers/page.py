"""The page for those who read: its template, and what that may tell."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.sites.requests import RequestSite
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import DisallowedHost, ImproperlyConfigured, ObjectDoesNotExist
from django.db import DatabaseError
from django.http import HttpRequest
from django.template import Context, Engine, Template, TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.encoding import iri_to_uri
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import escape_leading_slashes
from django.utils.translation import override

from ..exceptions import LockedOut
from ..terms.terms import SAFE_METHODS
from .words import Words, words_of

TEMPLATE = "lockout_decorators/locked_out.html"


class Answer:
    """What a template may tell besides `status`, `title` and `advice`; worked out where it is asked for.

    Attributes:
        words: What is told.
    """

    def __init__(
        self, request: HttpRequest, locked_out: LockedOut, words: Words, site: Callable[[Any], Any] = get_current_site
    ) -> None:
        self.words: Words = words
        self._request, self._status, self._site = request, locked_out.status, site

    @property
    def language(self) -> str:
        """Of the words, as HTML names it."""
        return self.words.language

    @property
    def direction(self) -> str:
        """Of the words: "ltr" or "rtl"."""
        return "rtl" if self.language.partition("-")[0] in settings.LANGUAGES_BIDI else "ltr"

    @cached_property
    def until(self) -> datetime | None:
        """The minute from which on a guess would be admitted, in the current time zone; None without a lock that ends.
        A lock that rolls may be followed by failures that still stand."""
        if (end := self._status.until) is None:
            return None
        end = max(end, datetime.now(UTC) + timedelta(seconds=(self._status.retry_after or 1) - 1))
        return timezone.localtime(end + timedelta(minutes=1, microseconds=-1)).replace(second=0, microsecond=0)

    @property
    def time(self) -> str:
        """`until` as an element of HTML; empty without."""
        return _time(self.language, self.until, str(self.until.tzinfo)) if self.until else ""

    @property
    def back(self) -> str:
        """Where the form was: the path of the refused request, on this site whatever it looks like, for a link. What
        was refused in a GET may have had its secret in the query."""
        path, meta = self._request.get_full_path(), self._request.META
        if self._request.method in SAFE_METHODS and meta.get("QUERY_STRING"):
            path = path.removesuffix("?" + iri_to_uri(meta["QUERY_STRING"]))
        return escape_leading_slashes(path if path.startswith("/") else f"/{path}")  # ASGI has it as it was sent

    @cached_property
    def site_name(self) -> str:
        """As django.contrib.sites has it; else the host."""
        for site in (self._site, RequestSite):
            try:
                return str(site(self._request).name)
            except (DatabaseError, DisallowedHost, ImproperlyConfigured, KeyError, ObjectDoesNotExist):
                continue
        return ""


@lru_cache(maxsize=1024)  # see translated()
def _time(language: str, moment: datetime, zone: str) -> str:
    """In two zones one moment is the same, and not told the same."""
    with override(language):
        told = date_format(moment, "DATETIME_FORMAT")
    return format_html('<time datetime="{}">{} {}</time>', moment.isoformat(), told, moment.tzname())


def page(request: HttpRequest, locked_out: LockedOut) -> str:
    """The project's template, else ours."""
    try:
        return render(TEMPLATE, request, locked_out)
    except TemplateDoesNotExist:  # the app is not installed
        return built_in(request, locked_out)


def render(template: str, request: HttpRequest, locked_out: LockedOut) -> str:
    return render_to_string(template, _context(request, locked_out), request)


def built_in(request: HttpRequest, locked_out: LockedOut, site: Callable[[Any], Any] = get_current_site) -> str:
    return _built_in().render(Context(_context(request, locked_out, site)))


def alone(request: HttpRequest, locked_out: LockedOut) -> str:
    """Ours, where nothing of the project takes part: no template, and no database."""
    return built_in(request, locked_out, RequestSite)


@cache
def _built_in() -> Template:
    source = (Path(__file__).parent.parent / "templates" / TEMPLATE).read_text(encoding="utf-8")
    return Engine().from_string(source)


def _context(
    request: HttpRequest, locked_out: LockedOut, site: Callable[[Any], Any] = get_current_site
) -> dict[str, Any]:
    words = words_of(locked_out)
    told = {"status": locked_out.status, "title": words.title, "advice": words.advice}
    return {**told, "answer": Answer(request, locked_out, words, site)}

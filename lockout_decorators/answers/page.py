"""The page for those who read: its template, and what that may tell."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

from django.conf import settings
from django.contrib.sites.requests import RequestSite
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import DisallowedHost, ImproperlyConfigured, ObjectDoesNotExist
from django.db import DatabaseError
from django.http import HttpRequest
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils import timezone
from django.utils.encoding import iri_to_uri
from django.utils.formats import date_format
from django.utils.html import escape, format_html
from django.utils.http import escape_leading_slashes
from django.utils.translation import override

from ..exceptions import LockedOut
from ..terms.terms import SAFE_METHODS
from .moulds import TEMPLATE, is_ours, nonce, poured
from .words import Words, words_of


class Answer:
    """What a template may tell besides `status`, `title` and `advice`; worked out where it is asked for.

    Attributes:
        words: What is told.
    """

    def __init__(
        self, request: HttpRequest, locked_out: LockedOut, site: Callable[[Any], Any] = get_current_site
    ) -> None:
        self.words: Words = words_of(locked_out)
        self._request, self._status, self._site = request, locked_out.status, site

    @property
    def seconds(self) -> str:
        """`status.retry_after` for a style sheet, where no thousands are set apart; empty without."""
        return str(self._status.retry_after or "")

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
        found = get_template(TEMPLATE)
    except TemplateDoesNotExist:  # the app is not installed
        return _ours(request, locked_out)
    if not is_ours(found):
        return _rendered(found, request, locked_out)
    return _ours(request, locked_out, nonce=nonce(found, request))


def render(template: str, request: HttpRequest, locked_out: LockedOut) -> str:
    return _rendered(get_template(template), request, locked_out)


def alone(request: HttpRequest, locked_out: LockedOut) -> str:
    """Ours, where nothing of the project takes part: no template, and no database."""
    return _ours(request, locked_out, RequestSite)


def _rendered(template: Any, request: HttpRequest, locked_out: LockedOut) -> str:
    answer = Answer(request, locked_out)
    told = {"status": locked_out.status, "title": answer.words.title, "advice": answer.words.advice, "answer": answer}
    return str(template.render(told, request))


def _ours(
    request: HttpRequest, locked_out: LockedOut, site: Callable[[Any], Any] = get_current_site, nonce: str = ""
) -> str:
    answer = Answer(request, locked_out, site)
    given = {"form": answer.back, "site_name": answer.site_name, "csp_nonce": nonce}
    given["reference"] = locked_out.status.reference
    told = {"direction": answer.direction, "seconds": answer.seconds, "time": answer.time}
    return poured({**_escaped(answer.words), **told, **{name: escape(text) for name, text in given.items()}})


@lru_cache(maxsize=1024)  # see translated()
def _escaped(words: Words) -> dict[str, str]:
    return {name: escape(text) for name, text in words._asdict().items()}

"""What is told, in words, and which language those are in."""

from functools import lru_cache
from typing import NamedTuple

from django.utils.translation import get_language, gettext, ngettext, pgettext

from ..exceptions import LockedOut


class Words(NamedTuple):
    """An answer in words.

    Attributes:
        title: What happened.
        advice: What to do, and when.
        reference: A sentence with a place for the code of the lock.
        code: What that is called.
        over: That the time has passed.
        back: What the link to the form says.
        language: Which language they really are in, as HTML names it: that of the visitor may have no translation.
    """

    title: str
    advice: str
    reference: str
    code: str
    over: str
    back: str
    language: str


def words_of(locked_out: LockedOut) -> Words:
    return translated(get_language(), locked_out.message, locked_out.advice, locked_out.status.retry_after)


@lru_cache(maxsize=1024)  # under an attack the same few are asked for again and again
def translated(active: str | None, message: str, advice: str, seconds: int | None) -> Words:
    """In the `active` language."""
    return Words(
        title=gettext(message),
        advice=gettext(advice) if seconds is None else _advice(seconds),
        reference=gettext("Reference: %s."),
        code=pgettext("lock page", "Reference"),
        over=pgettext("lock page", "You can try again now."),
        back=pgettext("lock page", "Go back"),
        language=_language(active or ""),
    )


def _language(active: str) -> str:
    """Each catalog names its own language; `active` may be a kind of that, as de-at is of de."""
    found = pgettext("the language of this file, as HTML names it", "en")
    return active if _base(active) == _base(found) else found


def _base(language: str) -> str:
    return language.partition("-")[0]


def _advice(seconds: int) -> str:
    """Rounded up: nobody comes too early."""
    minutes, hours, days = [-(-seconds // length) for length in (60, 3_600, 86_400)]
    if seconds < 120:
        count, told = seconds, ngettext("Try again in %(count)d second.", "Try again in %(count)d seconds.", seconds)
    elif minutes < 120:
        count, told = minutes, ngettext("Try again in %(count)d minute.", "Try again in %(count)d minutes.", minutes)
    elif hours < 48:
        count, told = hours, ngettext("Try again in %(count)d hour.", "Try again in %(count)d hours.", hours)
    else:
        count, told = days, ngettext("Try again in %(count)d day.", "Try again in %(count)d days.", days)
    return told % {"count": count}

"""Who is tried: the credential that names the account, its folded form for counting, and the secrets beside it."""

import os
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

UsernameFunction = Callable[[HttpRequest, Mapping[str, Any]], Any]

LENGTH = 256  # characters of a folded user name; decomposed, it may be four times as long
INVISIBLE = ("Mn", "Me", "Cf", "Cc")
LIGATURES = {"\N{LATIN SMALL LETTER AE}": "ae", "\N{LATIN SMALL LIGATURE OE}": "oe"}  # casefolded


@sensitive_variables()
def account_in(
    credentials: Mapping[str, Any], username: str | UsernameFunction | None, request: HttpRequest
) -> tuple[str | None, Any]:
    """The name of the credential that names the account, and the exact value that does; None where nothing does."""
    usual = (_user_model(settings.AUTH_USER_MODEL).USERNAME_FIELD, "username", "email")
    names = (username,) if isinstance(username, str) else usual
    field = next((name for name in names if name in credentials), None)
    if callable(username):
        return field, username(request, credentials)
    return field, None if field is None else credentials[field]


@lru_cache(maxsize=4)
def _user_model(name: str) -> Any:
    return get_user_model()


def text_of(value: Any) -> str:
    """`value` as text; the name of its type where it can't be told, as of a list nested too deep."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__}>"


def fold(value: Any) -> str | None:
    """The identity: `value` folded as far as any backend or collation might, so that variants are counted as one.

    Cut to 1024 characters; NFKD without marks, format and control characters; casefolded; o for a letter o with stroke;
    dotless i; stripped; cut to 256. None if nothing is left.
    """
    if value is None:
        return None
    text = text_of(value)[: 4 * LENGTH]
    if text.isascii() and text.isprintable():
        return text.strip().lower()[:LENGTH].strip() or None
    text = _bare(_bare(text).casefold())  # bare first: casefolding makes letters of some marks
    text = "".join(c if c.isascii() else _base(c) for c in text)
    return text.replace("\N{LATIN SMALL LETTER DOTLESS I}", "i").strip()[:LENGTH].strip() or None


def _bare(text: str) -> str:
    """Decomposed, without marks, format and control characters."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in INVISIBLE)


@lru_cache(maxsize=1024)
def _base(letter: str) -> str:
    """The letter that `letter` is, by its Unicode name, with something added."""
    if letter in LIGATURES:
        return LIGATURES[letter]
    try:
        return unicodedata.lookup(unicodedata.name(letter, "").partition(" WITH ")[0])
    except KeyError:
        return letter


@sensitive_variables()
def is_blank(credentials: Mapping[str, Any]) -> bool:
    """Whether there is nothing to verify."""
    return all(value is None or (isinstance(value, str | bytes) and not value) for value in credentials.values())


_KEY = os.urandom(16)  # of this process


class Comparison:
    """Tells whether two calls present the same values, without keeping plain secrets: by a digest under a random key.

    Strings, bytes and numbers are compared by value, any other object by identity (and kept alive for that).
    """

    def __init__(self) -> None:
        self._objects: dict[int, object] = {}

    @sensitive_variables()
    def digest(self, credentials: Mapping[str, Any], without: str | None = None) -> bytes:
        spelled = "".join(
            [f"{name!a}: {self._spell(credentials[name])}, " for name in sorted(credentials) if name != without]
        )
        return sha256(_KEY + spelled.encode()).digest()

    def _spell(self, value: Any) -> str:
        if type(value) is str:
            return ascii(value)
        if isinstance(value, int):
            return hex(value)  # of any length, unlike decimal digits
        if value is None or isinstance(value, bytes | float):
            return ascii(value)
        if isinstance(value, str):  # a subclass may hide itself in its repr
            return ascii(str.__str__(value))
        return f"{type(value).__name__} {id(self._objects.setdefault(id(value), value))}"

"""Who is tried: the credential that names the account, its folded form for counting, and the secrets beside it."""

import hmac
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

UsernameFunction = Callable[[HttpRequest, Mapping[str, Any]], Any]

LENGTH = 256  # characters of a folded user name; decomposed, it may be four times as long
INVISIBLE = ("Mn", "Me", "Cf", "Cc")


def account_field(credentials: Mapping[str, Any], username: str | UsernameFunction | None) -> str | None:
    """The name of the credential that names the account, if there is one."""
    names = (username,) if isinstance(username, str) else (get_user_model().USERNAME_FIELD, "username", "email")
    return next((name for name in names if name in credentials), None)


@sensitive_variables()
def account(credentials: Mapping[str, Any], username: str | UsernameFunction | None, request: HttpRequest) -> Any:
    """The exact value that names the account; None if nothing does."""
    if callable(username):
        return username(request, credentials)
    field = account_field(credentials, username)
    return None if field is None else credentials[field]


def text_of(value: Any) -> str:
    """`value` as text; the name of its type where it can't be told, as of a list nested too deep."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__}>"


def fold(value: Any) -> str | None:
    """The identity: `value` folded as far as any backend or collation might, so that variants are counted as one.

    Cut to 1024 characters; NFKD without marks, format and control characters; casefolded; dotless i; stripped; cut to
    256. None if nothing is left.
    """
    if value is None:
        return None
    text = _bare(_bare(text_of(value)[: 4 * LENGTH]).casefold())  # bare first: casefolding makes letters of some marks
    return text.replace("\N{LATIN SMALL LETTER DOTLESS I}", "i").strip()[:LENGTH].strip() or None


def _bare(text: str) -> str:
    """Decomposed, without marks, format and control characters."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in INVISIBLE)


@sensitive_variables("credentials")
def is_blank(credentials: Mapping[str, Any]) -> bool:
    """Whether there is nothing to verify."""
    return all(value is None or (isinstance(value, str | bytes) and not value) for value in credentials.values())


class Comparison:
    """Tells whether two calls present the same values, without keeping plain secrets: by a digest under a random key.

    Strings, bytes and numbers are compared by value, any other object by identity (and kept alive for that).
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._objects: dict[int, object] = {}

    @sensitive_variables()
    def digest(self, credentials: Mapping[str, Any], without: str | None = None) -> bytes:
        spelled = [(name, self._spell(credentials[name])) for name in sorted(credentials) if name != without]
        return hmac.digest(self._key, ascii(spelled).encode(), "sha256")

    @sensitive_variables()
    def _spell(self, value: Any) -> str:
        if isinstance(value, int):
            return hex(value)  # of any length, unlike decimal digits
        if value is None or isinstance(value, str | bytes | float):
            return ascii(value)
        return f"{type(value).__name__} {id(self._objects.setdefault(id(value), value))}"

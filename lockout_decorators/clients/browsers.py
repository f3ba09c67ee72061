"""Known browsers: the cookie by which a browser shows that somebody has signed in with it (OWASP's device cookie).

Signed JSON with a row for each of its last accounts. Each scope has a cookie of its own: whoever knows a password is
known at the doors of that password, and a stranger at those of the second factor.
"""

import secrets
import time
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldError, ValidationError
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.views.decorators.debug import sensitive_variables

from ..conf import PASSWORD, SEALS, conf, refuse
from .keys import digest

SALT = "lockout_decorators.browsers.1"  # with the version of what is in a cookie
ACCOUNTS = 5  # of one cookie
DIGITS = 30  # hexadecimal, of a digest
SECURE = "__Host-"  # browsers take a cookie of such a name from this very host only, over HTTPS

Account = tuple[str, ...]  # what names it: under which host, by which credential, exactly


class Row(NamedTuple):
    """What a cookie says of one account.

    Attributes:
        account: A keyed digest of it.
        browser: The browser's name, random, and new at each success.
        since: When that success was, in seconds since 1970.
        seal: A keyed digest of the account's seal then; empty where the project has none.
    """

    account: str
    browser: str
    since: int
    seal: str = ""

    def is_of(self, account: Account) -> bool:
        return self.account in _digests("account", *account)

    def is_sealed(self, seal: str) -> bool:
        return self.seal in _digests("seal", seal)

    def is_fresh(self, lifetime: timedelta) -> bool:
        return time.time() < self.since + lifetime.total_seconds()


def rows_of(request: HttpRequest, scope: str) -> list[Row]:
    """What the cookie of a scope says, the last account first; nothing if it was not signed here, for that scope."""
    value = request.COOKIES.get(_name(request, scope), "")
    if not value or not value.isascii():
        return []
    try:
        return [Row(*row) for row in _signer(scope).unsign_object(value)]
    except BadSignature:
        return []


def new_row(account: Account, seal: str, browser: str) -> Row:
    (current, *_), (sealed, *_) = _digests("account", *account), _digests("seal", seal) if seal else [""]
    return Row(current, browser, int(time.time()), sealed)


def new_browser() -> str:
    return secrets.token_urlsafe(12)


def put(response: HttpResponseBase, request: HttpRequest, scope: str, rows: Sequence[Row], lifetime: timedelta) -> None:
    """Set the cookie of a scope. The account that nobody has signed in to for longest is left out, past five."""
    name, secure = _name(request, scope), request.is_secure()
    value = _signer(scope).sign_object(rows[:ACCOUNTS])
    response.set_cookie(name, value, max_age=lifetime, secure=secure, httponly=True, samesite="Lax")
    patch_vary_headers(response, ("Cookie",))


def take_back(response: HttpResponseBase, request: HttpRequest, scope: str) -> None:
    """Leave the browser the cookie that it has."""
    response.cookies.pop(_name(request, scope), None)


@sensitive_variables()
def seal_of(request: HttpRequest, username: Any) -> str | None:
    """A hash of the text that changes when an account's browsers shall be known no more; empty where the project has no
    such text, None where it has none for that account."""
    seal = conf.browser_seal
    if seal is None:
        return ""
    said = _password(username) if seal == PASSWORD else seal(request, username)  # type: ignore[operator]
    if not isinstance(said, str | None):
        raise refuse("LOCKOUT_BROWSER_SEAL", seal, f"{SEALS}; it returned {type(said).__name__}")
    return sha256(said.encode("utf-8", "surrogatepass")).hexdigest() if said else None


@sensitive_variables()
def _password(username: Any) -> str | None:
    """The password as it is stored, of the one account with that user name, or else with that e-mail address."""
    model: Any = get_user_model()
    for field in (model.USERNAME_FIELD, f"{model.get_email_field_name()}__iexact"):
        try:
            found = list(model._default_manager.filter(**{field: username})[:2])
        except (FieldError, TypeError, ValueError, ValidationError):  # nothing that such a field could hold
            continue
        if found:
            return found[0].password if len(found) == 1 else None
    return None


def _name(request: HttpRequest, scope: str) -> str:
    name = f"lockout-{sha256(f'{conf.cache_prefix} {scope}'.encode()).hexdigest()[:8]}"
    return SECURE + name if request.is_secure() else name


def _signer(scope: str) -> Signer:
    return Signer(salt=f"{SALT}:{scope}")


def _digests(*parts: str) -> list[str]:
    """Under the current secret key, and those before it."""
    return [digest(key, "browser", *parts)[:DIGITS] for key in conf.secret_keys]

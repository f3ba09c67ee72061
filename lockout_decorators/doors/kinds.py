"""The table of known doors, by the dotted path at which a project finds them. Nothing is imported for it."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a door verifies its secret.

    Attributes:
        title: What people call it.
        seen: Whether `authenticate()` verifies it, so that any policy sees each guess.
        key: Of the policy in the line to write.
        name: Of a function for `failure=`, by which the response tells the verdict.
        failure: Its code.
        trusts: A decoration is taken for a guard: a form that the settings name may hold `attempt()`.
        needs: Where to look whether it verifies at all: a dotted path, and an attribute there.
    """

    title: str
    seen: bool = True
    key: str = "ip+username"
    name: str = ""
    failure: str = ""
    trusts: bool = False
    needs: tuple[str, str] | None = None

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z]+", "-", self.title.lower()).strip("-")


def _told(title: str, key: str, name: str, test: str, trusts: bool = False, needs: Any = None) -> Kind:
    """A door that tells its verdict only in the response."""
    return Kind(title, False, key, name, f"def {name}(request, response):\n    return {test}", trusts, needs)


def _form(title: str, key: str, name: str, test: str, trusts: bool = False) -> Kind:
    """The same, in the form of a page."""
    form = '(getattr(response, "context_data", None) or {}).get("form")'
    code = f"def {name}(request, response):\n    form = {form}\n    return form is not None and {test}"
    return Kind(title, False, key, name, code, trusts)


LOGIN, CALL = Kind("login"), Kind("code that calls authenticate()")
BASIC, TOKEN = Kind("HTTP Basic"), Kind("token", seen=False, key="ip")
CHECK = Kind("code that calls check_password()", seen=False, key="user")

CHANGE, LINK, CODE = "change of password", "link of a password reset", "one-time code"
OLD, WRONG_LINK, WRONG_CODE = "wrong_old_password", "wrong_link", "wrong_code"

OLD_PASSWORD = _form(CHANGE, "user", OLD, 'form.has_error("old_password", "password_incorrect")')
RESET = _told(LINK, "ip", WRONG_LINK, 'getattr(response, "context_data", {}).get("validlink") is False')
FORM_CODE = _form(CODE, "ip", WRONG_CODE, 'form.has_error("code", "incorrect_code")', True)
ENTRY_CODE = _told(CODE, "ip", WRONG_CODE, 'request.method == "POST" and not request.user.is_authenticated', True)
JSON_CODE = _told(CODE, "ip", WRONG_CODE, """b'"incorrect_code"' in response.content""", True)
SECOND_STEP = _form(
    "second step",
    "ip",
    WRONG_CODE,
    'not {"token-otp_token", "backup-otp_token"}.isdisjoint(request.POST) and bool(form.errors)',
)
DRF_OLD_PASSWORD = _told(
    CHANGE,
    "user",
    OLD,
    'response.status_code == 400 and "old_password" in response.data',
    True,
    ("dj_rest_auth.app_settings.api_settings", "OLD_PASSWORD_FIELD_ENABLED"),
)
CLIENT = _told("secret of an application", "ip", "wrong_secret", "response.status_code in (401, 403)")

VIEWS: dict[str, tuple[Kind, ...]] = {
    "django.contrib.auth.views.LoginView": (LOGIN,),
    "django.contrib.auth.views.PasswordChangeView": (OLD_PASSWORD,),
    "django.contrib.auth.views.PasswordResetConfirmView": (RESET,),
    "rest_framework.authtoken.views.ObtainAuthToken": (LOGIN,),
    "rest_framework_simplejwt.views.TokenObtainPairView": (LOGIN,),
    "rest_framework_simplejwt.views.TokenObtainSlidingView": (LOGIN,),
    "dj_rest_auth.views.LoginView": (LOGIN,),
    "dj_rest_auth.views.PasswordChangeView": (DRF_OLD_PASSWORD,),
    "dj_rest_auth.views.PasswordResetConfirmView": (
        _told(LINK, "ip", WRONG_LINK, 'response.status_code == 400 and not {"uid", "token"}.isdisjoint(response.data)'),
    ),
    "allauth.account.views.LoginView": (LOGIN,),
    "allauth.account.views.ReauthenticateView": (LOGIN,),
    "allauth.account.views.ConfirmLoginCodeView": (ENTRY_CODE,),
    "allauth.account.views.PasswordChangeView": (
        _form(CHANGE, "user", OLD, 'form.has_error("oldpassword", "enter_current_password")', True),
    ),
    "allauth.mfa.base.views.AuthenticateView": (ENTRY_CODE,),
    "allauth.mfa.base.views.ReauthenticateView": (FORM_CODE,),
    "allauth.headless.account.views.LoginView": (LOGIN,),
    "allauth.headless.account.views.ReauthenticateView": (LOGIN,),
    "allauth.headless.account.views.ConfirmLoginCodeView": (JSON_CODE,),
    "allauth.headless.account.views.ChangePasswordView": (
        _told(CHANGE, "user", OLD, """b'"enter_current_password"' in response.content""", True),
    ),
    "allauth.headless.mfa.views.AuthenticateView": (JSON_CODE,),
    "allauth.headless.mfa.views.ReauthenticateView": (JSON_CODE,),
    "two_factor.views.LoginView": (LOGIN, SECOND_STEP),
    "oauth2_provider.views.TokenView": (LOGIN, CLIENT),
    "oauth2_provider.views.RevokeTokenView": (CLIENT,),
    "oauth2_provider.views.IntrospectTokenView": (CLIENT,),
}

SITE: dict[str, tuple[Kind, str]] = {  # methods of AdminSite, with the view that each makes
    "login": (LOGIN, "django.contrib.auth.views.LoginView"),
    "password_change": (OLD_PASSWORD, "django.contrib.auth.views.PasswordChangeView"),
}

APIS: dict[str, Kind] = {  # authentication classes
    "rest_framework.authentication.BasicAuthentication": BASIC,
    "rest_framework.authentication.TokenAuthentication": TOKEN,
    "ninja.security.HttpBasicAuth": BASIC,
}

FORMS: dict[str, Kind] = {  # and serializers
    "django.contrib.auth.forms.AuthenticationForm": CALL,
    "django.contrib.auth.forms.PasswordChangeForm": CHECK,
    "rest_framework.authtoken.serializers.AuthTokenSerializer": CALL,
    "rest_framework_simplejwt.serializers.TokenObtainSerializer": CALL,
    "dj_rest_auth.serializers.LoginSerializer": CALL,
}


def loaded(path: str) -> Any:
    """What stands at a dotted path, if the project has imported it."""
    module, _, name = path.rpartition(".")
    return vars(sys.modules[module]).get(name) if module in sys.modules else None


def path_of(cls: Any) -> str:
    """Where a package documents a known view; empty for any other."""
    return next((path for path in VIEWS if loaded(path) is cls), "")


def known(cls: Any, table: dict[str, T]) -> T | None:
    """The entry of a class, or of the nearest base that has one."""
    classes: dict[Any, T] = {loaded(path): entry for path, entry in table.items()}
    return next((classes[base] for base in _mro(cls) if base in classes), None)


def _mro(cls: Any) -> Iterable[type]:
    return cls.__mro__ if isinstance(cls, type) else ()

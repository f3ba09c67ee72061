"""A project that has every package of the recipes."""

import os
import tempfile

from gqlauth.settings_type import GqlAuthSettings

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

SECRET_KEY = "signs the tokens of simplejwt, so is as long as they want"
INSTALLED_APPS = [
    *INSTALLED_APPS,
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "axes",
    "defender",
    "dj_rest_auth",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "gqlauth",
    "ninja_extra",
    "oauth2_provider",
    "rest_framework_simplejwt",
    "two_factor",
]
MIDDLEWARE = [
    *MIDDLEWARE,
    "allauth.account.middleware.AccountMiddleware",
    "django_otp.middleware.OTPMiddleware",
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["tests.recipes.hashers.CountingHasher"]
STATIC_URL = "/static/"
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_RATE_LIMITS = {"login_failed": None}
ACCOUNT_FORMS = {"confirm_login_code": "tests.recipes.allauth.LoginCodeForm"}
MFA_FORMS = {"authenticate": "tests.recipes.mfa.CodeForm"}
REST_AUTH = {"OLD_PASSWORD_FIELD_ENABLED": True}
TWO_FACTOR_PATCH_ADMIN = False
AXES_ENABLED = False
AXES_FAILURE_LIMIT = 10
DEFENDER_LOGIN_FAILURE_LIMIT = 10
DEFENDER_REDIS_URL = f"unix://{tempfile.gettempdir()}/defender-{os.getpid()}.sock"
OIDC_CALLBACK_CLASS = "tests.recipes.oidc.Callback"
GQL_AUTH = GqlAuthSettings(LOGIN_REQUIRE_CAPTCHA=False, ALLOW_LOGIN_NOT_VERIFIED=True)

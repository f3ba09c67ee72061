"""A project that has every package of the recipes."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "dj_rest_auth",
    "oauth2_provider",
    "rest_framework_simplejwt",
]
MIDDLEWARE = [*MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["tests.recipes.hashers.CountingHasher"]
STATIC_URL = "/static/"

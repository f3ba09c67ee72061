"""The settings of a site for real web servers; the environment says what it runs on."""

import json
import os

from tests.servers import DATABASE, Setup

SITE = json.loads(os.environ["WEB_SITE"])
SETUP = Setup(*SITE["setup"])

SECRET_KEY = "tests"
USE_TZ = True
ALLOWED_HOSTS = ["127.0.0.1"]
LOCKOUT_TRUSTED_PROXIES = ["127.0.0.1"]  # whoever asks says in X-Forwarded-For which client it speaks for
CACHES = {"default": SETUP.cache}
DATABASES = {DATABASE: SETUP.database, "default": {}} if SETUP.database else {}
DATABASE_ROUTERS = ["tests.servers.Router"]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "lockout_decorators"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
if not SITE["decorated"]:
    MIDDLEWARE.insert(0, "lockout_decorators.middleware.LockoutMiddleware")
    LOCKOUT_SITE = {"key": "ip", "window": SITE["seconds"], "lockout": SITE["seconds"], "patience": 30}
LOGIN_FORM = "<form method=post>{% csrf_token %}{{ form.as_p }}</form>"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"login.html": LOGIN_FORM})]},
    }
]
ROOT_URLCONF = "tests.web.urls"
AUTHENTICATION_BACKENDS = ["tests.web.urls.Hasher"]
LOGIN_REDIRECT_URL = "/form/"
LOGGING = {"version": 1, "loggers": {"lockout_decorators": {"level": "ERROR"}, "django.request": {"level": "ERROR"}}}

"""The demo project's settings. What it writes goes to the folder that play.py makes for it."""

import os
from pathlib import Path

import django

HERE = Path(__file__).parent
FOLDER = Path(os.environ["LOCKOUT_DEMO_FOLDER"])
SITE = os.environ["LOCKOUT_DEMO_SITE"]  # what the links of mails begin with
LOG = FOLDER / "lockout.log"
MAILS = FOLDER / "mails"

SECRET_KEY = "only for the demo"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATICFILES_DIRS = [HERE / "static"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "code"
PASSWORD_HASHERS = ["hashers.CountingHasher"]
LANGUAGE_CODE = "en"
TRANSLATED = ["ar", "cs", "de", "es", "fr", "it", "ja", "nl", "pl", "pt-br", "tr", "zh-hans"]
LANGUAGES = [(code, code) for code in ["en", *TRANSLATED]]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The failures are counted here. All workers must share it: not LocMem, but files, Redis, Memcached or the database.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": FOLDER / "cache"}}

# play.py is several clients at once: like a proxy, it says in X-Forwarded-For whom it speaks for.
LOCKOUT_TRUSTED_PROXIES = ["127.0.0.1"]

# Charts, addresses and user names on the admin's page of lockouts.
LOCKOUT_JOURNAL = True

# Mails are files, for the mail box.
FILES = "django.core.mail.backends.filebased.EmailBackend"
if django.VERSION < (6, 1):
    EMAIL_BACKEND, EMAIL_FILE_PATH = FILES, MAILS
else:
    MAILERS = {"default": {"BACKEND": FILES, "OPTIONS": {"file_path": MAILS}}}

# All workers write one log, which the pages show. Refusals are lines of the level DEBUG.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"short": {"format": "%(asctime)s %(message)s", "datefmt": "%H:%M:%S"}},
    "handlers": {
        "log": {"class": "logging.FileHandler", "filename": LOG, "formatter": "short"},
        "stderr": {"class": "logging.StreamHandler"},
    },
    "loggers": {
        "lockout_decorators": {"handlers": ["log"], "level": "DEBUG"},
        "django": {"handlers": ["stderr"], "level": "ERROR"},
    },
}

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "db.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"},
    }
}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "lockout_decorators",
]
MIDDLEWARE = [
    "middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "middleware.csp_nonce",
                "django.template.context_processors.i18n",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

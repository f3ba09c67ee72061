"""The project around the doors: as little as Django can do with, a backend that answers at once, the bare views."""

import os
import sys
from types import ModuleType
from typing import Any

from tests.bench.guards import Guard

SETTINGS = "bench_settings"
BACKEND = f"{__name__}.FreeBackend"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
LOADERS = [
    (
        "django.template.loaders.locmem.Loader",
        {"login.html": "<form method=post>{% csrf_token %}{{ form.as_p }}<button>Sign in</button></form>"},
    ),
    "django.template.loaders.app_directories.Loader",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [("django.template.loaders.cached.Loader", LOADERS)],
            "context_processors": ["django.template.context_processors.request"],
        },
    }
]


class FreeBackend:
    """Answers at once."""

    def authenticate(self, request: Any, username: str | None = None, password: str | None = None) -> Any:
        return _user(username) if password == "right" else None

    def get_user(self, user_id: int) -> Any:
        return _user("bob")


def _user(name: str | None) -> Any:
    from django.contrib.auth.models import User

    return User(pk=1, username=name, password="hash")


def set_up(guard: Guard, cache: dict[str, Any], form: bool, urls: Any) -> None:
    """Give Django its settings: as a module, since those of `settings.configure()` are slower to look at."""
    import django

    apps = ["django.contrib.auth", "django.contrib.contenttypes"]
    apps += ["django.contrib.sessions", "django.contrib.messages"] if form or guard.needs_more else []
    module = sys.modules[SETTINGS] = ModuleType(SETTINGS)
    vars(module).update(
        SECRET_KEY="bench",
        ALLOWED_HOSTS=["*"],
        CACHES={"default": cache},
        MIDDLEWARE=guard.middleware,
        INSTALLED_APPS=[*apps, *guard.apps],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        ROOT_URLCONF=urls,
        LOGIN_REDIRECT_URL="/",
        USE_TZ=True,
        SILENCED_SYSTEM_CHECKS=["django_ratelimit.E003", "django_ratelimit.W001"],
        TEMPLATES=TEMPLATES,
        **guard.settings_for(cache),
    )
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    django.setup()
    from django.contrib.auth.models import update_last_login
    from django.contrib.auth.signals import user_logged_in

    user_logged_in.disconnect(update_last_login, dispatch_uid="update_last_login")


def login(request: Any) -> Any:
    """The plainest of views: the signal of a success is the one that `login()` sends."""
    from django.contrib.auth import authenticate
    from django.http import HttpResponse

    if request.method != "POST":
        return HttpResponse("<form method=post>")
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    return HttpResponse("no") if user is None else HttpResponse(status=302, headers={"Location": "/"})


def login_form() -> Any:
    from django.contrib.auth.views import LoginView

    return LoginView.as_view(template_name="login.html")

"""What guards a login view: this package under several rules, and its peers at five failures an hour by address."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib.util import find_spec
from typing import Any, NamedTuple

OURS = "lockout_decorators"
SITE = f"{OURS}, the whole site"
SERVER = object()  # stands for the address of the cache's server
Rules = Mapping[str, Any]


class Guard(NamedTuple):
    """What a project writes to have one; `rules` gives the guarded views of a bare one, by name.

    Attributes:
        stores: Where it can count; empty for any.
        needs_more: It will not start without sessions and messages.
        refusal: The status of its refusals, to a right password.
    """

    package: str
    rules: Callable[[Any], Rules]
    apps: list[str] = []
    backends: list[str] = []
    middleware: list[str] = []
    settings: Mapping[str, Any] = {}
    stores: tuple[str, ...] = ()
    needs_more: bool = False
    refusal: int = 429

    @property
    def installed(self) -> bool:
        return find_spec(self.package) is not None

    def settings_for(self, cache: Mapping[str, Any]) -> dict[str, Any]:
        return {name: _filled_in(value, cache["LOCATION"]) for name, value in self.settings.items()}


def _filled_in(value: Any, server: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled_in(one, server) for name, one in value.items()}
    return server if value is SERVER else value


HOUR = {"max": 5, "window": 3600, "lockout": 3600}


def ours(view: Any) -> Rules:
    from lockout_decorators import LockoutPolicy, lockout_protect

    rules = {
        "ip": lockout_protect(key="ip", scope="one", **HOUR)(view),
        "ip+username": lockout_protect(key="ip+username", scope="two", **HOUR)(view),
        "ip-500": lockout_protect(key="ip", scope="large", **HOUR | {"max": 500})(view),
        "known": lockout_protect(key="username", scope="known", known_browsers=timedelta(days=90), **HOUR)(view),
        "spread": lockout_protect(key="ip", scope="spread", **HOUR | {"max": 500, "spread": 100})(view),
        "unenforced": lockout_protect(key="ip", scope="quiet", enforce=False, **HOUR)(view),
    }
    challenge = {"challenge_after": 2, "challenge": lambda request: request.method == "POST"}
    rules["challenge"] = lockout_protect(key="ip", scope="challenged", **challenge, **HOUR)(view)
    three = [LockoutPolicy(key=key, ceiling=None, scope=key, **HOUR) for key in ("ip", "username", "ip+ua")]
    try:
        rules["three"] = lockout_protect(*three)(view)
    except TypeError:  # the first edition takes one
        for policy in three:
            view = lockout_protect(policy)(view)
        rules["three"] = view
    return rules


def watched(view: Any) -> Rules:
    from defender.decorators import watch_login

    return {"ip": watch_login()(view)}


def limited(view: Any) -> Rules:
    from django_ratelimit.decorators import ratelimit

    return {"ip": ratelimit(key="ip", rate="5/h", method="POST", block=True)(view)}


def smartly_limited(view: Any) -> Rules:
    from django_smart_ratelimit import rate_limit

    guarded = rate_limit(key="ip", rate="5/h")(view)
    return {"ip": lambda request: (guarded if request.method == "POST" else view)(request)}


def throttled(view: Any) -> Rules:
    """The same view as an APIView, with the throttle that DRF has for whoever is not signed in."""
    from rest_framework.throttling import AnonRateThrottle
    from rest_framework.views import APIView

    class Throttle(AnonRateThrottle):
        rate = "5/hour"

    class Login(APIView):
        authentication_classes = permission_classes = ()

        def get(self, request: Any) -> Any:
            return view(request._request)

        def post(self, request: Any) -> Any:
            return view(request._request)

        def get_throttles(self) -> Any:
            return [Throttle()] if self.request.method == "POST" else []

    return {"ip": Login.as_view()}


def adapted(view: Any) -> Rules:
    """The same view, with allauth's `authenticate()` in place of Django's, as allauth's forms call it."""
    from allauth.account.adapter import get_adapter
    from django.core.exceptions import ValidationError
    from django.http import HttpResponse

    def login(request: Any) -> Any:
        if request.method != "POST":
            return HttpResponse("<form method=post>")
        post = request.POST
        try:
            user = get_adapter(request).authenticate(request, username=post["username"], password=post["password"])
        except ValidationError:
            return HttpResponse("slow down", status=429)
        return HttpResponse("no") if user is None else HttpResponse(status=302, headers={"Location": "/"})

    return {"ip": login}


GUARDS = {
    OURS: Guard(OURS, ours, apps=[OURS]),
    SITE: Guard(
        OURS,
        lambda view: {"ip": view},
        apps=[OURS],
        middleware=["lockout_decorators.middleware.LockoutMiddleware"],
        settings={"LOCKOUT_SITE": {"key": "ip", **HOUR}},
    ),
    "django-axes": Guard(
        "axes",
        lambda view: {"ip": view},
        apps=["axes"],
        backends=["axes.backends.AxesStandaloneBackend"],
        middleware=["axes.middleware.AxesMiddleware"],
        settings={
            "AXES_HANDLER": "axes.handlers.cache.AxesCacheHandler",
            "AXES_FAILURE_LIMIT": 5,
            "AXES_COOLOFF_TIME": 1,
            "AXES_VERBOSE": False,
        },
    ),
    "django-defender": Guard(
        "defender",
        watched,
        apps=["defender"],
        settings={
            "DEFENDER_REDIS_URL": SERVER,
            "DEFENDER_LOGIN_FAILURE_LIMIT": 4,  # the fifth is one more
            "DEFENDER_COOLOFF_TIME": 3600,
            "DEFENDER_STORE_ACCESS_ATTEMPTS": False,
            "DEFENDER_DISABLE_USERNAME_LOCKOUT": True,
        },
        stores=("Valkey",),
        refusal=200,
    ),
    "django-allauth": Guard(
        "allauth",
        adapted,
        apps=["allauth", "allauth.account"],
        middleware=["allauth.account.middleware.AccountMiddleware"],
        settings={"ACCOUNT_RATE_LIMITS": {"login_failed": "5/h/ip"}},
        needs_more=True,
    ),
    "django-ratelimit": Guard("django_ratelimit", limited, refusal=403),
    "django-smart-ratelimit": Guard(
        "django_smart_ratelimit",
        smartly_limited,
        settings={"RATELIMIT_BACKEND": "redis", "RATELIMIT_REDIS": {"url": SERVER}},
        stores=("Valkey",),
    ),
    "DRF throttles": Guard("rest_framework", throttled, apps=["rest_framework"]),
}

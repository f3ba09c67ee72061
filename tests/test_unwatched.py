"""A failure that no policy saw is told once per route, and disturbs nobody."""

import logging
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_login_failed
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from rest_framework.views import APIView

from lockout_decorators import lockout_protect
from lockout_decorators.attempts import unwatched
from tests.sizes import IN_FULL


def verify(request, secret=None):
    user = authenticate(request, username="Mallory", password="guessed")
    return HttpResponse(str(user))


class API(APIView):
    authentication_classes = ()

    def get(self, request):
        return verify(request)


urlpatterns = [
    path("open/<str:secret>/", verify),
    path("api/", include([path("open/", API.as_view())])),
    path("guarded/", lockout_protect(max=100, methods=("GET",))(verify)),
    path("exempt/", lockout_protect(max=100, exempt=lambda request: True)(verify)),
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def told(monkeypatch, caplog):
    """The lines that were logged."""
    monkeypatch.setattr(unwatched, "_told", {})
    caplog.set_level(logging.WARNING, "lockout_decorators")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "lockout_decorators"]


def line(where):
    return f"a guess failed {where}, and no policy saw it; see `manage.py lockout doors`"


def test_each_route_is_told_once(client, told):
    """By its pattern, so without what stands in the address, whose account it was, and what was guessed."""
    for secret in ("a", "b", "c"):
        client.get(f"/open/{secret}/")
    assert [line("at the route 'open/<str:secret>/'")] == told()
    client.get("/api/open/")
    assert [line("at the route 'api/open/'")] == told()[1:]


def test_what_a_policy_watches_is_not_told(client, rf, told, settings):
    """Nor what it has let through, nor while all is switched off."""
    client.get("/guarded/")
    client.get("/exempt/")
    settings.LOCKOUT_ENABLED = False
    client.get("/guarded/")
    client.get("/open/a/")
    settings.LOCKOUT_ENABLED = "no"  # the view would be told of that; nobody is here
    assert authenticate(rf.get("/"), username="bob", password="wrong") is None
    assert [] == told()


def test_without_a_view_it_is_told_once(rf, told):
    """As from a middleware, or where `authenticate()` got no request."""
    for request in (None, rf.get("/"), None):
        authenticate(request, username="bob", password="wrong")
    assert [line("at no known route")] == told()


class Odd:
    """What fails over any attribute."""

    def __getattribute__(self, name):
        raise RuntimeError


@pytest.mark.parametrize("make", [object, dict, int, str, Odd, HttpResponse])
def test_odd_requests_break_nothing(make, told):
    """Other people's signals may carry anything."""
    user_login_failed.send("somebody", credentials={}, request=make())
    assert [line("at no known route")] == told()


def test_odd_routes_break_nothing(rf, told):
    """Whatever stands where a match belongs; and a setting that is wrong is told by others."""
    for match in (SimpleNamespace(route=7), SimpleNamespace(route=[]), object(), Odd(), HttpResponse()):
        request = rf.get("/")
        request.resolver_match = match
        user_login_failed.send("somebody", credentials={}, request=request)
    assert [line("at no known route")] == told()


def test_memory_is_bounded(rf, told, monkeypatch):
    """However many routes somebody makes up."""
    monkeypatch.setattr(unwatched, "MOST", 3)
    for number in range(5):
        request = rf.get("/")
        request.resolver_match = SimpleNamespace(route=f"{number}/")
        user_login_failed.send("somebody", credentials={}, request=request)
    assert (3, 3) == (len(told()), len(unwatched._told))


def test_one_of_many_threads_tells(told):
    """Those that fail at the same moment."""
    with ThreadPoolExecutor(16) as pool:
        [*pool.map(lambda number: Client().get(f"/open/{number}/"), range(64 if IN_FULL else 24))]
    assert 1 == len(told())

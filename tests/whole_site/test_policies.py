"""The setting of the whole site: what it may be, and who sees it."""

from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from lockout_decorators import LockoutPolicy, presets, reset_attempts
from lockout_decorators.doors.urlconf import find_doors
from lockout_decorators.management.report.doors import doors
from lockout_decorators.middleware import LockoutMiddleware
from lockout_decorators.policy import site_policies
from lockout_decorators.terms.registry import registered
from lockout_decorators.terms.terms import DERIVED
from tests.whole_site.middlewares import OURS
from tests.whole_site.views import plain

LOOSE, TIGHT = LockoutPolicy(scope="loose", key="ip", max=9), LockoutPolicy(scope="tight", key="ip+username", max=2)
BOTH, NO, TO_BE_NAMED = [LOOSE, TIGHT], [], (LockoutPolicy(scope=DERIVED, key="username", max=7),)


SITES = [
    ({}, ["site"]),
    ({"scope": "all", "key": "ip+username"}, ["all"]),
    (f"{__name__}.LOOSE", ["loose"]),
    (f"{__name__}.BOTH", ["loose", "tight"]),
    (f"{__name__}.TO_BE_NAMED", ["site"]),
    ("lockout_decorators.presets.LOGIN", ["site"] * len(presets.LOGIN)),
]
NONE = [None, 5, "", "no.where", "tests.whole_site.views.plain", "tests.whole_site.views.urlpatterns"]
NONE += [{"max": 0}, {"most": 5}, {1: 2}, f"{__name__}.NO"]


@pytest.mark.parametrize(("value", "scopes"), SITES, ids=range(len(SITES)))
def test_policies_of_the_site(value, scopes, settings):
    """Arguments of one, or the path of one or of several; without a scope it is that of the site."""
    settings.LOCKOUT_SITE = value
    assert scopes == [policy.scope for policy in site_policies()]


def test_several_policies_of_the_site(guess, settings, verified):
    """Both count; the tighter one refuses."""
    settings.LOCKOUT_SITE = f"{__name__}.BOTH"
    assert [200, 200, 429] == [guess("plain", password)[0] for password in ("wrong", "wrong", "right")]
    assert 2 == len(verified)


@pytest.mark.parametrize(
    ("value", "told"),
    [*[(value, r"LOCKOUT_SITE is .* it must be") for value in NONE], ({"failure": 401}, "failure= is for views")],
)
def test_wrong_policies_stop_the_server(value, told, settings):
    """It says what came, and what is allowed; a verdict of a response is for views: it would look early everywhere."""
    settings.LOCKOUT_SITE = value
    with pytest.raises(ImproperlyConfigured, match=told):
        LockoutMiddleware(plain)


def unlock(request):
    call_command("lockout", "unlock", "--ip", "192.0.2.7", stdout=StringIO())


@pytest.mark.parametrize("value", [{}, {"max": 3}])
@pytest.mark.parametrize("reset", [reset_attempts, unlock])
def test_reset_where_no_middleware_was_loaded(reset, value, settings, rf):
    """By a process that serves no requests: by code, and by the command."""
    settings.LOCKOUT_SITE = value
    stranger = LockoutPolicy(scope="site", key="ip", **value)
    with stranger.attempt(request := rf.post("/", REMOTE_ADDR="192.0.2.7")):
        pass
    registered.clear()
    reset(request)
    assert 0 == stranger.status(request).failures


@pytest.mark.parametrize(("middleware", "state"), [([], "open"), ([OURS], "guarded")])
def test_doors_of_the_site_are_guarded(middleware, state, settings):
    """Those whose secrets `authenticate()` verifies; a decorated one has its own policy."""
    settings.MIDDLEWARE = middleware
    found = {route: door for door in find_doors() for route in door.routes}
    assert [state] * 4 == [found[route].state for route in ("form/", "plain/", "api/", "admin/login/")]
    assert ["site (ip)"] * (state == "guarded") == found["form/"].guards
    assert ["own (ip)"] == found["own/"].guards


@pytest.mark.parametrize("value", [BOTH, {}])
def test_report_has_the_site_as_one_door(value, settings):
    """Its policies are met together."""
    settings.LOCKOUT_SITE = value and f"{__name__}.BOTH"
    assert [site_policies()] == [door.policies for door in doors() if {*door.policies} & {*site_policies()}]
    settings.LOCKOUT_SITE, settings.MIDDLEWARE = {}, []
    registered.clear()
    assert "site" not in [door.name for door in doors()]


def test_without_a_site_there_is_nothing_to_reset(settings, rf):
    settings.LOCKOUT_SITE, settings.MIDDLEWARE = {}, []
    reset_attempts(rf.post("/"))
    assert {} == registered

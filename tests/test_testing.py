"""What projects test with: every test has an empty record, and clients are locked out by real guesses."""

import re
import unittest
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory, SimpleTestCase
from django.urls import path
from django.views import View

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, presets
from lockout_decorators.contrib.testing import alock_out, fresh_record, lock_out
from lockout_decorators.contrib.unittest import LockoutTestMixin
from lockout_decorators.support.numbers import numbers, total
from tests.doors import FORM, RIGHT, acheck, check

pytest_plugins = ["pytester"]
PAGE = Path(__file__).parent.parent / "docs/howto/testing.md"

codes = LockoutPolicy(scope="codes of the tests", key="user", max=3, window=60, rolling=True, lockout=0)
asks = LockoutPolicy(scope="asks", max=4, challenge_after=2, challenge=lambda request: False)
known = lockout_protect(scope="known", key="username", known_browsers=timedelta(days=1))(check)


def code(request):
    with codes.attempt(request) as attempt:
        attempt.succeed()
    return HttpResponse("welcome")


class Handled(View):
    @lockout_protect(max=3)
    def post(self, request):
        return check(request)


VIEWS = {
    "ip": lockout_protect(scope="ip", key="ip")(check),
    "async": lockout_protect(scope="async", key="ip+username")(acheck),
    "ua": lockout_protect(scope="ua", key="ip+ua")(check),
    "login": lockout_protect(*presets.LOGIN)(check),
    "computed": lockout_protect(scope="computed", key="username", username=lambda _, got: got["username"] * 2)(check),
    "handler": Handled.as_view(),
    "inside": code,
    "open": check,
    "known": known,
}
urlpatterns = [path(f"{name}/", view) for name, view in VIEWS.items()]


@pytest.fixture(autouse=True)
def urls(settings):
    settings.ROOT_URLCONF = __name__


@pytest.mark.parametrize("name", ["ip", "async", "ua", "login", "computed", "handler"])
def test_a_locked_client_is_refused_and_others_are_not(name, client, frozen, verified):
    """By the path of a view; the right password is not verified."""
    headers = {"user-agent": "curl"}
    status = lock_out(f"/{name}/", client, "bob", headers=headers, REMOTE_ADDR="192.0.2.1")
    refused = client.post(f"/{name}/", RIGHT, headers=headers, REMOTE_ADDR="192.0.2.1")
    assert (429, str(status.retry_after)) == (refused.status_code, refused["Retry-After"])
    assert [] == verified
    assert 200 == client.post(f"/{name}/", {"username": "eve", "password": "eves"}, REMOTE_ADDR="192.0.2.2").status_code


def test_a_session_and_its_user_are_the_clients(db):
    """Somebody else, who is signed in at the same address, is not locked out."""
    bob, eve = [User.objects.create(pk=number, username=name) for number, name in ((1, "bob"), (2, "eve"))]
    clients = Client(), Client()
    for client, user in zip(clients, (bob, eve), strict=True):
        client.force_login(user)
    with pytest.raises(ValueError, match="no policy guards"):
        lock_out("/open/", clients[0])
    assert not lock_out("/inside/", clients[0]).locked  # which has no lock, but refuses
    assert codes.status(RequestFactory().get("/")).retry_after is None
    with pytest.raises(LockedOut):  # nobody answers
        clients[0].post("/inside/")
    assert 200 == clients[1].post("/inside/").status_code


@pytest.mark.parametrize("key", ["session", "header:X-Key", "ip+ua"])
def test_policies_and_requests(key):
    """One policy, several; a request instead of a client, and a client without a session."""
    policies = [LockoutPolicy(scope="one", key=key, max=3), LockoutPolicy(scope="other", key="ip", max=4, lockout=None)]
    request = RequestFactory().post("/", FORM, headers={"x-key": "a"})
    assert "one" == lock_out(policies[0], request).scope
    assert "other" == lock_out(policies, Client(headers={"x-key": "a"})).scope  # the longest
    assert all(policy.status(request).locked for policy in policies)


def test_the_sites_policies(client, settings, verified):
    """Of a view that nobody has decorated."""
    settings.MIDDLEWARE = ["lockout_decorators.middleware.LockoutMiddleware", *settings.MIDDLEWARE]
    settings.LOCKOUT_SITE = {"key": "ip+username"}
    lock_out(check, client, "bob")
    assert (429, []) == (client.post("/open/", RIGHT).status_code, verified)


async def test_an_asynchronous_client(verified):
    """And the twin."""
    client = AsyncClient()
    assert (await alock_out("/async/", client, "bob")).locked
    assert (429, []) == ((await client.post("/async/", RIGHT)).status_code, verified)


def test_a_challenge_keeps_nobody_from_being_locked_out():
    """Whoever is locked out has solved it."""
    request = RequestFactory().post("/")
    assert (4, False) == ((status := lock_out(asks, request)).failures, status.challenge)
    assert asks.status(RequestFactory().post("/")).locked


def test_strangers_are_locked_out_and_a_known_browser_is_not(client, verified):
    """Which lock_out() says, if it is given one."""
    assert 200 == client.post("/known/", RIGHT).status_code
    lock_out(known, Client(), "bob")
    assert [429, 200] == [one.post("/known/", RIGHT).status_code for one in (Client(), client)]
    with pytest.raises(AssertionError, match="its browser is known"):
        lock_out(known, client, "bob")


def test_what_can_not_be(client, settings):
    """A name that is needed, and clients that nobody refuses."""
    with pytest.raises(ValueError, match="pass username="):
        lock_out("/known/", client)
    with pytest.raises(AssertionError, match="no policy is enforced"):
        lock_out(LockoutPolicy(scope="trial", enforce=False), client)
    settings.LOCKOUT_ENABLED = False
    with pytest.raises(AssertionError, match="LOCKOUT_ENABLED is off"):
        lock_out("/ip/", client)


def test_the_mixin():
    """Each of its tests starts afresh; behind a test case it would do nothing, and says so."""

    class Tests(LockoutTestMixin, SimpleTestCase):
        def test_one(self):
            assert 200 == self.client.post("/ip/", RIGHT).status_code
            self.lock_out("/ip/")
            assert 429 == self.client.post("/ip/", RIGHT).status_code

        test_other = test_one

    unittest.defaultTestLoader.loadTestsFromTestCase(Tests).run(result := unittest.TestResult())
    assert (2, []) == (result.testsRun, result.failures + result.errors)
    with pytest.raises(TypeError, match="must come before the test case"):
        type("Tests", (SimpleTestCase, LockoutTestMixin), {})


def test_a_fresh_record_hides_the_others_and_clears_nothing(client):
    """Neither what was counted before nor the project's own entries."""
    cache.set("own", 1)
    lock_out("/ip/", client)
    with fresh_record():
        assert 200 == client.post("/ip/", RIGHT).status_code
        lock_out("/ip/", client)
    with fresh_record():
        assert 200 == client.post("/ip/", RIGHT).status_code
    assert (429, 1) == (client.post("/ip/", RIGHT).status_code, cache.get("own"))


def test_a_fresh_record_has_numbers_of_its_own(rf, settings):
    """What one test has counted, and not written yet, is in no other's charts."""
    settings.LOCKOUT_JOURNAL = True
    policy, request = LockoutPolicy(scope="s", key="ip", max=1), rf.post("/")
    with policy.attempt(request):  # a lock, which waits for the next failure
        pass
    with fresh_record():
        assert (0, 0, 0) == total(numbers()[0].day)
        with policy.attempt(request):
            pass
    assert (1, 1, 0) == total(numbers()[0].day)


PROJECT = """
from tests.settings import *
SECRET_KEY, ROOT_URLCONF = "a", "project"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "cache"}}
"""
URLS = """
from django.urls import path
from lockout_decorators import lockout_protect
from tests.doors import check
urlpatterns = [path("login/", lockout_protect(key="ip+username", max=5)(check))]
"""
FURTHER = """
from django.core.cache import cache


@pytest.mark.parametrize("found", [None, 1])
def test_own_entries_stay(found, client, bob):
    assert cache.get("own") == found
    cache.set("own", 1)
    lock_three_ways(client, bob)
"""


@pytest.mark.tree
def test_the_page_as_a_project(pytester, monkeypatch):
    """Its tests pass under pytest, with the same names locked out again and again on one cache."""
    conftest, *tests = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others take seconds to import
    pytester.makeini("[pytest]\npythonpath = .\n")
    pytester.makeconftest(conftest)
    pytester.makepyfile(site_settings=PROJECT, project=URLS, test_page="\n".join([*tests, FURTHER]))
    result = pytester.runpytest_subprocess("-p", "pytest_django.plugin", "--ds=site_settings", "--no-migrations", "-q")
    result.assert_outcomes(passed=6)

"""django-allauth: logins by password and by code, through forms and through the headless API."""

import re
from datetime import timedelta

import pytest
from allauth.account import forms, views
from allauth.headless.account import views as headless
from allauth.headless.constants import Client
from django.contrib.auth.models import User
from django.test import RequestFactory
from django.urls import include, path

from lockout_decorators import LockoutPolicy, lockout_protect
from tests.recipes.allauth import passwords
from tests.recipes.visitors import Visitor

pytestmark = pytest.mark.urls("tests.recipes.allauth")


@pytest.fixture(params=["wsgi", "asgi"])
def server(request):
    return request.param


@pytest.fixture(autouse=True)
def backend(settings):
    settings.AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]


@pytest.fixture
def compared(monkeypatch):
    """The login codes that were compared with the one that was sent."""
    codes, compare = [], forms.compare_user_code

    def counted(*, actual, expected):
        codes.append(actual)
        return compare(actual=actual, expected=expected)

    monkeypatch.setattr(forms, "compare_user_code", counted)
    return codes


def form_login(visitor, password):
    return visitor.post("/accounts/login/", {"login": "bob", "password": password}, headers={"Accept": "text/html"})


def app_login(visitor, password):
    return visitor.send("/_allauth/app/v1/auth/login", {"username": "bob", "password": password})


def browser_login(visitor, password):
    return visitor.send("/_allauth/browser/v1/auth/login", {"username": "bob", "password": password})


LOGINS = {"form": (form_login, 200, 302), "app": (app_login, 400, 200), "browser": (browser_login, 400, 200)}


@pytest.mark.parametrize(("login", "failed", "passed"), LOGINS.values(), ids=LOGINS)
def test_passwords(server, bob, verified, login, failed, passed):
    """Five wrong passwords, then the right one is refused; from another address bob signs in."""
    guesser = Visitor(server)
    assert [failed] * 5 == [login(guesser, "wrong").status_code for _ in range(5)]
    refused = login(guesser, "right")
    assert (429, ["wrong"] * 5) == (refused.status_code, verified)
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert passed == login(Visitor(server, "192.0.2.2"), "right").status_code


KNOWN = LockoutPolicy(scope="known", key="username", ceiling=None, max=3, known_browsers=timedelta(days=90))
urlpatterns = [
    path("accounts/login/", lockout_protect(KNOWN)(views.LoginView.as_view())),
    *(
        path(f"_allauth/{one.value}/v1/auth/login", lockout_protect(KNOWN)(headless.LoginView.as_api_view(client=one)))
        for one in Client
    ),
    path("", include("tests.recipes.allauth")),
]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(("login", "failed", "passed"), LOGINS.values(), ids=LOGINS)
def test_known_browsers(server, bob, verified, login, failed, passed):
    """While strangers have locked the account, the browser that has signed in to it does so again, and no other."""
    owner = Visitor(server)
    assert passed == login(owner, "right").status_code
    owner.client.cookies.pop("sessionid", None)
    strangers = [Visitor(server, f"198.51.100.{number}") for number in range(5)]
    assert [failed] * 3 + [429] * 2 == [login(stranger, "wrong").status_code for stranger in strangers]
    assert [429, passed] == [login(visitor, "right").status_code for visitor in (Visitor(server), owner)]
    assert ["right", *["wrong"] * 3, "right"] == verified


def test_answers(bob):
    """A browser gets a page, the headless API a JSON object with the status, as in allauth's own errors."""
    for _ in range(5):
        form_login(Visitor(), "wrong")
    assert "<h1>" in form_login(Visitor(), "right").text
    assert [429, 429] == [login(Visitor(), "right").json()["status"] for login in (app_login, browser_login)]


def test_reauthentication(bob, verified):
    """Who has bob's session guesses at his password in the same five tries."""
    thief, again = Visitor(), "/_allauth/browser/v1/auth/reauthenticate"
    browser_login(thief, "right")
    assert [400] * 3 == [thief.send(again, {"password": "wrong"}).status_code for _ in range(3)]
    assert [200] * 2 == [thief.post("/accounts/reauthenticate/", {"password": "wrong"}).status_code for _ in range(2)]
    refused = [thief.send(again, {"password": "right"}), thief.post("/accounts/reauthenticate/", {"password": "right"})]
    assert [429, 429] == [response.status_code for response in refused]
    assert ["right"] + ["wrong"] * 5 == verified


def test_beside_the_rate_limits_of_allauth(bob, verified, settings):
    """With allauth's own limit of five in place it answers first, nothing is counted twice, and our lock holds."""
    settings.ACCOUNT_RATE_LIMITS = {}  # the defaults
    assert [200] * 4 == [form_login(Visitor(), "wrong").status_code for _ in range(4)]
    request = RequestFactory().post("/", REMOTE_ADDR="192.0.2.1")
    assert 4 == passwords[0].status(request, "bob").failures
    form_login(Visitor(), "wrong")
    assert "Too many failed login attempts" in form_login(Visitor(), "right").text
    assert (True, ["wrong"] * 5) == (passwords[0].status(request, "bob").locked, verified)
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": None}
    assert 429 == form_login(Visitor(), "right").status_code
    assert ["wrong"] * 5 == verified


def request_code(visitor, client, email="bob@example.org"):
    """A code by e-mail; gives what sends a guess at it."""
    if client == "form":
        visitor.post("/accounts/login/code/", {"email": email})
        return lambda code: visitor.post("/accounts/login/code/confirm/", {"code": code})
    asked = visitor.send(f"/_allauth/{client}/v1/auth/code/request", {"email": email}).json()
    session = {"X-Session-Token": asked["meta"]["session_token"]} if client == "app" else {}
    return lambda code: visitor.send(f"/_allauth/{client}/v1/auth/code/confirm", {"code": code}, **session)


def sent(mailoutbox):
    return re.search(r"^\w{4}-\w{4}$", mailoutbox[-1].body, re.MULTILINE)[0]


@pytest.mark.parametrize("client", LOGINS)
def test_login_codes(server, bob, compared, mailoutbox, client):
    """Five wrong codes, of two that were sent, then the right one is refused; elsewhere bob signs in with his."""
    for number in range(5):
        if number % 3 == 0:  # allauth takes three tries at a code
            guess = request_code(Visitor(server), client)
        guess("wrong")
    refused = guess(sent(mailoutbox))
    assert (429, ["wrong"] * 5) == (refused.status_code, compared)
    assert refused.headers["Retry-After"]
    guess = request_code(Visitor(server, "192.0.2.2"), client)
    assert guess(sent(mailoutbox)).status_code in (200, 302)
    assert 6 == len(compared)


def test_right_codes(db, compared, mailoutbox):
    """Right codes are not counted: a whole office signs in from one address."""
    for number in range(6):
        User.objects.create_user(f"user{number}", f"user{number}@example.org")
        guess = request_code(Visitor(), "browser", f"user{number}@example.org")
        assert 200 == guess(sent(mailoutbox)).status_code
    assert 6 == len(compared)

"""The second step of allauth's MFA, for an attacker who knows the password."""

import time

import pytest
from allauth.mfa.totp.internal import auth
from django.contrib.auth.models import User
from django.test import RequestFactory

import tests.recipes.allauth  # noqa: F401  # the first step is protected too
from tests.recipes.mfa import second_step
from tests.recipes.visitors import Visitor

DAY = 86_400

pytestmark = pytest.mark.urls("tests.recipes.mfa")


@pytest.fixture(params=["wsgi", "asgi"])
def server(request):
    return request.param


@pytest.fixture
def checked(monkeypatch):
    """The codes that were verified."""
    codes, validate = [], auth.validate_totp_code

    def counted(secret, code):
        codes.append(code)
        return validate(secret, code)

    monkeypatch.setattr(auth, "validate_totp_code", counted)
    return codes


def enrol(user):
    """Gives the user a second factor; returns what tells its code."""
    secret = auth.generate_totp_secret()
    auth.TOTP.activate(user, secret)
    return lambda: auth.format_hotp_value(auth.hotp_value(secret, int(time.time()) // 30))


def by_form(visitor, username, code):
    """The right password, and then a code."""
    visitor.post("/accounts/login/", {"login": username, "password": "right"})
    return visitor.post("/accounts/2fa/authenticate/", {"code": code}, headers={"Accept": "text/html"})


def by_app(visitor, username, code):
    login = visitor.send("/_allauth/app/v1/auth/login", {"username": username, "password": "right"}).json()
    token = {"X-Session-Token": login["meta"]["session_token"]}
    return visitor.send("/_allauth/app/v1/auth/2fa/authenticate", {"code": code}, **token)


def by_browser(visitor, username, code):
    visitor.send("/_allauth/browser/v1/auth/login", {"username": username, "password": "right"})
    return visitor.send("/_allauth/browser/v1/auth/2fa/authenticate", {"code": code})


WAYS = {"form": (by_form, 200, 302), "app": (by_app, 400, 200), "browser": (by_browser, 400, 200)}


@pytest.mark.parametrize(("sign_in", "failed", "passed"), WAYS.values(), ids=WAYS)
def test_codes(server, bob, checked, verified, sign_in, failed, passed):
    """However often the password is right, from wherever: five codes, then the right one is refused."""
    code = enrol(bob)
    wrong = [sign_in(Visitor(server, f"192.0.2.{number}"), "bob", "0").status_code for number in range(5)]
    assert [failed] * 5 == wrong
    refused = sign_in(Visitor(server, "192.0.2.5"), "bob", code())
    assert (429, ["0"] * 5, ["right"] * 6) == (refused.status_code, checked, verified)
    assert 0 < int(refused.headers["Retry-After"]) <= DAY
    eve = enrol(User.objects.create_user("eve", password="right"))
    assert passed == sign_in(Visitor(server), "eve", eve()).status_code


def test_ways_together(bob, checked):
    """All ways in count together."""
    enrol(bob)
    for number in range(6):
        (by_form, by_app, by_browser)[number % 3](Visitor(), "bob", "0")
    assert ["0"] * 5 == checked


def test_mistakes(bob, checked):
    """The right code forgives the mistakes before it."""
    code = enrol(bob)
    for _ in range(4):
        by_form(Visitor(), "bob", "0")
    assert 302 == by_form(Visitor(), "bob", code()).status_code
    assert 0 == second_step.status(RequestFactory().get("/"), "bob").failures
    assert 5 == len(checked)

"""django-two-factor-auth: passwords, and the second step for an attacker who knows the password."""

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.recipes.two_factor import second_step
from tests.recipes.visitors import Visitor

DAY = 86_400

pytestmark = pytest.mark.urls("tests.recipes.two_factor")


@pytest.fixture(params=["wsgi", "asgi"])
def server(request):
    return request.param


@pytest.fixture(autouse=True)
def unthrottled(settings):
    """Without the pauses that each device makes by itself."""
    settings.OTP_TOTP_THROTTLE_FACTOR = settings.OTP_STATIC_THROTTLE_FACTOR = 0


@pytest.fixture
def checked(monkeypatch):
    """The codes that were verified."""
    codes = []
    for device in (TOTPDevice, StaticDevice):
        verify = device.verify_token

        def counted(self, token, verify=verify):
            codes.append(token)
            return verify(self, token)

        monkeypatch.setattr(device, "verify_token", counted)
    return codes


@pytest.fixture
def code(bob):
    """The code of bob's device."""
    device = TOTPDevice.objects.create(user=bob, name="default", key="00" * 20)
    return f"{totp(device.bin_key, t0=int(device.t0)):06}"


def send(visitor, step, **fields):
    data = {f"{step}-{name}": value for name, value in fields.items()}
    return visitor.post("/account/login/", {**data, "login-current_step": step}, headers={"Accept": "text/html"})


def first_step(visitor, password="right", username="bob"):
    return send(visitor, "auth", username=username, password=password)


def test_passwords(server, bob, verified):
    """Five wrong passwords, then the right one is refused; from another address bob signs in."""
    guesser = Visitor(server)
    assert [200] * 5 == [first_step(guesser, "wrong").status_code for _ in range(5)]
    refused = first_step(guesser)
    assert (429, ["wrong"] * 5) == (refused.status_code, verified)
    assert "<h1>" in refused.text
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert 302 == first_step(Visitor(server, "192.0.2.2")).status_code


@pytest.mark.parametrize("step", ["token", "backup"])
def test_codes(server, bob, code, checked, verified, step):
    """However often the password is right, from wherever: five codes, then the right one is refused."""
    StaticDevice.objects.create(user=bob, name="backup").token_set.create(token="a spare one")
    for number in range(5):
        guesser = Visitor(server, f"192.0.2.{number}")
        first_step(guesser)
        assert 200 == send(guesser, step, otp_token="000000").status_code
    first_step(guesser)
    refused = send(guesser, step, otp_token={"token": code, "backup": "a spare one"}[step])
    assert (429, ["000000"] * 5, ["right"] * 6) == (refused.status_code, checked, verified)
    assert 0 < int(refused.headers["Retry-After"]) <= DAY


def test_mistakes(bob, code, checked):
    """The right code forgives the mistakes before it, and what sends no code is no guess."""
    visitor = Visitor()
    first_step(visitor)
    for _ in range(4):
        send(visitor, "token", otp_token="000000")
    for _ in range(9):
        send(visitor, "token")
    assert 302 == send(visitor, "token", otp_token=code).status_code
    assert (5, 0) == (len(checked), second_step.status(RequestFactory().get("/"), "bob").failures)


def test_a_session_of_another_account(bob, code, checked):
    """Who is signed in as somebody else has no more tries at bob's codes."""
    User.objects.create_user("eve", password="right")
    guesser = Visitor()
    assert 302 == first_step(guesser, username="eve").status_code
    first_step(guesser)
    for _ in range(5):
        send(guesser, "token", otp_token="000000")
    assert 429 == send(guesser, "token", otp_token=code).status_code
    assert ["000000"] * 5 == checked

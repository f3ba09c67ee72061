"""dj-rest-auth: login, password change, and the link of a password reset."""

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from dj_rest_auth.views import PasswordChangeView
from django.contrib.auth.models import User
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token

from tests.recipes.visitors import Visitor

WRONG = {"username": "bob", "password": "wrong"}
RIGHT = {"username": "bob", "password": "right"}
LOGIN, CHANGE, CONFIRM = "/auth/login/", "/auth/password/change/", "/auth/password/reset/confirm/"
NEW = {"new_password1": "a new one", "new_password2": "a new one"}

pytestmark = pytest.mark.urls("tests.recipes.dj_rest_auth")


@pytest.fixture(autouse=True)
def tokens(monkeypatch):
    monkeypatch.setattr(PasswordChangeView, "authentication_classes", [TokenAuthentication])  # read from the settings


@pytest.fixture(params=["wsgi", "asgi"])
def server(request):
    return request.param


def change(visitor, user, old):
    key = Token.objects.get_or_create(user=user)[0].key
    return visitor.send(CHANGE, {**NEW, "old_password": old}, Authorization=f"Token {key}")


def test_login(server, bob, verified):
    """Five wrong passwords, then the right one is refused with DRF's body; from another address bob signs in."""
    guesser = Visitor(server)
    assert [400] * 5 == [guesser.send(LOGIN, WRONG).status_code for _ in range(5)]
    refused = guesser.send(LOGIN, RIGHT)
    assert (429, ["wrong"] * 5, ["detail"]) == (refused.status_code, verified, list(refused.json()))
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert ["key"] == list(Visitor(server, "192.0.2.2").send(LOGIN, RIGHT).json())


def test_old_password(server, bob, verified):
    """Who has bob's token, at any address, has five tries at his password; another user changes his."""
    guesses = [change(Visitor(server, f"192.0.2.{number}"), bob, "wrong") for number in range(5)]
    assert [400] * 5 == [guess.status_code for guess in guesses]
    refused = change(Visitor(server, "192.0.2.5"), bob, "right")
    assert (429, ["wrong"] * 5, ["detail"]) == (refused.status_code, verified, list(refused.json()))
    assert refused.headers["Retry-After"]
    eve = User.objects.create_user("eve", password="right")
    assert 200 == change(Visitor(server), eve, "right").status_code


def test_old_password_without_the_slash(bob, verified):
    """The package takes the address without it, too: the same five tries."""
    key = Token.objects.get_or_create(user=bob)[0].key
    for old in ["wrong"] * 6 + ["right"]:
        Visitor().send(CHANGE.removesuffix("/"), {**NEW, "old_password": old}, Authorization=f"Token {key}")
    assert ["wrong"] * 5 == verified


def test_a_changed_password(bob, verified):
    """The right old password forgives the mistakes before it."""
    for _ in range(3):
        assert [400, 400, 400, 400] == [change(Visitor(), bob, "wrong").status_code for _ in range(4)]
        assert 200 == change(Visitor(), bob, "right").status_code
        bob.set_password("right")
        bob.save()
    assert 15 == len(verified)


def test_reset_links(server, bob, monkeypatch):
    """Five wrong tokens, then the right one is refused and not looked at; from another address it is good."""
    checked, check = [], type(default_token_generator).check_token
    monkeypatch.setattr(
        type(default_token_generator), "check_token", lambda *given: checked.append(given[-1]) or check(*given)
    )
    token = default_token_generator.make_token(bob)
    link = {**NEW, "uid": user_pk_to_url_str(bob)}
    guesser = Visitor(server)
    assert 400 == guesser.send(CONFIRM, {**link, "token": token, "new_password2": "another"}).status_code
    assert [400] * 5 == [guesser.send(CONFIRM, {**link, "token": "wrong"}).status_code for _ in range(5)]
    refused = guesser.send(CONFIRM, {**link, "token": token})
    assert (429, [token] + ["wrong"] * 5, ["detail"]) == (refused.status_code, checked, list(refused.json()))
    assert 200 == Visitor(server, "192.0.2.2").send(CONFIRM, {**link, "token": token}).status_code

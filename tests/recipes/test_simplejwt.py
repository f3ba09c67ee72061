"""djangorestframework-simplejwt: passwords, and refresh tokens."""

import pytest
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.tokens import RefreshToken

from tests.recipes.visitors import Visitor

WRONG = {"username": "bob", "password": "wrong"}
RIGHT = {"username": "bob", "password": "right"}

pytestmark = pytest.mark.urls("tests.recipes.simplejwt")


@pytest.fixture(params=["wsgi", "asgi"])
def server(request):
    return request.param


@pytest.fixture
def decoded(monkeypatch):
    """The tokens whose signature was verified."""
    tokens, decode = [], TokenBackend.decode

    def counted(self, token, verify=True):
        tokens.append(token)
        return decode(self, token, verify)

    monkeypatch.setattr(TokenBackend, "decode", counted)
    return tokens


def test_passwords(server, bob, verified):
    """Five wrong passwords, then the right one is refused with DRF's body; from another address it gets its tokens."""
    guesser = Visitor(server)
    assert [401] * 5 == [guesser.send("/token/", WRONG).status_code for _ in range(5)]
    refused = guesser.send("/token/", RIGHT)
    assert (429, ["wrong"] * 5) == (refused.status_code, verified)
    assert ["detail"] == list(refused.json())
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert {"access", "refresh"} == set(Visitor(server, "192.0.2.2").send("/token/", RIGHT).json())


def test_refresh_tokens(server, bob, decoded):
    """Twenty rejected tokens, then a good one is refused and not looked at; from another address it is renewed."""
    guesser, good = Visitor(server), {"refresh": str(RefreshToken.for_user(bob))}
    forged = [{"refresh": good["refresh"][:-9] + f"{number:09}"} for number in range(20)]
    assert [401] * 20 == [guesser.send("/token/refresh/", token).status_code for token in forged]
    refused = guesser.send("/token/refresh/", good)
    assert (429, 20) == (refused.status_code, len(decoded))
    assert "detail" in refused.json()
    assert refused.headers["Retry-After"]
    assert {"access"} == set(Visitor(server, "192.0.2.2").send("/token/refresh/", good).json())


def test_forged_tokens(db, django_assert_num_queries):
    """A token that is not signed is rejected without a look at the database."""
    with django_assert_num_queries(0):
        assert 401 == Visitor().send("/token/refresh/", {"refresh": "a.b.c"}).status_code


def test_no_guesses(bob, decoded):
    """Good refresh tokens, and requests without one, are not counted."""
    visitor, good = Visitor(), {"refresh": str(RefreshToken.for_user(bob))}
    assert [400] * 25 == [visitor.send("/token/refresh/", {}).status_code for _ in range(25)]
    assert [200] * 25 == [visitor.send("/token/refresh/", good).status_code for _ in range(25)]
    assert 25 == len(decoded)

"""What docs/recipes/oidc.md says."""

from urllib.parse import parse_qs, urlsplit

import pytest
from requests.exceptions import HTTPError

from tests.recipes import provider
from tests.recipes.provider import Provider

pytestmark = [pytest.mark.urls("tests.recipes.oidc"), pytest.mark.django_db]


@pytest.fixture(autouse=True)
def asked(settings, bob):
    """The codes and tokens that the provider was asked about."""
    with provider.serve() as address:
        settings.AUTHENTICATION_BACKENDS = ["tests.recipes.oidc.Backend"]
        settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{address}/authorize"
        settings.OIDC_OP_TOKEN_ENDPOINT, settings.OIDC_OP_USER_ENDPOINT = f"{address}/token", f"{address}/user"
        settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET = "site", provider.SECRET
        settings.LOGIN_REDIRECT_URL, settings.LOGIN_REDIRECT_URL_FAILURE = "/welcome", "/sorry"
        yield Provider.asked


@pytest.fixture
def come_back(visitor):
    """Somebody is sent to the provider, and comes back with a code."""

    def send(code, address="192.0.2.1"):
        somebody = visitor(address=address)
        away = parse_qs(urlsplit(somebody.get("/oidc/authenticate/")["Location"]).query)
        code += away["nonce"][0] if code == "right" else ""
        return somebody.get("/oidc/callback/", data={"code": code, "state": away["state"][0]})

    return send


@pytest.fixture
def ask(visitor):
    def send(token=None, address="192.0.2.1"):
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return visitor(address=address).get("/account/", headers=headers)

    return send


def test_callback(come_back, asked):
    """Of five wrong codes the provider is asked; then the right one is refused, and only there."""
    assert ["/sorry"] * 5 == [come_back(f"wrong{n}")["Location"] for n in range(5)]
    refused = come_back("right")
    assert (429, "600") == (refused.status_code, refused["Retry-After"])
    assert 5 == len(asked)
    assert "/welcome" == come_back("right", "192.0.2.2")["Location"]


def test_callback_of_a_stranger_is_no_guess(visitor, come_back, asked):
    """Without a sign-on that was begun, or without a code, nothing is asked and nothing counted."""
    assert {302} == {visitor().get("/oidc/callback/", data=data).status_code for data in [{}, {"code": "a"}] * 5}
    assert {302} == {visitor().get("/oidc/callback/", data={"code": "a", "state": "b"}).status_code for _ in range(10)}
    assert [] == asked
    assert "/welcome" == come_back("right")["Location"]


def test_provider_that_is_down_locks_nobody(come_back, asked, monkeypatch, settings):
    """Each such guess keeps its slot, whatever it was, until the window ends."""
    with monkeypatch.context() as patch:
        patch.setattr(Provider, "down", True)
        for _ in range(4):
            with pytest.raises(HTTPError):
                come_back("right")
    assert "/welcome" == come_back("right")["Location"]
    assert 4 + 2 == len(asked)


def test_access_token(ask, asked):
    """Of twenty wrong ones the provider is asked; requests without one are not counted."""
    assert [401] * 30 == [ask().status_code for _ in range(30)]
    assert [200] * 30 == [ask("right").status_code for _ in range(30)]
    asked.clear()
    assert [401] * 20 == [ask(f"wrong{n}").status_code for n in range(20)]
    assert (429, 20) == (ask("right").status_code, len(asked))
    assert {"user": "bob"} == ask("right", "192.0.2.2").json()

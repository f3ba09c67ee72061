"""django-oauth-toolkit: the password grant, and the secrets of applications."""

from base64 import b64encode

import pytest
from oauth2_provider.models import Application

from tests.recipes.visitors import Visitor

pytestmark = [
    pytest.mark.urls("tests.recipes.oauth_toolkit"),
    pytest.mark.filterwarnings("ignore:The OAuth 2.0 resource owner password:DeprecationWarning"),
]


@pytest.fixture(params=["wsgi", "asgi"])
def server(request):
    return request.param


@pytest.fixture
def app(db):
    """A public application, which has no secret, for the password grant."""
    return Application.objects.create(client_id="app", client_type="public", authorization_grant_type="password")


@pytest.fixture
def robot(db):
    """A confidential application, which signs in as itself."""
    grant = {"client_type": "confidential", "authorization_grant_type": "client-credentials"}
    return Application.objects.create(client_id="robot", client_secret="right", **grant)


def password_grant(visitor, password):
    grant = {"grant_type": "password", "client_id": "app", "username": "bob", "password": password}
    return visitor.post("/o/token/", grant)


def by_header(visitor, secret, path="/o/token/"):
    basic = {"Authorization": "Basic " + b64encode(f"robot:{secret}".encode()).decode()}
    return visitor.post(path, {"grant_type": "client_credentials", "token": "a token"}, headers=basic)


def by_body(visitor, secret):
    grant = {"grant_type": "client_credentials", "client_id": "robot", "client_secret": secret}
    return visitor.post("/o/token/", grant)


def test_passwords(server, app, bob, verified):
    """Five wrong passwords, then the right one is refused; from another address it gets a token."""
    guesser = Visitor(server)
    assert [400] * 5 == [password_grant(guesser, "wrong").status_code for _ in range(5)]
    refused = password_grant(guesser, "right")
    assert (429, ["wrong"] * 5) == (refused.status_code, verified)
    assert "temporarily_unavailable" == refused.json()["error"]
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    assert "access_token" in password_grant(Visitor(server, "192.0.2.2"), "right").json()


@pytest.mark.parametrize("ask", [by_header, by_body])
def test_secrets_of_applications(server, robot, verified, ask):
    """Five wrong secrets, then the right one is refused; from another address the application gets a token."""
    guesser = Visitor(server)
    assert [401] * 5 == [ask(guesser, "wrong").status_code for _ in range(5)]
    refused = ask(guesser, "right")
    assert (429, ["wrong"] * 5) == (refused.status_code, verified)
    assert "temporarily_unavailable" == refused.json()["error"]
    assert refused.headers["Retry-After"]
    assert "access_token" in ask(Visitor(server, "192.0.2.2"), "right").json()


def test_three_endpoints(robot, verified):
    """Wrong secrets at the token, revocation and introspection endpoints count together."""
    paths = ["/o/token/", "/o/revoke_token/", "/o/introspect/"]
    for path in (*paths, *paths[:2]):
        by_header(Visitor(), "wrong", path)
    assert [429] * 3 == [by_header(Visitor(), "right", path).status_code for path in paths]
    assert ["wrong"] * 5 == verified


def test_no_guesses(robot, verified):
    """Tokens for the right secret, and requests that present none, are not counted."""
    visitor = Visitor()
    assert [401] * 9 == [visitor.post("/o/token/", {"grant_type": "client_credentials"}).status_code for _ in range(9)]
    assert [200] * 9 == [by_header(visitor, "right").status_code for _ in range(9)]
    assert ["right"] * 9 == verified

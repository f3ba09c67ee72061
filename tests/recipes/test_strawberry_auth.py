"""What docs/recipes/graphql.md says of strawberry-django-auth."""

import pytest

pytestmark = [
    pytest.mark.urls("tests.recipes.strawberry_auth"),
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of strawberry, at the import of that package
]
REFUSED = "Too many failed attempts."


@pytest.fixture
def sign_in(visitor, bob, caplog):
    """strawberry logs each error with the whole query."""
    caplog.set_level("CRITICAL", logger="strawberry.execution")

    def send(path, *passwords, address="192.0.2.1"):
        fields = [
            f'a{n}: tokenAuth(username: "bob", password: "{one}") {{ success }}' for n, one in enumerate(passwords)
        ]
        return visitor(address=address).send(path, {"query": "mutation { " + " ".join(fields) + " }"})

    return send


@pytest.mark.parametrize("path", ["/graphql/", "/whole/"])
def test_token(path, sign_in, verified):
    """Five wrong passwords are verified, the right one only from elsewhere."""
    for number in range(5):
        assert {"a0": {"success": False}} == sign_in(path, f"wrong{number}").json()["data"]
    refused = sign_in(path, "right")
    assert 429 == refused.status_code or REFUSED == refused.json()["errors"][0]["message"]
    assert 5 == len(verified)
    assert {"a0": {"success": True}} == sign_in(path, "right", address="192.0.2.2").json()["data"]


@pytest.mark.parametrize("path", ["/graphql/", "/whole/"])
def test_aliases(path, sign_in, verified):
    """Of thirty guesses in one request five are verified."""
    assert 200 == sign_in(path, *[f"wrong{n}" for n in range(30)]).status_code
    assert 5 == len(verified)

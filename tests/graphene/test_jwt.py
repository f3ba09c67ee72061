"""What docs/recipes/graphql.md says of graphene and its tokens."""

import json

import pytest
from django.test import Client

pytestmark = [pytest.mark.urls("tests.graphene.site"), pytest.mark.django_db]
REFUSED = "Too many failed attempts."


@pytest.fixture(autouse=True)
def bob(django_user_model, caplog):
    """graphene logs each error with a traceback."""
    caplog.set_level("CRITICAL", logger="graphql.execution")
    caplog.set_level("CRITICAL", logger="graphene_django")
    return django_user_model.objects.create_user("bob", password="right")


def ask(path, query, address="192.0.2.1", **headers):
    data = json.dumps({"query": query})
    return Client(REMOTE_ADDR=address).post(path, data, content_type="application/json", headers=headers)


def sign_in(*passwords):
    fields = (f'a{n}: tokenAuth(username: "bob", password: "{one}") {{ token }}' for n, one in enumerate(passwords))
    return "mutation { " + " ".join(fields) + " }"


def errors(answer):
    return [error["message"] for error in answer.json().get("errors", [])]


def token(answer):
    return answer.json()["data"]["a0"]["token"]


def test_mutation(verified):
    """Five wrong passwords are verified; then the right one is a GraphQL error, and only there."""
    for number in range(5):
        assert ["Please enter valid credentials"] == errors(ask("/graphql/", sign_in(f"wrong{number}")))
    assert [REFUSED] == errors(ask("/graphql/", sign_in("right")))
    assert 5 == len(verified)
    given = token(ask("/graphql/", sign_in("right"), "192.0.2.2"))
    assert {"me": "bob"} == ask("/graphql/", "{ me }", authorization=f"JWT {given}").json()["data"]


def test_view(verified):
    """The whole view is refused: 429 with Retry-After."""
    for number in range(5):
        ask("/whole/", sign_in(f"wrong{number}"))
    refused = ask("/whole/", sign_in("right"))
    assert (429, "600", 5) == (refused.status_code, refused["Retry-After"], len(verified))
    assert token(ask("/whole/", sign_in("right"), "192.0.2.2"))


@pytest.mark.parametrize("path", ["/graphql/", "/whole/"])
def test_aliases(path, verified):
    """Of thirty guesses in one request five are verified."""
    assert 25 == errors(ask(path, sign_in(*[f"wrong{n}" for n in range(30)]))).count(REFUSED)
    assert 5 == len(verified)


def test_tokens_at_the_mutation_and_at_the_view():
    """A wrong token is no guess at a mutation; at the whole view each takes a slot until the window ends."""
    right = token(ask("/whole/", sign_in("right")))
    for path, refused in (("/graphql/", 0), ("/whole/", 5)):
        answers = [ask(path, "{ me }", authorization=f"JWT {right}x") for _ in range(10)]
        assert refused == [answer.status_code for answer in answers].count(429)
        assert [[]] * 3 == [errors(ask(path, "{ me }", "192.0.2.2", authorization=f"JWT {right}")) for _ in range(3)]

"""What docs/recipes/graphql.md says."""

import time

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from tests.recipes import graphql

pytestmark = [pytest.mark.urls("tests.recipes.graphql"), pytest.mark.django_db]
MESSAGE = "Too many failed attempts."


@pytest.fixture(autouse=True)
def quiet(caplog):
    """strawberry logs each error with the whole query."""
    caplog.set_level("CRITICAL", logger="strawberry.execution")


@pytest.fixture(params=["graphql", "agraphql"])
def field(request):
    """A protected resolver."""
    return f"/{request.param}/"


@pytest.fixture(params=["whole", "awhole"])
def whole(request):
    """A protected view."""
    return f"/{request.param}/"


@pytest.fixture(params=["graphql", "agraphql", "whole", "awhole"])
def door(request):
    return f"/{request.param}/"


def login(password, username="bob"):
    return f'login(username: "{username}", password: "{password}")'


def mutation(*fields):
    return "mutation { " + " ".join(f"a{number}: {field}" for number, field in enumerate(fields)) + " }"


def send(path, query, address="192.0.2.1"):
    return Client(REMOTE_ADDR=address).post(path, {"query": query}, content_type="application/json")


def errors(answer):
    return [error["message"] for error in answer.json().get("errors", [])]


def test_resolver(field, bob, verified):
    """Five wrong passwords are verified; then the right one is a GraphQL error, and only there."""
    answers = [send(field, mutation(login(f"wrong{n}"))).json() for n in range(5)]
    assert [{"data": {"a0": None}}] * 5 == answers
    refused = send(field, mutation(login("right")))
    assert (200, {"a0": None}, [MESSAGE]) == (refused.status_code, refused.json()["data"], errors(refused))
    assert ["a0"] == refused.json()["errors"][0]["path"]
    assert 5 == len(verified)
    assert {"data": {"a0": "bob"}} == send(field, mutation(login("right")), "192.0.2.2").json()


def test_view(whole, bob, verified):
    """The whole view is refused: 429 with Retry-After, in JSON."""
    assert [200] * 5 == [send(whole, mutation(login(f"wrong{n}"))).status_code for n in range(5)]
    refused = send(whole, mutation(login("right")))
    assert (429, "600", 429) == (refused.status_code, refused["Retry-After"], refused.json()["status"])
    assert 429 == send(whole, "{ greeting }").status_code
    assert 5 == len(verified)
    assert {"data": {"a0": "bob"}} == send(whole, mutation(login("right")), "192.0.2.2").json()


@pytest.fixture
def crowd(bob):
    """A hundred users."""
    User.objects.bulk_create(User(username=f"user{number}", password=bob.password) for number in range(100))


@pytest.mark.parametrize("passwords", [[f"wrong{n}" for n in range(100)], ["wrong"] * 100])
def test_hundred_aliases(passwords, door, bob, verified, monkeypatch):
    """Of a hundred in one request, with one password or as many, five are verified; nobody waits for a slot."""
    for policy in (*graphql.sign_in, graphql.whole):
        monkeypatch.setitem(vars(policy), "patience", 60)
    began = time.monotonic()
    answer = send(door, mutation(*map(login, passwords)))
    assert (200, 5, 95) == (answer.status_code, len(verified), errors(answer).count(MESSAGE))
    assert time.monotonic() - began < 30
    assert (429 if "whole" in door else 200) == send(door, mutation(login("right"))).status_code
    assert 5 == len(verified)


def test_one_password_on_many_accounts(whole, crowd, verified):
    """With `calls=1` each is a guess of its own; where the view is decorated it takes a key without the user name."""
    answer = send(whole, mutation(*[login("wrong", f"user{n}") for n in range(100)]))
    assert (5, 95) == (len(verified), errors(answer).count(MESSAGE))


def test_spread_bounds_many_accounts(field, crowd, verified):
    """One address may fail at ten accounts in all."""
    answer = send(field, mutation(*[login("wrong", f"user{n}") for n in range(100)]))
    assert (10, 90) == (len(verified), errors(answer).count(MESSAGE))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/agraphql/", "/awhole/"])
async def test_async_view_on_an_event_loop(path, settings, django_user_model, verified):
    """As under ASGI."""
    await django_user_model.objects.acreate_user("bob", password="right")

    async def post(*fields):
        return await AsyncClient().post(path, {"query": mutation(*fields)}, content_type="application/json")

    assert {"data": {"a0": "bob"}} == (await post(login("right"))).json()
    answer = await post(*[login(f"wrong{n}") for n in range(20)])
    assert (5 + 1, 15) == (len(verified), errors(answer).count(MESSAGE))
    await post(login("right"))
    assert 6 == len(verified)


def test_success_between_guesses(door, bob, verified):
    """A right password in the same request frees its own slot, and the typos of its own account."""
    answer = send(door, mutation(login("a"), login("b"), login("right"), *[login(f"c{n}") for n in range(10)]))
    assert ("bob", 8, 5) == (answer.json()["data"]["a2"], len(verified), len(errors(answer)))


def test_queries_are_no_guesses(field, bob):
    """A locked client's other fields are answered where the resolver is decorated."""
    for number in range(6):
        send(field, mutation(login(f"wrong{number}")))
    assert {"data": {"greeting": "hello"}} == send(field, "{ greeting }").json()


def test_answer_of_ones_own(bob, verified):
    """What `response=` makes is what the resolver returns: no error, and nothing in strawberry's log."""
    answer = send("/whole/", mutation(login("right"), *[login(f"wrong{n}").replace("login", "told") for n in range(7)]))
    data = answer.json()["data"]
    assert ("bob", "wrong", "Come back in 600 s.", []) == (data["a0"], data["a5"], data["a7"], errors(answer))
    assert 1 + 5 == len(verified)


@pytest.mark.parametrize("schema", [graphql.schema, graphql.aschema])
def test_schema_is_that_of_the_resolver(schema):
    """The decorator is not seen."""
    assert "login(username: String!, password: String!): String" in schema.as_str()

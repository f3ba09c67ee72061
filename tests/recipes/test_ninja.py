"""What docs/recipes/ninja.md says."""

import inspect

import pytest
from django.core.management import call_command
from django.test import AsyncClient, Client

from tests.recipes import ninja
from tests.recipes.hashers import basic

pytestmark = [pytest.mark.urls("tests.recipes.ninja"), pytest.mark.django_db]


@pytest.fixture(autouse=True)
def asked():
    ninja.asked.clear()
    return ninja.asked


def log_in(path, password, address="192.0.2.1", client=None):
    data = {"username": "bob", "password": password}
    sender = {"REMOTE_ADDR": address} if client is None else {"headers": {"X-Forwarded-For": address}}
    return (client or Client()).post(f"/api/{path}", data, content_type="application/json", **sender)


def get(path, address="192.0.2.1", **headers):
    return Client(REMOTE_ADDR=address).get(f"/api/{path}", headers=headers)


@pytest.mark.parametrize("path", ["login", "alogin"])
def test_operation(path, bob, verified):
    """Five wrong passwords are verified; then the right one is refused in JSON, and only there."""
    assert [{"user": None}] * 5 == [log_in(path, f"wrong{n}").json() for n in range(5)]
    refused = log_in(path, "right")
    assert (429, "900", "application/problem+json") == (
        refused.status_code,
        refused["Retry-After"],
        refused["Content-Type"],
    )
    assert "Too many failed attempts." == refused.json()["title"]
    assert 5 == len(verified)
    assert {"user": "bob"} == log_in(path, "right", "192.0.2.2").json()


@pytest.mark.django_db(transaction=True)
async def test_async_operation_under_asgi(settings, django_user_model, verified):
    """As on an event loop."""
    settings.LOCKOUT_TRUSTED_PROXIES = ["127.0.0.1"]
    await django_user_model.objects.acreate_user("bob", password="right")
    answers = [await log_in("alogin", f"wrong{n}", client=AsyncClient()) for n in range(5)]
    assert [200] * 5 == [answer.status_code for answer in answers]
    assert 429 == (await log_in("alogin", "right", client=AsyncClient())).status_code
    assert 5 == len(verified)
    assert {"user": "bob"} == (await log_in("alogin", "right", "192.0.2.2", AsyncClient())).json()


def test_doors_of_one_scope_share_their_counts(bob, verified):
    """Operations, sync and async, and HTTP Basic: five failures in all."""
    for number in range(2):
        log_in("login", f"a{number}")
        log_in("alogin", f"b{number}")
    get("me", authorization=basic("bob", "wrong"))
    assert 5 == len(verified)
    assert [429] * 3 == [
        log_in("login", "right").status_code,
        log_in("alogin", "right").status_code,
        get("me", authorization=basic("bob", "right")).status_code,
    ]
    assert 5 == len(verified)


def test_basic_authentication(bob, verified):
    """Guesses before the operation: a refusal is never taken for a user."""
    assert 401 == get("me").status_code
    assert [401] * 5 == [get("me", authorization=basic("bob", f"wrong{n}")).status_code for n in range(5)]
    refused = get("me", authorization=basic("bob", "right"))
    assert (429, "900") == (refused.status_code, refused["Retry-After"])
    assert {"detail": "Too many failed attempts. Retry after 900 s."} == refused.json()
    assert 5 == len(verified)
    assert {"user": "bob"} == get("me", "192.0.2.2", authorization=basic("bob", "right")).json()


@pytest.mark.parametrize("path", ["by-header", "aby-header"])
def test_authentication_by_a_function(path, bob, verified):
    """With `request=` its refusal is raised, too."""
    assert [401] * 5 == [get(path, x_name="bob", x_password=f"wrong{n}").status_code for n in range(5)]
    refused = get(path, x_name="bob", x_password="right")
    assert (429, "600", 5) == (refused.status_code, refused["Retry-After"], len(verified))
    assert {"user": "bob"} == get(path, "192.0.2.2", x_name="bob", x_password="right").json()


def test_answer_of_ones_own(bob, verified):
    """`response=` may return what an operation returns; ninja makes the response of it."""
    refused = [log_in("own", f"wrong{n}") for n in range(6)][-1]
    assert (429, {"detail": "Come back in 600 s."}) == (refused.status_code, refused.json())
    assert (429, 5) == (log_in("own", "right").status_code, len(verified))


def test_api_key(asked):
    """Twenty wrong keys are looked up, and no absent one; a right key is never counted."""
    assert [401] * 30 == [get("usage").status_code for _ in range(30)]
    assert [200] * 30 == [get("usage", x_api_key="right").status_code for _ in range(30)]
    asked.clear()
    assert [401] * 20 == [get("usage", x_api_key=f"wrong{n}").status_code for n in range(20)]
    refused = get("usage", x_api_key="right")
    assert (429, "600", 20) == (refused.status_code, refused["Retry-After"], len(asked))
    assert {"owner": "bob"} == get("usage", "192.0.2.2", x_api_key="right").json()


def test_locked_for_ever_says_no_time(verified, bob, monkeypatch):
    """A lock without end has no Retry-After."""
    monkeypatch.setitem(vars(ninja.sign_in[0]), "lockout", None)
    for number in range(5):
        get("me", authorization=basic("bob", f"wrong{number}"))
    refused = get("me", authorization=basic("bob", "right"))
    assert (429, False) == (refused.status_code, refused.has_header("Retry-After"))


def test_schema_is_that_of_the_operation():
    """The decorator is not seen: signature, name and OpenAPI are the operation's own."""
    assert ["request", "data"] == list(inspect.signature(ninja.login).parameters)
    schema = ninja.api.get_openapi_schema()
    login = schema["paths"]["/api/login"]["post"]
    assert "#/components/schemas/Credentials" == login["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert "#/components/schemas/Welcome" == login["responses"][200]["content"]["application/json"]["schema"]["$ref"]
    assert ("Login", "tests_recipes_ninja_login") == (login["summary"], login["operationId"])


def test_invalid_body_is_no_guess(bob, verified):
    """ninja refuses it before the operation runs."""
    answer = Client().post("/api/login", {"username": "bob"}, content_type="application/json")
    assert (422, []) == (answer.status_code, verified)


def test_report_names_the_operations(capsys, settings):
    """At their routes, with what they are decorated with."""
    settings.ROOT_URLCONF = "tests.recipes.ninja"
    call_command("lockout", "report")
    section = capsys.readouterr().out.partition("sign in\n")[2].partition("Who can")[0]
    assert "  /api/login\n" in section and "  /api/alogin\n" in section

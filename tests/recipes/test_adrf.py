"""What docs/recipes/drf.md says of adrf."""

import json
from asyncio import gather
from collections import Counter

import pytest
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token

from lockout_decorators.contrib.drf import LockoutAuthentication
from tests.answers import without_code
from tests.recipes import adrf
from tests.recipes.visitors import DistantAsyncClient

# Threads and loops of their own see what is committed.
pytestmark = [pytest.mark.urls("tests.recipes.adrf"), pytest.mark.django_db(transaction=True)]
DETAIL = "Too many failed attempts. Expected available in {} seconds."


@pytest.fixture
def looked_up():
    adrf.looked_up.clear()
    return adrf.looked_up


@pytest.fixture
def right(bob):
    return Token.objects.create(user=bob).key


@pytest.fixture
def ask(visitor):
    """Ask for the account with this token."""

    def send(token=None, address="192.0.2.1"):
        headers = {} if token is None else {"authorization": f"Token {token}"}
        return visitor(address=address).get("/account/", headers=headers)

    return send


def is_refusal(answer, seconds=600):
    expected = 429, f"{seconds}", {"detail": DETAIL.format(seconds)}
    return (answer.status_code, answer["Retry-After"], json.loads(without_code(answer.content))) == expected


def test_coroutine_that_authenticates(ask, right, looked_up):
    """Five wrong tokens are looked up, and the right one then only from elsewhere."""
    assert [401] * 5 == [ask(f"wrong{n}").status_code for n in range(5)]
    assert is_refusal(ask(right))
    assert 5 == len(looked_up)
    assert {"user": "bob"} == ask(right, "192.0.2.2").json()


def test_right_tokens_are_never_counted(ask, right):
    """Nor is a request without one."""
    assert [200] * 10 == [ask(right).status_code for _ in range(10)]
    assert [401] * 10 == [ask().status_code for _ in range(10)]
    assert 200 == ask(right).status_code


async def test_wrong_tokens_at_once(looked_up, django_user_model):
    """On one loop: of twenty five are looked up; twenty right ones at once all pass."""
    user = await django_user_model.objects.acreate_user("bob")
    token = await Token.objects.acreate(user=user)

    async def ask(key, address):
        answer = await DistantAsyncClient(address).get("/account/", headers={"authorization": f"Token {key}"})
        return answer.status_code

    assert {200: 20} == Counter(await gather(*[ask(token.key, "192.0.2.1") for _ in range(20)]))
    looked_up.clear()
    assert {401: 5, 429: 15} == Counter(await gather(*[ask(f"wrong{n}", "192.0.2.1") for n in range(20)]))
    assert 5 == len(looked_up)
    assert [429, 200] == [await ask(token.key, address) for address in ("192.0.2.1", "192.0.2.2")]


@pytest.mark.parametrize(("path", "seconds"), [("/login/", 900), ("/function/", 900), ("/around/", 600)])
def test_coroutine_view(path, seconds, visitor, bob, verified):
    """Class, function, and what stands around as_view(): five are verified, then DRF's own answer."""
    wrong, right = {"username": "bob", "password": "wrong"}, {"username": "bob", "password": "right"}
    here, elsewhere = visitor(), visitor(address="192.0.2.2")
    assert [403] * 5 == [here.send(path, wrong).status_code for _ in range(5)]
    assert is_refusal(here.send(path, right), seconds)
    assert 5 == len(verified)
    assert {"user": "bob"} == elsewhere.send(path, right).json()


def test_authenticate_in_a_coroutine_class_is_watched(visitor, bob, verified):
    """adrf runs it in a thread, and that on the loop: it is a guess of the decorated view all the same."""

    def ask(password, address="192.0.2.1"):
        return visitor(address=address).get("/watched/", headers={"x-password": password})

    assert [403] * 5 == [ask(f"wrong{n}").status_code for n in range(5)]
    assert is_refusal(ask("right"))
    assert 5 == len(verified)
    assert {"user": "bob"} == ask("right", "192.0.2.2").json()


def test_lockout_authentication_before_a_coroutine_is_refused():
    """When the class is defined, with what to write."""
    with pytest.raises(TypeError, match=r"is a coroutine function: .* write `async with policy\.attempt\(request\)"):
        type("Mine", (LockoutAuthentication, adrf.Tokens, TokenAuthentication), {"lockout_policy": adrf.tokens})

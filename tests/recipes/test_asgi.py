"""What docs/recipes/asgi.md says."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from channels.testing import WebsocketCommunicator
from django.core.exceptions import ImproperlyConfigured

from tests.recipes import asgi

REFUSED = {"error": "Too many failed attempts. Retry after 900 s.", "retry_after": 900}


@pytest.fixture(params=[asgi.SignIn, asgi.SyncSignIn])
def consumer(request, transactional_db):
    return request.param


@pytest.fixture(autouse=True)
def looked_up():
    asgi.looked_up.clear()
    return asgi.looked_up


@pytest.fixture
async def user(transactional_db, django_user_model):
    return await django_user_model.objects.acreate_user("bob", password="right")


@asynccontextmanager
async def connected(consumer, address="192.0.2.1", headers=()):
    """A websocket; gives a function that sends a password and returns the answer."""
    socket = WebsocketCommunicator(consumer.as_asgi(), "/sign-in/", headers=list(headers))
    socket.scope["client"] = (address, 50000)
    assert (True, None) == await socket.connect(timeout=10)

    async def say(password):
        await socket.send_json_to({"username": "bob", "password": password})
        return await socket.receive_json_from(timeout=10)

    yield say
    await socket.disconnect(timeout=10)


async def test_one_connection(consumer, user, verified):
    """Five wrong passwords are verified; then the right one is refused."""
    async with connected(consumer) as say:
        assert [{"user": None}] * 5 == [await say(f"wrong{number}") for number in range(5)]
        assert [REFUSED] * 2 == [await say("right") for _ in range(2)]
    assert 5 == len(verified)


async def test_many_connections(consumer, user, verified):
    """Neither a new connection nor a forged header helps; another client signs in."""
    for number in range(5):
        async with connected(consumer, headers=[(b"x-forwarded-for", f"192.0.2.{number}".encode())]) as say:
            assert {"user": None} == await say(f"wrong{number}")
    async with connected(consumer) as say:
        assert REFUSED == await say("right")
    assert 5 == len(verified)
    async with connected(consumer, "192.0.2.2") as say:
        assert {"user": "bob"} == await say("right")


async def test_burst_of_connections(consumer, user, verified):
    """Twenty connections at once: five passwords are verified."""

    async def guess(number):
        async with connected(consumer) as say:
            return await say(f"wrong{number}")

    answers = await asyncio.gather(*map(guess, range(20)))
    assert (5, 15) == (answers.count({"user": None}), answers.count(REFUSED))
    assert 5 == len(verified)


async def test_consumers_of_one_scope_share_their_counts(user, verified):
    """Sync or async."""
    for consumer in (asgi.SignIn, asgi.SyncSignIn, asgi.SignIn, asgi.SyncSignIn, asgi.SignIn):
        async with connected(consumer) as say:
            await say(f"wrong{len(verified)}")
    async with connected(asgi.SyncSignIn) as say:
        assert REFUSED == await say("right")
    assert 5 == len(verified)


async def post(code, client=("192.0.2.1", 50000)):
    sent = []

    async def receive():
        return {"type": "http.request", "body": code}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "client": client}
    await asgi.application(scope, receive, send)
    return sent[0]["status"], list(sent[0]["headers"])


async def test_bare_application(looked_up):
    """Five wrong codes are looked up; then the right one is refused, and only there."""
    assert [(403, [])] * 5 == [await post(b"%d" % number) for number in range(5)]
    assert (429, [(b"retry-after", b"600")]) == await post(b"271828")
    assert 5 == len(looked_up)
    assert (204, []) == await post(b"271828", ("192.0.2.2", 50000))


async def test_right_codes_are_not_counted(looked_up):
    """However many."""
    assert [(204, [])] * 20 == [await post(b"271828") for _ in range(20)]


async def test_server_that_names_no_client_is_an_error(looked_up):
    """All visitors would be one."""
    with pytest.raises(ImproperlyConfigured, match="gives no REMOTE_ADDR"):
        await post(b"271828", None)
    assert [] == looked_up

"""An ASGI scope as a request: logins that are no Django views."""

from contextlib import nullcontext

import pytest
from django.contrib.auth import aauthenticate
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from lockout_decorators import LockedOut, LockoutPolicy, areset_attempts, reset_attempts, signals
from lockout_decorators.clients.asgi import request_from
from tests.backends import CountingBackend

CLIENT = ("192.0.2.1", 50000)


def scope_of(kind, client=CLIENT, **more):
    method = {"method": "POST"} if kind == "http" else {}
    return {"type": kind, "path": "/sign-in/", "headers": [], "client": client, **method, **more}


@pytest.fixture(params=["http", "websocket"])
def kind(request):
    return request.param


@pytest.fixture
def policy():
    return LockoutPolicy(scope="asgi", key="ip", max=3, patience=0)


async def sign_in(policy, scope, password, username="bob"):
    """What an ASGI application does with a user name and a password, whoever verifies it."""
    async with policy.attempt(scope, username) as attempt:
        if CountingBackend().authenticate(None, username, password):
            attempt.succeed()


def other(scope):
    return {**scope, "client": ("192.0.2.2", 50000)}


async def test_guesser_is_stopped_on_any_connection(kind, policy, verified):
    """Three wrong guesses are verified, each in a scope of its own; then the right one is refused, and only there."""
    for number in range(3):
        await sign_in(policy, scope_of(kind), f"wrong{number}")
    with pytest.raises(LockedOut):
        await sign_in(policy, scope_of(kind), "right")
    assert 3 == len(verified)
    await sign_in(policy, other(scope_of(kind)), "right")
    assert [("bob", "right")] == verified[3:]


async def test_guesses_of_one_long_connection_are_told_apart(policy, verified):
    """A scope lives as long as its websocket, is refused on entering, and free once the lock ends."""
    scope = scope_of("websocket")
    for number in range(3):
        await sign_in(policy, scope, f"wrong{number}")
    with pytest.raises(LockedOut):
        await policy.observe(scope).__aenter__()
    async with policy.observe(scope_of("http", method="GET")):
        """A page load costs nothing."""
    await areset_attempts(scope, scope="asgi")
    await sign_in(policy, scope, "right")
    assert (4, 0) == (len(verified), (await policy.astatus(scope)).failures)


async def test_authenticate_is_observed(kind, policy, verified):
    """`observe()` takes a scope as well: every `aauthenticate()` inside is a guess, given a request or not; once, where
    there is an attempt around it."""
    for n in range(3):
        async with policy.observe(scope := scope_of(kind)), policy.attempt(scope, "bob") if n else nullcontext():
            assert await aauthenticate(username="bob", password="wrong") is None
    with pytest.raises(LockedOut):
        await policy.observe(scope_of(kind)).__aenter__()
    assert (3, 3) == (len(verified), (await policy.astatus(scope_of(kind))).failures)
    async with policy.observe(other(scope_of(kind))):
        assert await aauthenticate(username="bob", password="right")


def test_sync_doors_take_a_scope(kind, policy, verified):
    """`with`, `status()`, `reset()` and `reset_attempts()`, too."""
    for reset in (policy.reset, reset_attempts):
        for _ in range(3):
            with policy.attempt(scope_of(kind), "bob"):
                CountingBackend().authenticate(None, "bob", "wrong")
        assert policy.status(scope_of(kind)).locked
        reset(scope_of(kind))
    assert (0, 6) == (policy.status(scope_of(kind)).failures, len(verified))


def test_headers_are_those_of_the_scope(kind):
    """As `header:` and `ua` parts of a key see them."""
    policy = LockoutPolicy(scope="keyed", key="header:X-Api-Key+ua", max=1, ceiling=None, patience=0)
    ours = scope_of(kind, headers=[(b"x-api-key", b"one"), (b"user-agent", b"curl")])
    with policy.attempt(ours):
        pass
    for theirs in ([(b"x-api-key", b"two"), (b"user-agent", b"curl")], [(b"x-api-key", b"one")], []):
        assert not policy.status(scope_of(kind, headers=theirs)).locked
    assert policy.status({**ours, "client": ("192.0.2.9", 1)}).locked


@pytest.mark.parametrize("proxies", [[], ["192.0.2.0/24"]])
def test_forwarded_address_is_that_of_a_trusted_proxy(proxies, kind, policy, settings):
    """From a client that is none X-Forwarded-For changes nothing."""
    settings.LOCKOUT_TRUSTED_PROXIES = proxies
    for n in range(3):
        with policy.attempt(scope_of(kind, headers=[(b"x-forwarded-for", f"198.51.100.{n}".encode())])):
            pass
    hosts = (CLIENT[0], "198.51.100.1")
    assert ([0, 1] if proxies else [3, 0]) == [
        policy.status(scope_of(kind, client=(host, 1))).failures for host in hosts
    ]


@pytest.mark.parametrize("client", [None, ("", 0)])
async def test_server_that_names_no_client_is_an_error(client, kind, policy, verified):
    """All visitors would be one: loud, and before anything is verified."""
    with pytest.raises(ImproperlyConfigured, match="gives no REMOTE_ADDR"):
        await sign_in(policy, scope_of(kind, client=client), "right")
    without = scope_of(kind)
    del without["client"]
    with pytest.raises(ImproperlyConfigured, match="gives no REMOTE_ADDR"):
        await policy.astatus(without)
    assert [] == verified


class Session:
    session_key = "one"


async def test_user_and_session_are_those_of_the_scope(kind):
    """As authentication and session middleware of ASGI put them there."""
    policy = LockoutPolicy(scope="signed in", key="user+session", ceiling=None, max=1, patience=0)
    ours = scope_of(kind, user=User(pk=1), session=Session())
    async with policy.attempt(ours):
        pass
    assert (await policy.astatus(other(ours))).locked
    for theirs in ({**ours, "user": User(pk=2)}, {**ours, "user": AnonymousUser()}, scope_of(kind, user=None)):
        assert not (await policy.astatus(theirs)).locked


async def test_lazy_user_is_resolved_where_it_may_ask_the_database(kind, db):
    """In a thread, not on the event loop, where Django would raise."""
    found = []

    def find():
        found.append(User.objects.count())
        return User(pk=1)

    policy = LockoutPolicy(scope="lazy", key="user", max=1, patience=0)
    async with policy.attempt(scope_of(kind, user=SimpleLazyObject(find))):
        pass
    assert (await policy.astatus(scope_of(kind, user=User(pk=1)))).locked
    assert [0] == found


async def test_signals_get_a_request(kind, policy, receivers):
    """Receivers are written for requests: they get one, with the path and the user of the scope."""
    seen = []
    signals.attempt_failed.connect(lambda request, **more: seen.append(request), weak=False)
    await sign_in(policy, scope_of(kind, user="bob"), "wrong")
    assert [True] == [isinstance(request, HttpRequest) for request in seen]
    assert ("/sign-in/", "bob", CLIENT[0]) == (seen[0].path, seen[0].user, seen[0].META["REMOTE_ADDR"])


def test_what_is_no_scope_stays_what_it_is(rf):
    """A request, and a mapping that is something else."""
    for given in (rf.get("/"), {"path": "/"}, None):
        assert request_from(given) is given

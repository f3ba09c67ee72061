"""The hook into django.contrib.auth: what a backend shows, what its exceptions say, and who may see the secrets."""

import contextvars

import pytest
from django.contrib import auth
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.signals import user_login_failed
from django.views.debug import ExceptionReporter

from lockout_decorators import LockedOut, LockoutPolicy
from lockout_decorators.attempts.hook import ObservedBackend
from tests.backends import CountingBackend

SECRET = "s3cr3t-hunter2"


class TokenOnly(BaseBackend):
    """Takes a token and nothing else; has no use for an instance."""

    asked: list[str] = []

    @staticmethod
    def authenticate(request, token):  # pragma: no cover
        TokenOnly.asked.append(token)


class Down(BaseBackend):
    """A directory that is asked and does not answer."""

    async def aauthenticate(self, request, username=None, password=None):
        CountingBackend.verified.append((username, password))
        raise ConnectionError


@pytest.fixture
def request_(rf):
    return rf.post("/login/")


@pytest.fixture
def policy():
    return LockoutPolicy(scope="hook", key="ip", max=2, patience=0)


def test_a_static_door_keeps_its_signature(policy, request_, settings, verified):
    """Django passes over a backend that can't take the credentials: it is not asked, and the next one is."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.TokenOnly", "tests.backends.CountingBackend"]
    with policy.observe(request_):
        assert [None, None] == [authenticate(request_, username="bob", password=f"wrong{n}") for n in range(2)]
        with pytest.raises(LockedOut):
            authenticate(request_, username="bob", password="right")
    assert (2, []) == (len(verified), TokenOnly.asked)


def test_a_door_is_made_once():
    """Django takes it twice: for its signature, and to call."""
    found = ObservedBackend(CountingBackend(), "path")
    assert found.authenticate is found.authenticate
    assert found.aauthenticate is found.aauthenticate is not found.authenticate


async def test_an_exception_out_of_an_async_door_is_no_verdict(policy, request_, settings, verified):
    """A directory that is down locks nobody out, and nobody guesses for free."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Down"]
    for _ in range(2):
        with pytest.raises(ConnectionError):
            async with policy.observe(request_):
                await aauthenticate(request_, username="bob", password="right")
    settings.AUTHENTICATION_BACKENDS = ["tests.backends.CountingBackend"]
    with pytest.raises(LockedOut) as caught:
        await policy.observe(request_).__aenter__()
    assert (2, 0, False) == (len(verified), caught.value.status.failures, caught.value.status.locked)


async def test_an_async_guess_that_another_block_refuses_is_given_back(policy, request_, verified):
    """Nothing was verified: the inner block has nothing to count, and takes the right password later on."""
    outer = LockoutPolicy(scope="outer", key="ip", max=1, patience=0)
    async with outer.observe(request_):
        await aauthenticate(request_, username="bob", password="wrong")
        for n in range(5):
            async with policy.observe(request_):
                with pytest.raises(LockedOut):
                    await aauthenticate(request_, username="bob", password=f"other{n}")
    assert 1 == len(verified)
    assert 0 == (await policy.astatus(request_)).failures
    async with policy.observe(request_):
        assert await aauthenticate(request_, username="bob", password="right")


class Unsigned:
    """A door whose signature is the project's own, and broken."""

    @property
    def __signature__(self):
        raise ZeroDivisionError

    async def __call__(self, **credentials):  # pragma: no cover
        raise AssertionError("never asked")


class Odd(BaseBackend):
    aauthenticate = Unsigned()


def shown(caught):
    """The functions that Django's report of an exception has, and those of them that show the secret."""
    frames = ExceptionReporter(None, caught.type, caught.value, caught.tb).get_traceback_frames()
    told = {frame["function"] for frame in frames if any(SECRET in str(value) for _, value in frame["vars"])}
    return {frame["function"] for frame in frames}, told


def secret():
    return {"username": "bob", "password": SECRET}


def test_a_signal_with_secrets_shows_none(request_):
    """Not all senders clean what they send, as Django does: when the project's code raises, only Django shows it."""
    policy = LockoutPolicy(scope="hook", key="ip", username=lambda request, credentials: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught, policy.observe(request_):
        user_login_failed.send("project", credentials=secret(), request=request_)
    functions, told = shown(caught)
    assert "_failed" in functions
    assert {"send"} == told


async def test_credentials_that_can_not_be_named_are_not_shown(policy, request_):
    """A signature that breaks down is an error of the project's: its report has the call without its secrets."""
    door = ObservedBackend(Odd(), "path").aauthenticate
    with pytest.raises(ZeroDivisionError) as caught:
        async with policy.observe(request_):
            await door(request=request_, **secret())
    functions, told = shown(caught)
    assert {"_seen", "by_name"} <= functions
    assert set() == told


class Name(str):
    """A credential's name that can't be told."""

    __slots__ = ()

    def __repr__(self):
        raise ZeroDivisionError


async def test_credentials_that_can_not_be_compared_are_not_shown(policy, request_, settings):
    """Nor is what was compared until then."""
    door = auth.load_backend("tests.backends.CountingBackend").aauthenticate
    with pytest.raises(ZeroDivisionError) as caught:
        async with policy.observe(request_):
            await door(request_, **{"password": SECRET, Name("code"): "123456"})
    functions, told = shown(caught)
    assert "digest" in functions
    assert set() == told


@pytest.mark.parametrize("way", ["positional", "keywords"])
def test_a_call_is_known_by_its_request(way, policy, request_, verified):
    """In a thread that was not given the context, nothing else tells whose it is; outside of a block it is nobody's."""
    found = auth.load_backend("tests.backends.CountingBackend")

    def ask(password):
        if way == "positional":
            return contextvars.Context().run(found.authenticate, request_, "bob", password)
        return contextvars.Context().run(found.authenticate, request=request_, username="bob", password=password)

    assert [None] * 3 == [ask(f"before{n}") for n in range(3)]
    for n in range(2):
        with policy.observe(request_):
            assert ask(f"wrong{n}") is None
    with pytest.raises(LockedOut):
        policy.observe(request_).__enter__()
    assert 5 == len(verified)
    assert ask("right")

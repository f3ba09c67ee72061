"""Which calls of backends are one guess, where a view asks the backends itself and nobody signals a failure."""

import pytest
from django.contrib.auth import authenticate, get_backends
from django.contrib.auth.backends import BaseBackend

from lockout_decorators import LockedOut, LockoutPolicy, signals
from tests.backends import CountingBackend


class Second(CountingBackend):
    """Another one that counts into the same list."""


class FromHeader(BaseBackend):
    """Needs no credentials: the request has them."""

    def authenticate(self, request):
        return CountingBackend().authenticate(request, "bob", request.headers["authorization"])


@pytest.fixture
def request_(rf):
    return rf.post("/", headers={"authorization": "wrong"})


@pytest.fixture
def backends(settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Second", "tests.backends.CountingBackend"]


def policy(**arguments):
    return LockoutPolicy(**{"scope": "s", "key": "ip", "max": 2, "patience": 0, **arguments})


def test_one_secret_at_two_names_is_two_calls(request_, backends, verified):
    """Each backend is asked for another account: with one call a guess that makes two of them."""
    one = policy(calls=1)
    with one.observe(request_):
        first, second = get_backends()
        assert first.authenticate(request_, username="bob", password="wrong") is None
        assert second.authenticate(request_, username="eve", password="wrong") is None
    with pytest.raises(LockedOut):
        one.observe(request_).__enter__()
    assert 2 == len(verified)


def test_a_secret_that_comes_back_is_a_guess_again(request_, verified):
    """What was settled when the next one came is joined by no later call."""
    one = policy(max=3)
    with one.observe(request_):
        for password in ("one", "two", "one"):
            assert authenticate(request_, username="bob", password=password) is None
        with pytest.raises(LockedOut):
            authenticate(request_, username="bob", password="right")
    assert (3, 3) == (one.status(request_).failures, len(verified))


def test_a_refused_call_takes_no_earlier_one_back(request_, backends, verified):
    """The first one was verified, and nobody knows its verdict before the end: it stays taken."""
    loose, strict = policy(max=1, calls=2), policy(scope="strict", max=1, calls=1)
    with strict.observe(request_), loose.observe(request_):
        found = get_backends()[0]
        assert found.authenticate(request_, username="bob", password="wrong") is None
        with pytest.raises(LockedOut):
            found.authenticate(request_, username="bob", password="wrong")
    with pytest.raises(LockedOut):
        loose.observe(request_).__enter__()
    assert 1 == len(verified)


def test_a_refused_call_frees_its_slot_at_once(request_, rf, verified):
    """Not only at the end of the view: somebody else at the same address need not wait for that."""
    one, locked = policy(max=1), policy(scope="locked", key="username", max=1, ceiling=None)
    with locked.attempt(request_, "bob"):
        pass
    with locked.observe(request_), one.observe(request_):
        with pytest.raises(LockedOut):
            authenticate(request_, username="bob", password="right")
        with one.attempt(rf.post("/"), "eve") as attempt:
            attempt.succeed()
    assert [] == verified
    with one.observe(request_):
        assert authenticate(request_, username="bob", password="right")


def test_a_secret_in_the_request_is_a_guess(request_, rf, settings, verified):
    """Though the call has no credentials; a request without any secret is none."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.FromHeader"]
    one = policy()
    for _ in range(2):
        with one.observe(request_):
            assert authenticate(request_) is None
    right = rf.post("/", headers={"authorization": "right"})
    with pytest.raises(LockedOut):
        one.observe(right).__enter__()
    assert 2 == len(verified)
    one.reset(request=right)
    with one.observe(right):
        assert authenticate(right)


def test_a_failure_that_two_backends_found_is_one(request_, backends, receivers, verified):
    """It is told of once, and forgiven: both were asked for the same account, so its owner's success proves a slip."""
    one, told = policy(), []
    signals.attempt_failed.connect(lambda detail, **more: told.append(detail), weak=False)
    with one.observe(request_):
        assert authenticate(request_, username="bob", password="wrong") is None
    assert (1, 2, 1) == (one.status(request_).failures, len(verified), len(told))
    with one.observe(request_):
        assert authenticate(request_, username="bob", password="right")
    assert 0 == one.status(request_).failures

"""When windows and locks end, seen from outside; tests/test_clocks.py asks the same of every cache."""

import pytest
from django.test import RequestFactory

from lockout_decorators import lockout_protect
from tests.doors import RIGHT, check


def door(**policy):
    """A protected login, as a function of the password: it returns the response."""

    login = lockout_protect(**{"key": "ip", "scope": "door", **policy})(check)

    def guess(password="wrong", address="10.0.0.1"):
        return login(RequestFactory().post("/", {**RIGHT, "password": password}, REMOTE_ADDR=address))

    def status(address="10.0.0.1"):
        return login.lockout_policies[0].status(RequestFactory().get("/", REMOTE_ADDR=address))

    guess.status = status
    return guess


def statuses(guess, times, password="wrong"):
    return [guess(password).status_code for _ in range(times)]


def test_lock_is_not_extended(clock, verified):
    """Guesses made while the lock holds change neither its end nor what Retry-After says of it."""
    guess = door(max=2, window=60, lockout=100)
    assert [401, 401] == statuses(guess, 2)
    for passed in range(100):
        response = guess("right")
        assert (429, str(100 - passed)) == (response.status_code, response["Retry-After"])
        clock.shift(1)
    assert 2 == len(verified)
    assert 200 == guess("right").status_code


@pytest.mark.parametrize(("jump", "expected"), [(0, 100), (99.5, 1), (50.5, 50), (-3600, 100), (-1, 100)])
def test_clock_jump_in_a_lock(clock, jump, expected):
    """However the wall clock jumps, Retry-After stays between a second and the lockout."""
    guess = door(max=1, lockout=100)
    guess()
    clock.shift(jump)
    assert str(expected) == guess()["Retry-After"]


def test_lock_without_end(clock):
    """A lock with lockout=None outlives everything and promises no time."""
    guess = door(max=1, window=60, lockout=None)
    guess()
    clock.shift(10 * 365 * 24 * 3600)
    response = guess("right")
    assert (429, False) == (response.status_code, "Retry-After" in response)


def test_fractions_of_seconds(clock):
    """A lock ends as exactly as it was asked for; Retry-After, which is whole seconds, is rounded up."""
    guess = door(max=1, lockout=1.5)
    guess()
    assert "2" == guess()["Retry-After"]
    clock.shift(1.499)
    assert 429 == guess("right").status_code
    clock.shift(0.002)
    assert 200 == guess("right").status_code


def test_rolling_window(clock, verified):
    """Each failure ends a window after it happened: no window's length of time holds more than `max`."""
    guess = door(max=2, window=60, lockout=0, rolling=True)
    guess()
    clock.shift(30)
    assert [401, 429] == statuses(guess, 2)
    for response in (guess("right"), guess()):
        assert (429, "30") == (response.status_code, response["Retry-After"])
    clock.shift(30)
    assert [401, 429] == statuses(guess, 2)
    assert (429, "30") == ((response := guess("right")).status_code, response["Retry-After"])
    clock.shift(60)
    assert 0 == guess.status().failures
    assert 200 == guess("right").status_code
    assert 3 == [password for _, password in verified].count("wrong")


def test_growing_locks(clock):
    """The second lasts longer, the last one repeats, and long after the last one it is the first again."""
    guess = door(max=1, window=60, lockout=(10, 100), forget=1000)
    for seconds in (10, 100, 100):
        assert [401, 429] == statuses(guess, 2)
        assert str(seconds) == guess("right")["Retry-After"]
        clock.shift(seconds)
    clock.shift(1000)
    guess()
    assert "10" == guess("right")["Retry-After"]

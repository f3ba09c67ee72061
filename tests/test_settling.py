"""What is written when a guess is settled, how long it stands, and who tells of it."""

import time

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_login_failed
from django.http import HttpResponse

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, signals
from lockout_decorators.attempts.guess import Guess, Party
from tests.entries import lives

DAY = 86400


@pytest.fixture
def request_(rf):
    return rf.post("/login/")


def test_an_entry_outlives_a_long_lock_by_seconds(request_, verified):
    """Whatever rounding does to a month."""
    policy = LockoutPolicy(scope="month", key="ip", max=1, lockout=30 * DAY)
    with policy.observe(request_):
        authenticate(request_, username="bob", password="wrong")
    (life,) = lives("locmem").values()
    assert 1.5 <= life - (policy.status(request_).until.timestamp() - time.time()) <= 5
    with pytest.raises(LockedOut):
        policy.observe(request_).__enter__()
    assert 1 == len(verified)


@pytest.mark.parametrize("turn", range(12))
def test_only_who_locks_tells_of_a_lock(turn, rf, request_, receivers):
    """A failure that comes late finds another one's lock: whichever of two references is the greater, one is told."""
    policy, told = LockoutPolicy(scope="late", key="ip", max=1, patience=0), []
    signals.locked_out.connect(lambda detail, **more: told.append(detail), weak=False)
    with policy.observe(request_):
        with policy.attempt(rf.post("/"), "bob"):
            pass
        user_login_failed.send("project", credentials={"username": "eve"}, request=request_)
    assert 1 == len(told)
    assert policy.status(request_).locked


def test_after_a_refusal_no_other_name_is_tried(request_, verified):
    """What is locked is one account; a view that goes on guessing in the same request is refused at the next, too."""
    policy = LockoutPolicy(scope="names", key="username", max=1, ceiling=None, patience=0)
    with policy.attempt(request_, "bob"):
        pass
    with policy.observe(request_):
        for name, password in (("bob", "right"), ("eve", "eves")):
            with pytest.raises(LockedOut):
                authenticate(request_, username=name, password=password)
    assert [] == verified
    with policy.observe(request_):
        assert authenticate(request_, username="eve", password="eves")


def test_a_success_on_trial_tells_of_the_failures_it_left(request_, receivers):
    """Under a policy on trial whose places are all taken, a success forgives nothing, and its failures are told."""
    trial, told = LockoutPolicy(scope="trial", key="ip", max=1, enforce=False, patience=0), []
    signals.succeeded_after_failures.connect(lambda detail, **more: told.append(detail), weak=False)
    for password in ("wrong", "right"):
        with trial.observe(request_):
            authenticate(request_, username="bob", password=password)
    assert ["trial"] == [detail.status.scope for detail in told]
    with LockoutPolicy(scope="empty", key="ip", enforce=False).observe(request_):
        assert authenticate(request_, username="bob", password="right")
    assert 1 == len(told)


def test_a_refusal_for_want_of_a_cache_is_the_policys_whose_it_is(settings, request_, verified):
    """It tells of no failures; the slots that another cache gave are free again, and nothing is a failure there."""
    down = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}
    settings.CACHES = {**settings.CACHES, "a": down, "z": down}
    here = LockoutPolicy(scope="here", key="ip", max=4, patience=0)
    policies = [LockoutPolicy(scope=name, key="username", max=3, cache=name, ceiling=None) for name in ("a", "z")]
    raised = []

    @lockout_protect(here, *policies)
    def view(request):
        try:
            authenticate(request, username="bob", password="right")
        except LockedOut as error:
            raised.append(error.status)
        return HttpResponse()

    view(request_)
    (status,) = raised
    assert (0, 3, False) == (status.failures, status.maximum, status.locked)
    assert status.scope in ("a", "z")
    assert ([], 0) == (verified, here.status(request_).failures)
    with here.observe(request_):
        assert authenticate(request_, username="bob", password="right")


def test_a_guess_shows_nobody():
    """Error reports show what lies in frames by its repr: whose guess it is, is no matter of theirs."""
    assert "bob" not in repr(Guess([Party(LockoutPolicy(scope="shown"), "bob", "bob")], secrets=("bob",)))

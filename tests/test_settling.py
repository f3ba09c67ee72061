"""What a claim asks of a store for which nothing was looked up; what is written when a guess is settled, and told."""

import time

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_login_failed
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, signals
from lockout_decorators.attempts.guess import Guess, Party
from lockout_decorators.stores import redis
from tests.doors import RIGHT, check
from tests.servers import stores


@pytest.fixture
def request_(rf):
    return rf.post("/login/")


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


# A claim goes by it that its client has nothing on record

GUESSED = {
    "right": [("right", 200), ("right", 200)],
    "wrong": [*[("wrong", 401)] * 5, ("right", 429)],
}


@pytest.fixture
def guess():
    view = lockout_protect(key="ip+username", max=5, window=300, lockout=600, scope="at once")(check)
    return lambda password: view(RequestFactory().post("/", {**RIGHT, "password": password})).status_code


@pytest.mark.parametrize("store", stores("locmem", "valkey", "files"), indirect=True)
@pytest.mark.parametrize("guessed", GUESSED.values(), ids=GUESSED)
def test_round_trips(store, guessed, guess, trips, verified):
    """Where a claim that is lost says what stands there: two for a client with nothing on record. Else three."""
    guess("right")
    look, found = "swap" if store == "valkey" else "read", []
    for password, status in guessed:
        trips.clear()
        assert status == guess(password)
        found.append([asked for asked, _ in trips])
    clean, known = ["read"] * (store != "valkey") + ["swap", "swap"], [look, "swap", "swap"]
    locks = [*known, "swap"]  # the lock is put on file
    assert ([clean] * 2 if guessed[0][0] == "right" else [clean, *[known] * 3, locks, [look]]) == found
    assert 1 + len([status for _, status in guessed if status != 429]) == len(verified)


@pytest.mark.parametrize("store", stores("valkey"), indirect=True)
@pytest.mark.parametrize("wrong", [-3600, -1, 1, 3600], ids="{:+} s".format)
def test_a_server_whose_clock_is_another_by_now(store, wrong, guess, trips, verified, caplog):
    """As after a failover: its own counts, and a claim by the other one comes to no more than a look."""
    guess("right")
    before = redis._clocks["default"]
    redis._clocks["default"] = lambda: before() + wrong * 1000
    trips.clear()
    assert [401] * 5 + [429] == [guess("wrong") for _ in range(5)] + [guess("right")]
    swaps = 2 + (abs(wrong) > 2)
    assert (6, ["swap"] * swaps) == (len(verified), [asked for asked, _ in trips[:swaps]])
    (locked,) = [record for record in caplog.records if "locked out" in record.message]
    until = time.mktime(time.strptime(locked.lockout["until"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert until == pytest.approx(time.time() + 600, abs=3)

"""A guess that nothing was looked up for: its claim goes by it that its client has nothing on record."""

import time

import pytest
from django.test import RequestFactory

from lockout_decorators import lockout_protect
from lockout_decorators.stores import redis
from tests.doors import RIGHT, check
from tests.servers import stores

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

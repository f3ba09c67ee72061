"""Many guesses at once, from separate processes: the oracle is how often the hasher ran."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from secrets import token_hex
from types import SimpleNamespace

import pytest
from django.test import RequestFactory

from lockout_decorators import LockoutPolicy
from lockout_decorators.attempts.counters import Client
from lockout_decorators.records.record import STAMP, Record, spell
from lockout_decorators.stores import Change, store_for
from tests import guessers
from tests.guessers import SCOPE, Job
from tests.servers import stores
from tests.sizes import IN_FULL

ROUNDS = 10 if IN_FULL else 1  # of each kind
MAX = 5
WRONG = [("bob", f"wrong{number}") for number in range(guessers.PROCESSES * guessers.THREADS)]
HONEST = 40 if IN_FULL else 20
SPRAYED = [(f"person{number}", "Winter2026") for number in range(200 if IN_FULL else 40)]
SPREAD = 10
POLICY = LockoutPolicy(key="ip", max=MAX, window=60, scope=SCOPE)  # as the door that is guessed at

FURTHER = [pytest.param(name, marks=pytest.mark.servers) for name in ("mariadb", "django-valkey-cluster") if IN_FULL]

on_all_stores = pytest.mark.parametrize("store", [*stores(), *FURTHER], indirect=True)
on_some_stores = (
    on_all_stores if IN_FULL else pytest.mark.parametrize("store", stores("locmem", "valkey"), indirect=True)
)


@pytest.fixture(scope="module")
def processes():
    processes = guessers.Guessers()
    yield processes
    processes.close()


@pytest.fixture
def crew(store, set_up, request, settings):
    """64 threads: of four processes, or of this one for a cache that lives in it."""
    if store != "locmem":
        crew = request.getfixturevalue("processes")
        crew.ask(set_up(store)._replace(cache=settings.CACHES["default"]))
        yield crew
    else:
        with ThreadPoolExecutor(guessers.PROCESSES * guessers.THREADS) as pool:
            yield SimpleNamespace(play=partial(guessers.play, pool))


def soon():
    return time.time() + 0.03


def lock(address, seconds):
    """Lock a client out for a moment."""
    (counter,) = Client(request_from(address)).counters(POLICY, None)
    store = store_for("default")
    reading = store.read([counter.key])
    now = reading.clock()
    text = spell(Record(since=now, until=now + int(1000 * seconds), reference="a" * 8), token_hex(STAMP // 2))
    assert store.swap([Change(counter.key, reading.found[0].token, text, 60)], now).won


def request_from(address):
    return RequestFactory().post("/", REMOTE_ADDR=address)


def status(address):
    return POLICY.status(request_from(address))


def held(crew, address, result):
    assert (MAX, {401: MAX, 429: len(WRONG) - MAX}) == (result.verified, Counter(result.statuses))
    right = crew.play(Job(address, [("bob", "right")], 0))
    assert (0, [429]) == (right.verified, right.statuses)


@on_all_stores
def test_burst(store, crew):
    """Of 64 wrong guesses at once exactly five are verified: of a new client, and of one whose lock is just ending."""
    for number in range(ROUNDS):
        held(crew, new := f"10.0.0.{number}", crew.play(Job(new, WRONG, soon())))
        lock(locked := f"10.1.0.{number}", 0.5)
        held(crew, locked, result := crew.play(Job(locked, WRONG, soon(), insist=True)))
        assert result.early > 0


@on_some_stores
def test_sprayed_burst(store, crew):
    """Of many guesses at as many accounts from one address exactly ten are verified, of a hundred slots."""
    for number in range(ROUNDS):
        rule = {"max": 100, "spread": SPREAD, "patience": 30}
        result = crew.play(Job(address := f"10.4.0.{number}", SPRAYED, soon(), **rule))
        assert (SPREAD, {401: SPREAD, 429: len(SPRAYED) - SPREAD}) == (result.verified, Counter(result.statuses))
        right = crew.play(Job(address, [("bob", "right")], 0, **rule))
        assert (0, [429]) == (right.verified, right.statuses)


@on_some_stores
def test_honest_burst(store, crew):
    """Right passwords at once from one address, five at a time: all sign in within patience, nobody failed."""
    result = crew.play(Job("10.2.0.0", [("bob", "right")] * HONEST, soon(), patience=30))
    assert (HONEST, {200: HONEST}) == (result.verified, Counter(result.statuses))
    assert (False, 0) == (status("10.2.0.0").locked, status("10.2.0.0").failures)


@on_some_stores
def test_mixed_burst(store, crew):
    """Of right and wrong passwords at once five wrong ones are verified; every right one that is verified signs in."""
    guesses = [("bob", "right"), ("eve", "wrong")] * 32
    result = crew.play(Job("10.3.0.0", guesses, soon()))
    statuses = Counter(result.statuses)
    assert (MAX, result.verified) == (statuses[401], statuses[200] + MAX)
    assert {200, 401, 429} >= set(statuses)
    assert status("10.3.0.0").locked

"""Time on every cache: how long windows and locks last, what slips through at their edges, and whose clock counts.

Valkey keeps the time itself, so there the tests wait, and those that wait do it together. All others go by the clock of
the host, which is moved.
"""

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event, get_ident

import pytest
import time_machine
from django.contrib.auth import authenticate
from django.test import RequestFactory

from lockout_decorators import LockedOut, LockoutPolicy
from lockout_decorators.signals import locked_out
from tests.backends import CountingBackend
from tests.hosts import Host, Order, Outcome
from tests.servers import hang_up, stores
from tests.sizes import IN_FULL
from tests.test_time import door

START = 1_800_000_000
STEP = 0.125  # what a clock that can be moved is moved by
MAX = 5
THREADS = 16 if IN_FULL else 8
SHARED = "valkey", "memcached", "files", "sqlite", "postgresql"  # the first keeps the time


class Real:
    """Time that passes: each look takes a while."""

    slack = 0.05
    now = staticmethod(time.monotonic)

    def step(self):
        time.sleep(0.02)

    def pass_by(self, seconds):
        """Nothing to do: whoever waits for the end sees it come."""


class Moved:
    """The host's clock, which stands still until it is moved."""

    slack = STEP
    now = staticmethod(time.time)

    def __init__(self, traveller):
        self.pass_by = traveller.shift

    def step(self):
        self.pass_by(STEP)


@pytest.fixture
def clock(store):
    if store == "valkey":
        yield Real()
    else:
        with time_machine.travel(START, tick=False) as traveller:
            yield Moved(traveller)


def lasts(clock, expected, begin, held):
    """Whether what `begin` begins is over after `expected` seconds, neither sooner nor later; asks in steps."""
    before = clock.now()
    begin()
    begun = last = clock.now()
    while True:
        asked = clock.now()
        if not held():
            break
        last = asked
        yield
    assert clock.now() - before >= expected
    assert last - begun <= expected + clock.slack


def lock(clock, window, lockout, address):
    """A lock whose client goes on guessing the right password lasts its time, whatever the window; then all is free."""
    guess = door(max=2, window=window, lockout=lockout, scope=f"{window}, {lockout}")

    def status(password="wrong"):
        return guess(password, address).status_code

    assert 401 == status()
    yield from lasts(clock, lockout, lambda: status() == 401, lambda: status("right") == 429)
    assert [401, 401, 429] == [status() for _ in range(3)]


def window(clock, seconds, address):
    """A window lasts its time from the first failure; those that follow, one at each look, don't move its end."""
    guess = door(max=10, window=seconds, lockout=60, scope="window")
    made = []

    def fail():
        made.append(guess(address=address).status_code)

    def held():
        if guess.status(address).failures < len(made):
            return False
        if len(made) < 8:
            fail()
        return True

    yield from lasts(clock, seconds, fail, held)
    assert {401} == set(made)


def play(clock, *cases):
    """Take on all `cases` together, a step of each in turn."""
    while cases:
        cases = [case for case in cases if next(case, play) is not play]
        clock.step()


@pytest.mark.parametrize("store", stores(), indirect=True)
def test_ends(store, clock):
    """Windows and locks last as long as they were asked to, neither less nor more."""
    locks = [lock(clock, *seconds, "10.0.0.1") for seconds in [(60, 1), (2, 1), (1, 1.5)]]
    play(clock, window(clock, 1, "10.0.0.1"), *locks)


def at_all_times(work):
    """Threads that repeat `work` until it returns True."""

    def repeat():
        try:
            while not work():
                time.sleep(0.002)
        finally:
            hang_up()

    pool = ThreadPoolExecutor(THREADS)
    working = [pool.submit(repeat) for _ in range(THREADS)]
    pool.shutdown(wait=False)
    return working


@pytest.mark.parametrize("store", stores(), indirect=True)
def test_edge_of_a_window_under_load(store, clock, verified):
    """All but one of the stated bound, while threads guess across the edge all the time.

    Before the edge at an account of their own, which leaves the last slot free, and from then on at bob's.
    """
    policy = LockoutPolicy(key="ip", max=MAX, window=1, lockout=60, scope="edge")
    crossed = Event()

    def guess(username, password):
        request = RequestFactory().post("/")
        with policy.observe(request):
            authenticate(request, username=username, password=password)

    def work():
        if policy.status(RequestFactory().get("/")).failures < MAX - 1:
            crossed.set()
        try:
            guess(*(("bob", "wrong") if crossed.is_set() else ("eve", "eves")))
        except LockedOut as refused:
            return refused.status.retry_after > 1  # a lock's: who waited in vain is told 1

    for _ in range(MAX - 1):
        guess("bob", "wrong")
    working = at_all_times(work)
    time.sleep(0.1)
    clock.pass_by(1)
    for done in working:
        done.result()
    assert 2 * MAX - 1 == verified.count(("bob", "wrong"))
    assert ("eve", "eves") in verified
    with pytest.raises(LockedOut):
        guess("bob", "right")
    assert ("bob", "right") not in verified


@pytest.mark.parametrize("store", stores(), indirect=True)
def test_ends_of_locks_under_load(store, clock, verified):
    """Between one lock and the next exactly max are verified, however many threads guess all the time."""
    rounds, locks, refused = 6 if IN_FULL else 2, [], defaultdict(set)
    guess = door(max=MAX, window=60, lockout=1)

    def count(**_):
        locks.append(len(verified))

    def work():
        number = len(locks)
        if guess().status_code == 429:
            refused[number].add(get_ident())
            return number == rounds
        return False

    locked_out.connect(count)
    working = at_all_times(work)
    for number in range(1, rounds):
        while len(refused[number]) < THREADS and len(locks) <= number:  # a clock moves while all threads only look
            time.sleep(0.01)
        clock.pass_by(1)
    for done in working:
        done.result()
    locked_out.disconnect(count)
    assert [MAX * number for number in range(1, rounds + 1)] == locks


@pytest.fixture(scope="module")
def hosts():
    """Two, whose clocks are five minutes apart."""
    hosts = Host(0), Host(300)
    yield hosts
    for host in hosts:
        host.close()


@pytest.fixture
def two_hosts(store, hosts, set_up, settings):
    for host in hosts:
        host.ask(set_up(store)._replace(cache=settings.CACHES["default"]))
    return hosts


@pytest.mark.parametrize("store", stores(*SHARED), indirect=True)
def test_hosts_that_disagree(store, two_hosts):
    """Of guesses from two hosts at once exactly max are verified; then both refuse, as long as the lock lasts. Where
    the store keeps the time, windows and locks may be shorter than the hosts differ by."""
    seconds = {"window": 200, "lockout": 200} if store == "valkey" else {"window": 600, "lockout": 1000}
    rule = {"key": "ip", "max": MAX, "scope": "hosts", **seconds}
    for number in range(10 if IN_FULL else 2):
        address = f"10.0.0.{number}"
        burst = both(two_hosts, Order(rule, address, [f"wrong{number}" for number in range(32)]))
        assert MAX == sum(len(outcome.verified) for outcome in burst)
        for outcome in both(two_hosts, Order(rule, address, ["right", "wrong"])):
            assert [] == outcome.verified
            assert {429} == {status for status, _ in outcome.answers}
            # A lock's: who loses a race is told 1.
            assert all(1 < int(after) <= rule["lockout"] for _, after in outcome.answers)


def both(hosts, order):
    for host in hosts:
        host.tell([order])
    return [Outcome(*answer) for host in hosts for answer in host.hear()]


@pytest.mark.parametrize("store", stores("locmem", *SHARED[1:]), indirect=True)
@pytest.mark.parametrize("wrong", [-3600, -300, 300])
def test_a_clock_that_is_wrong(store, wrong, clock):
    """Elsewhere a lock ends early or late by what the clock of its host is wrong, and no more."""
    guess = door(max=1, lockout=4000)
    clock.pass_by(wrong)
    guess()
    clock.pass_by(-wrong)
    assert (429, str(min(4000, 4000 + wrong))) == ((answer := guess("right")).status_code, answer["Retry-After"])
    clock.pass_by(4000 + wrong - STEP)
    assert 429 == guess("right").status_code
    clock.pass_by(STEP)
    assert 200 == guess("right").status_code


def burst_while_set_back(verified, guess, traveller):
    """Guesses of many threads, an hour earlier in the midst of it, and once more thereafter."""
    CountingBackend.delay = 0.05
    working = at_all_times(lambda: guess().status_code == 429)
    time.sleep(CountingBackend.delay / 2)
    traveller.shift(-3600)
    for done in working:
        done.result()
    traveller.shift(-3600)
    assert MAX == len(verified)


@pytest.mark.parametrize("store", stores(), indirect=True)
def test_clock_set_back(store, verified):
    """A clock set back, in a burst and in a lock, buys no guess; Retry-After stays in its bounds."""
    guess = door(max=MAX, window=60, lockout=2)
    with time_machine.travel(time.time()) as traveller:
        burst_while_set_back(verified, guess, traveller)
        assert (429, True) == ((answer := guess("right")).status_code, answer["Retry-After"] in {"1", "2"})
    assert MAX == len(verified)


@pytest.mark.parametrize("store", stores("valkey"), indirect=True)
def test_clock_set_back_in_a_lock(store, verified):
    """And changes no end where the store keeps the time."""
    guess = door(max=MAX, window=60, lockout=1)
    with time_machine.travel(time.time()) as traveller:
        burst = partial(burst_while_set_back, verified, guess, traveller)
        play(Real(), lasts(Real, 1, burst, lambda: guess("right").status_code == 429))
    assert [("bob", "right")] == verified[MAX:]

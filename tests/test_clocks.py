"""Time on every cache: how long windows and locks last, what slips through at their edges, and whose clock counts.

Valkey and Memcached keep the time themselves, so there the tests wait, and those that wait do it together. LocMem, file
and database caches go by the clock of the host, which is moved.
"""

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
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
LATE = 2  # seconds, the promise
BUSY = 0.3  # what a busy machine adds where time is real
STEP = 0.125  # what a clock that can be moved is moved by: finer than the phases
PHASES = [0, 0.25, 0.5, 0.75] if IN_FULL else [0, 0.75]  # of a second, since some stores count whole ones
MAX = 5
THREADS = 16
KEEPERS = "valkey", "memcached"  # of the time


class Real:
    """Time that passes: each look takes a while."""

    slack = BUSY
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
    if store in KEEPERS:
        yield Real()
    else:
        with time_machine.travel(START, tick=False) as traveller:
            yield Moved(traveller)


def lasts(clock, expected, begin, held):
    """Whether what `begin` begins is over never before `expected` seconds and at most two later; asks in steps."""
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
    assert last - begun <= expected + LATE + clock.slack


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


def play(clock, cases):
    """Take on all `cases` together: the steps of each, and the second at which they begin."""
    start = clock.now()
    while cases:
        for case, at in list(cases.items()):
            if clock.now() - start >= at and next(case, play) is play:
                del cases[case]
        clock.step()


@pytest.mark.parametrize("store", stores(), indirect=True)
def test_ends(store, clock):
    """Windows and locks end never early and at most two seconds late, in every phase of a second."""
    cases = {}
    for number, phase in enumerate(PHASES):
        cases[window(clock, 1, f"10.0.0.{number}")] = phase
        for seconds in [(60, 1), (2, 1), (1, 2)]:
            cases[lock(clock, *seconds, f"10.0.0.{number}")] = phase
    play(clock, cases)


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
    """The stated bound: max - 1 in one window and max in the next, while threads guess across the edge all the time.

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
    clock.pass_by(1 + LATE)
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
    rounds, locks, refused = 6 if IN_FULL else 3, [], defaultdict(set)
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
        clock.pass_by(1 + LATE)
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


@pytest.mark.parametrize("store", stores(*KEEPERS), indirect=True)
def test_hosts_that_disagree(store, two_hosts):
    """Of guesses from two hosts at once exactly max are verified; then both refuse, for a second to the lockout."""
    rule = {"key": "ip", "max": MAX, "window": 60, "lockout": 100, "scope": "hosts"}
    for number in range(10 if IN_FULL else 3):
        address = f"10.0.0.{number}"
        burst = both(two_hosts, Order(rule, address, [f"wrong{number}" for number in range(32)]))
        assert MAX == sum(len(outcome.verified) for outcome in burst)
        for outcome in both(two_hosts, Order(rule, address, ["right", "wrong"])):
            assert [] == outcome.verified
            assert {429} == {status for status, _ in outcome.answers}
            assert all(1 <= int(after) <= 100 for _, after in outcome.answers)


def both(hosts, order):
    for host in hosts:
        host.tell(order)
    return [Outcome(*host.hear()) for host in hosts]


def lock_between(one, other, address):
    """A lock that one host wrote lasts as long for the other."""
    rule = {"key": "ip", "max": 1, "window": 60, "lockout": 1, "scope": "lock"}

    def first_status(host, password):
        return Outcome(*host.ask(Order(rule, address, [password]))).answers[0][0]

    yield from lasts(Real, 1, lambda: first_status(one, "wrong"), lambda: first_status(other, "right") == 429)


def window_between(one, other, address):
    """A window that one host opened lasts as long for the other."""
    rule = {"key": "ip", "max": 3, "window": 1, "lockout": 60, "scope": "window"}

    def failures(host, *passwords):
        return Outcome(*host.ask(Order(rule, address, passwords))).failures

    yield from lasts(Real, 1, lambda: failures(one, "wrong"), lambda: failures(other) == 1)


@pytest.mark.parametrize("store", stores(*KEEPERS), indirect=True)
def test_ends_between_hosts(store, two_hosts):
    """What one host begins ends for the other when the store says so, whichever of them is ahead."""
    cases = {}
    for number, pair in enumerate((two_hosts, two_hosts[::-1])):
        cases[lock_between(*pair, f"10.0.0.{number}")] = 0
        cases[window_between(*pair, f"10.0.0.{number}")] = 0
    play(Real(), cases)


@pytest.mark.parametrize("store", stores(*KEEPERS), indirect=True)
def test_clock_set_back(store, verified):
    """A clock set back, in a burst and in a lock, buys no guess and changes no end; Retry-After stays in its bounds."""
    CountingBackend.delay = 0.05
    guess = door(max=MAX, window=60, lockout=2)

    def burst():
        working = at_all_times(lambda: guess().status_code == 429)
        time.sleep(CountingBackend.delay / 2)
        traveller.shift(-3600)
        for done in working:
            done.result()
        traveller.shift(-3600)
        assert MAX == len(verified)

    def held():
        response = guess("right")
        assert response.get("Retry-After") in {"1", "2", None}
        return response.status_code == 429

    with time_machine.travel(time.time()) as traveller:
        play(Real(), {lasts(Real, 2, burst, held): 0})
    assert [("bob", "right")] == verified[MAX:]

"""Guesses that end half-way, at each step: none more is verified than `max`, nothing is left for ever."""

import sys
import time
from contextlib import suppress

import pytest
from django.contrib.auth import authenticate

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.journal.entries import AFTER, KEPT
from lockout_decorators.records.record import parse
from tests.backends import CountingBackend
from tests.crashing import LOCKOUT, MAX, WINDOW, Guess, Record, Steps, killed, login, request_of, stepping
from tests.entries import journal_lives, lives, text_of
from tests.servers import hang_up, stores
from tests.sizes import IN_FULL

SHARED = ["files", "sqlite", "valkey", "memcached", "postgresql"]
STRIDE = 1 if IN_FULL else 3  # at home every third step has to do
KEY, CEILING = {"key": "ip"}, {"key": "ip+ua", "ceiling": 2}
LEAST = 4  # steps of the shortest guess: look, claim, verify, settle

# The policy, how often bob has failed before, and the password of the guess that ends half-way.
CASES = {
    "first": (KEY, 0, "wrong"),
    "locking": (KEY, MAX - 1, "wrong"),
    "locking, two counters": (CEILING, MAX - 1, "wrong"),
    "forgiving": (CEILING, 1, "right"),
}
TRIED = list(CASES) if IN_FULL else ["locking, two counters", "forgiving"]


def cases(names):
    """On each of these stores every case, in full; else one or the other."""
    tried = [(store, case) for store in names for case in TRIED]
    chosen = tried if IN_FULL else tried[::4] + tried[3::4]
    return pytest.mark.parametrize(
        ("store", "policy", "failures", "password"),
        [
            pytest.param(store, *CASES[case], marks=stores(store)[0].marks, id=f"{case}-{store}")
            for store, case in chosen
        ],
        indirect=["store"],
    )


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A hasher's record that other processes write to, too."""
    record = Record(tmp_path / "verified")
    monkeypatch.setattr(CountingBackend, "verified", record)
    return record


def assert_nothing_is_immortal(store, since=60):
    """Entries outlive the window or the lock by a little; written `since` seconds ago at most."""
    now, found = time.time(), lives(store)
    assert found
    for name, life in found.items():
        record = parse(text_of(store, name))
        whole, end = (LOCKOUT, record.until) if record.locked else (WINDOW, record.window)
        assert life is not None and whole - since < life <= whole + 4
        assert 0.5 < now + life - end / 1000 < 4


def assert_counted(policy, record, address, spent):
    """Others who guess on get what bob left of `max` and of the ceiling, of which a crash costs at most one guess.

    After his right guess his typo may be forgiven.
    """

    def tries(agent):
        before = record.count("eve's guess")
        for _ in range(MAX + 1):
            login(policy, Guess("eve", "eve's guess", agent, address))
        return record.count("eve's guess") - before

    limit = MAX * policy.get("ceiling", 1)
    least, most = spent
    first, *others = [tries(agent) for agent in "abc"]
    assert MAX - most <= first <= MAX - least
    assert max(others) <= MAX
    assert limit - most <= first + sum(others) <= limit - least
    before = record.count("right")
    assert 429 == login(policy, Guess("bob", "right", "d", address))
    assert before == record.count("right")


def prepare(policy, failures, address):
    for _ in range(failures):
        assert 401 == login(policy, Guess("bob", "typo", address=address))


def spent(record, failures, password, before):
    """The fewest and the most slots that may be taken after a guess that ended half-way."""
    if password == "right":
        return 0, failures + 1
    return failures + record.count("wrong") - before, failures + 1


@cases(SHARED)
def test_killed(store, policy, failures, password, record, set_up, settings):
    """A process that is killed in the middle of a guess, before and after whatever it does."""
    setup = set_up(store)._replace(cache=settings.CACHES["default"])
    step, was_killed = -STRIDE, True
    while was_killed:
        step += STRIDE
        address, before = f"10.0.0.{step}", record.count("wrong")
        prepare(policy, failures, address)
        was_killed = killed(setup, record.path, policy, Guess("bob", password, address=address), step)
        assert_counted(policy, record, address, spent(record, failures, password, before))
    assert step >= LEAST
    assert_nothing_is_immortal(store)


@cases(["valkey", "files", "locmem", "sqlite", "memcached", "postgresql"] if IN_FULL else ["locmem", "sqlite"])
def test_told_to_exit(store, policy, failures, password, record):
    """SystemExit in the middle of a guess, as in a worker whose time is up: the same, wherever it is raised."""
    step, was_told = -STRIDE, True
    while was_told:
        step += STRIDE
        address, before = f"10.0.0.{step}", record.count("wrong")
        prepare(policy, failures, address)
        steps = Steps(step, sys.exit)
        record.before = steps
        with suppress(SystemExit), stepping(steps):
            login(policy, Guess("bob", password, address=address))
        hang_up()  # as the end of the process does
        record.before = Steps(-1, sys.exit)
        assert_counted(policy, record, address, spent(record, failures, password, before))
        was_told = steps.left < 0
    assert step >= LEAST
    assert_nothing_is_immortal(store)


ERRORS = [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit]


@pytest.mark.parametrize("error", ERRORS)
def test_raised_by_a_view(error, verified):
    """Whatever a view raises after the failure, that is on record; the last of them locks."""
    policy = LockoutPolicy(max=MAX, window=WINDOW, lockout=LOCKOUT, scope="raised", **KEY)

    @lockout_protect(policy)
    def view(request):
        assert authenticate(request, username="bob", password="wrong") is None
        raise error

    request = request_of(Guess("bob", "wrong"))
    for failures in range(1, MAX + 1):
        with pytest.raises(error):
            view(request)
        assert failures == policy.status(request).failures == len(verified)
    assert 429 == view(request).status_code
    assert MAX == len(verified)


@pytest.mark.parametrize("error", ERRORS)
def test_raised_by_a_backend(error, verified, monkeypatch):
    """Whatever a backend raises, its slot stays taken; nobody is locked out by it."""

    def fail(self, request, username, password):
        verified.append((username, password))
        raise error

    monkeypatch.setattr(CountingBackend, "authenticate", fail)
    for _ in range(MAX):
        with pytest.raises(error):
            login(KEY, Guess("bob", "wrong"))
    assert 429 == login(KEY, Guess("bob", "right"))
    policy = LockoutPolicy(max=MAX, window=WINDOW, lockout=LOCKOUT, scope="crash", **KEY)
    status = policy.status(request_of(Guess("bob", "")))
    assert (MAX, 0, False) == (len(verified), status.failures, status.locked)


@pytest.mark.parametrize("store", stores(), indirect=True)
@pytest.mark.parametrize("policy", [KEY, CEILING], ids=["one counter", "two counters"])
def test_ordinary_traffic(store, policy):
    """Whatever is on record has its time, also while a guess is made; who has nothing on record has no entry."""
    policy = LockoutPolicy(max=MAX, window=WINDOW, lockout=LOCKOUT, scope="traffic", **policy)
    request = request_of(Guess("bob", ""))
    with policy.attempt(request, "bob"):
        assert_nothing_is_immortal(store)
    assert_nothing_is_immortal(store)
    with policy.attempt(request, "bob") as attempt:
        attempt.succeed()
    assert {} == lives(store)
    for _ in range(MAX):
        with policy.attempt(request, "eve"):
            pass
    with pytest.raises(LockedOut):
        policy.attempt(request, "eve").__enter__()
    assert_nothing_is_immortal(store)
    found, page = sorted(journal_lives(store).values())
    assert LOCKOUT - 1 < found - AFTER < LOCKOUT + 4 < KEPT - 1 < page < KEPT + 4
    policy.reset(request)
    assert {} == lives(store)


@pytest.mark.parametrize("store", stores(), indirect=True)
def test_lock_without_end(store):
    """Has no time until it is reset."""
    policy = LockoutPolicy(key="ip", max=1, window=WINDOW, lockout=None, scope="for ever")
    with policy.attempt(request_of(Guess("bob", ""))):
        pass
    assert [None] == [*lives(store).values()]

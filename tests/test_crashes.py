"""Guesses that end half-way, at each step: none more is verified than `max`, nothing is left for ever."""

import pickle
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.contrib.auth import authenticate
from django.core.cache import cache

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.slots import MARGIN
from tests.backends import CountingBackend
from tests.crashing import LOCKOUT, MAX, WINDOW, Guess, Record, Steps, killed, login, request_of, stepping
from tests.servers import hang_up, stores
from tests.sizes import IN_FULL
from tests.test_store import lives

SHARED = ["files", "sqlite", "valkey", "memcached", "postgresql"]
# Of the many small steps that a cache in files or a database takes a sample has to do; at home of all.
STRIDES = {"valkey": 1, "memcached": 1} if IN_FULL else {"valkey": 3, "memcached": 3}
STRIDE = 3 if IN_FULL else 17
KEY, CEILING = {"key": "ip"}, {"key": "ip+ua", "ceiling": 2}
LEAST = 6  # steps of the shortest guess: look, read, open, claim, verify, free

# The policy, how often bob has failed before, and the password of the guess that ends half-way.
CASES = {
    "first": (KEY, 0, "wrong"),
    "locking": (KEY, MAX - 1, "wrong"),
    "locking, two counters": (CEILING, MAX - 1, "wrong"),
    "forgiving": (CEILING, 1, "right"),
}
TRIED = list(CASES) if IN_FULL else ["locking, two counters", "forgiving"]
cases = pytest.mark.parametrize(("policy", "failures", "password"), [CASES[name] for name in TRIED], ids=TRIED)


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A hasher's record that other processes write to, too."""
    record = Record(tmp_path / "verified")
    monkeypatch.setattr(CountingBackend, "verified", record)
    return record


def stride(store):
    return STRIDES.get(store, STRIDE)


def assert_nothing_is_immortal(store, since=60):
    """Heads end with their window or lock, slots and elections a margin later; written `since` seconds ago at most."""
    values = [(value_of(store, name), life) for name, life in lives(store).items()]
    assert values
    for value, life in values:
        whole = {"window": WINDOW, "locked": LOCKOUT}.get(value.split()[0], WINDOW + MARGIN)
        assert life is not None and whole - since < life <= whole + 2, value


def value_of(store, name):
    if store == "files":
        with Path(name).open("rb") as file:
            pickle.load(file)  # when it ends
            return pickle.loads(zlib.decompress(file.read()))
    return cache.get(unquote(name).removeprefix(cache.make_key("")))


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


@pytest.mark.parametrize("store", stores(*SHARED), indirect=True)
@cases
def test_killed(store, policy, failures, password, record, set_up, settings):
    """A process that is killed in the middle of a guess, before and after whatever it does."""
    setup = set_up(store)._replace(cache=settings.CACHES["default"])
    step, was_killed = -stride(store), True
    while was_killed:
        step += stride(store)
        address, before = f"10.0.0.{step}", record.count("wrong")
        prepare(policy, failures, address)
        was_killed = killed(setup, record.path, policy, Guess("bob", password, address=address), step)
        assert_counted(policy, record, address, spent(record, failures, password, before))
    assert step >= LEAST
    assert_nothing_is_immortal(store)


@pytest.mark.parametrize("store", stores(), indirect=True)
@cases
def test_told_to_exit(store, policy, failures, password, record):
    """SystemExit in the middle of a guess, as in a worker whose time is up: the same, wherever it is raised."""
    step, was_told = -stride(store), True
    while was_told:
        step += stride(store)
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


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("place", ["backend", "view"])
def test_raised(error, place, verified, monkeypatch):
    """Whatever a backend raises, or a view after the failure, the failure is on record; the last of them locks."""
    policy = LockoutPolicy(max=MAX, window=WINDOW, lockout=LOCKOUT, scope="raised", **KEY)

    def fail(*args):
        verified.append(("bob", "wrong"))
        raise error

    @lockout_protect(policy)
    def view(request):
        assert authenticate(request, username="bob", password="wrong") is None
        raise error

    request = request_of(Guess("bob", "wrong"))
    if place == "backend":
        monkeypatch.setattr(CountingBackend, "authenticate", lambda self, request, username, password: fail())
    for failures in range(1, MAX + 1):
        with pytest.raises(error):
            view(request)
        assert failures == policy.status(request).failures == len(verified)
    assert 429 == view(request).status_code
    assert MAX == len(verified)


@pytest.mark.parametrize("store", stores(), indirect=True)
@pytest.mark.parametrize("policy", [KEY, CEILING], ids=["one counter", "two counters"])
def test_ordinary_traffic(store, policy):
    """Whatever guesses leave behind that came to their end has its time: also while one is made, and after a reset."""
    policy = LockoutPolicy(max=MAX, window=WINDOW, lockout=LOCKOUT, scope="traffic", **policy)
    request = request_of(Guess("bob", ""))
    for succeed in (False, True, False):
        with policy.attempt(request, "bob") as attempt:
            assert_nothing_is_immortal(store)
            if succeed:
                attempt.succeed()
        assert_nothing_is_immortal(store)
    policy.reset(request)
    assert_nothing_is_immortal(store)
    for _ in range(MAX):
        with policy.attempt(request, "eve"):
            pass
    with pytest.raises(LockedOut), policy.attempt(request, "eve"):
        pass  # pragma: no cover
    assert_nothing_is_immortal(store)

"""The numbers behind the charts: what they cost, on every engine and in every mishap."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import reduce
from types import SimpleNamespace

import pytest
from django.contrib.auth import authenticate
from django.core.cache import cache

from lockout_decorators import LockedOut, LockoutPolicy
from lockout_decorators.attempts.block import Block
from lockout_decorators.exceptions import StoreError
from lockout_decorators.journal import tallies
from lockout_decorators.journal.tally import STEP, STEPS, Tally
from lockout_decorators.stores import ABSENT, Store, Swapped, host_clock
from lockout_decorators.stores.locmem import LocMemStore
from tests.engines import TELLING

HERE = "default", "lockout"  # the cache, and the prefix of its keys


@pytest.fixture(autouse=True)
def journal(settings):
    settings.LOCKOUT_JOURNAL = True


@pytest.fixture
def policy():
    return LockoutPolicy(scope="s", key="ip", max=3)


@pytest.fixture
def asked(monkeypatch):
    """How often stores were asked to read, and to swap."""
    counts = Counter()
    for name in ("read", "swap"):
        method = getattr(Store, name)

        def counting(store, *args, method=method, name=name):
            counts[name] += 1
            return method(store, *args)

        monkeypatch.setattr(Store, name, counting)
    return counts


def guess(request, *policies, password="wrong"):
    """Whether it was refused."""
    try:
        with Block(policies, request):
            authenticate(request, username="bob", password=password)
    except LockedOut:
        return True
    return False


def total(scope="s"):
    """Of a day."""
    told, _ = tallies.read("default", [scope])
    return tuple(reduce(Tally.plus, told[scope].values(), Tally()))


def on_file(scope="s"):
    """Without what this process has yet to write."""
    tallies._unwritten.clear()
    return total(scope)


@pytest.mark.parametrize("store", TELLING, indirect=True)
def test_nothing_is_lost_on_any_engine(store, policy, request_, caplog):
    """Failures, the lock, and refusals; a right password is neither, and refused while locked. Both wait."""
    assert not guess(request_, policy, password="right")
    assert [False] * 3 + [True] * 2 == [guess(request_, policy) for _ in range(5)]
    assert guess(request_, policy, password="right")
    assert ((3, 1, 3), (0, 0)) == (total(), on_file()[1:])
    assert "charts lag behind" not in caplog.text


@pytest.mark.parametrize("batches", [None, "one by one"])
def test_what_it_costs(batches, request_, asked, settings, monkeypatch, caplog):
    """One call for a failure, whatever the policies, and where the store swaps one key at a time, too; none for
    anything else."""
    policies = [LockoutPolicy(scope=scope, key="ip", max=6, window=window) for scope in "st" for window in (60, 300)]
    swap = LocMemStore._swap

    def alone(store, changes, now):
        (change,) = changes
        return swap(store, [change], now)

    if batches:
        monkeypatch.setattr(LocMemStore, "_batches", lambda store, keys: [[key] for key in keys])
        monkeypatch.setattr(LocMemStore, "_swap", alone)

    def cost(password):
        costs = []
        for settings.LOCKOUT_JOURNAL in (None, True):
            asked.clear()
            guess(request_, *policies, password=password)
            costs.append(asked.total())
        return costs[1] - costs[0]

    assert [0, 1, 0, 1] == [cost(password) for password in ("right", "wrong", "right", "wrong")]
    assert [False] * 4 + [True] == [guess(request_, *policies) for _ in range(5)]
    assert [0, 0] == [cost("wrong"), cost("right")]
    assert [6, 6] == [total(scope)[0] for scope in "st"]
    assert "charts lag behind" not in caplog.text


def test_a_failure_that_locks_costs_one_call_more_with_the_charts_too(rf, asked, settings):
    """That of the journal: its count waits."""
    policy, costs = LockoutPolicy(scope="s", key="ip", max=1), []
    for settings.LOCKOUT_JOURNAL in (None, False, True):
        asked.clear()
        guess(rf.post("/", REMOTE_ADDR=f"192.0.2.{10 + len(costs)}"), policy)
        costs.append(asked.total())
    assert [3, 4, 4] == costs


def test_several_scopes_at_one_door_are_one_swap(request_, monkeypatch):
    """A failure counts once under each, whatever the policies of that."""
    policies = [LockoutPolicy(scope=scope, key=key, max=5) for scope in "st" for key in ("ip", "ip+ua")]
    swaps, swap = [], Store.swap
    monkeypatch.setattr(Store, "swap", lambda store, changes, now: swaps.append(changes) or swap(store, changes, now))
    guess(request_, *policies)
    assert [2] == [len(changes) for changes in swaps if "{tallies}" in changes[0].key]
    assert [(1, 0, 0)] * 2 == [on_file(scope) for scope in "st"]


def test_without_the_journal_nothing_is_counted(policy, request_, settings):
    """Whoever wants no names on file has no charts either."""
    for settings.LOCKOUT_JOURNAL in (False, None):
        guess(request_, policy)
    guess(request_, LockoutPolicy(scope="s", key="ip", max=1))
    guess(request_, LockoutPolicy(scope="s", key="ip", max=1))
    assert (0, 0, 0) == total()


def test_refusals_and_locks_wait_for_a_failure_or_ten_seconds(policy, request_, monkeypatch, rf):
    """Meanwhile this process tells of them all the same."""
    now = 100.0
    monkeypatch.setattr(tallies, "time", SimpleNamespace(monotonic=lambda: now))
    for _ in range(5):
        guess(request_, policy)
    key = tallies.key_of("s", tallies.own_number())
    assert (["2", "0", "0"], (3, 1, 2)) == (cache.get(key).split("\n")[2:], total())
    now += tallies.REST + 1
    guess(request_, policy)
    assert ["3", "1", "3"] == cache.get(key).split("\n")[2:]
    guess(request_, policy)
    guess(rf.post("/", REMOTE_ADDR="192.0.2.8"), policy)
    assert (4, 1, 4) == on_file()


def test_what_is_lost_to_others_is_written_with_the_next(policy, request_):
    """Another process has the same entry."""
    guess(request_, policy)
    other = tallies._unwritten.pop(HERE)
    guess(request_, policy)
    assert (2, 0, 0) == total()
    mine = tallies._unwritten.pop(HERE)
    tallies._unwritten[HERE] = other
    tallies.count("default", {"s": Tally(failures=1)}, host_clock())
    assert (2, 0, 0) == total()
    tallies._unwritten[HERE] = mine
    for _ in range(2):
        tallies.count("default", {"s": Tally(failures=1)}, host_clock())
    assert (5, 0, 0) == on_file()


def test_threads_lose_nothing():
    """Whoever finds another one writing leaves its count behind."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: tallies.count("default", {"s": Tally(1)}, host_clock()), range(200)))
    assert (200, 0, 0) == total()
    tallies.count("default", {"s": Tally(1)}, host_clock())
    assert (201, 0, 0) == on_file()


def test_nothing_is_left_to_write_where_another_thread_has(monkeypatch, asked):
    """It comes too late to the turn; the store is not asked for nothing."""
    mine = tallies._unwritten[HERE] = tallies.Unwritten("default")
    write = mine._write

    def writing(now):
        write(now)
        asked.clear()
        write(now)

    monkeypatch.setattr(mine, "_write", writing)
    tallies.count("default", {"s": Tally(1)}, host_clock())
    assert (0, (1, 0, 0)) == (asked.total(), on_file())


def test_what_waits_longer_than_a_day_is_forgotten(time_machine, monkeypatch):
    """Of one scope, while another one is counted."""
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    with monkeypatch.context() as broken:
        broken.setattr(Store, "swap", lambda store, changes, now: Swapped(False, [ABSENT]))
        tallies.count("default", {"s": Tally(1)}, host_clock())
    time_machine.shift(2 * 86400)
    tallies.count("default", {"t": Tally(1)}, host_clock())
    assert ((0, 0, 0), (1, 0, 0)) == (total(), on_file("t"))
    assert cache.get(tallies.key_of("s", tallies.own_number())) is None


def test_what_a_thread_leaves_behind_waits(monkeypatch):
    """It is counted while the other one writes."""
    swap = Store.swap

    def swapping(store, changes, now):
        monkeypatch.undo()
        tallies.count("default", {"s": Tally(1)}, now)
        return swap(store, changes, now)

    monkeypatch.setattr(Store, "swap", swapping)
    tallies.count("default", {"s": Tally(1)}, host_clock())
    assert ((2, 0, 0), (1, 0, 0)) == (total(), on_file())


def test_a_day_is_kept_and_no_more(time_machine):
    """However long an attack goes on, and whatever the clocks of other hosts say."""
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    for _ in range(2 * STEPS):
        time_machine.shift(STEP / 1000)
        tallies.count("default", {"s": Tally(9998, 9999, 9999)}, host_clock())
        tallies.count("default", {"s": Tally(1)}, host_clock())
    course, now = tallies.read("default", ["s"])
    assert [*range(now // STEP - STEPS, now // STEP + 1)] == sorted(course["s"])
    assert len(cache.get(tallies.key_of("s", tallies.own_number()))) < 8000
    tallies.count("default", {"s": Tally(refusals=1)}, host_clock())
    time_machine.shift(2 * 86400)
    assert (0, 0, 1) == total()
    for _ in range(2):
        tallies.count("default", {"s": Tally(1)}, host_clock())
    assert (2, 0, 0) == on_file()


def test_what_holds_no_numbers_counts_as_absent(policy, request_, caplog):
    """It is told as an error, and written anew."""
    cache.set(tallies.key_of("s", tallies.own_number()), "junk-junk-junk-junk-junk", None)
    for _ in range(2):
        guess(request_, policy)
    assert (2, 0, 0) == on_file()
    assert "holds no numbers for charts, and counts as absent: 'junk" in caplog.text


def test_a_cache_that_fails_costs_nothing_but_the_numbers(policy, request_, monkeypatch, caplog):
    """It is told once, and asked again after ten seconds; then nothing was lost."""
    now, swap = 100.0, Store.swap
    monkeypatch.setattr(tallies, "time", SimpleNamespace(monotonic=lambda: now))

    def failing(store, changes, now):
        if "{tallies}" in changes[0].key:
            raise StoreError(store.alias, ConnectionError("gone"))
        return swap(store, changes, now)

    with monkeypatch.context() as broken:
        broken.setattr(Store, "swap", failing)
        assert [False, False, False, True] == [guess(request_, policy) for _ in range(4)]
    assert 1 == caplog.text.count("cache 'default' failed, charts lag behind: ConnectionError('gone')")
    now += tallies.REST + 1
    guess(request_, policy)
    assert (3, 1, 2) == on_file()

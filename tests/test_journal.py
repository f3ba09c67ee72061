"""The journal: locks under their references, and the list of the recent ones, on every engine and in every mishap."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import authenticate
from django.core.cache import cache

from lockout_decorators import LockoutPolicy
from lockout_decorators.exceptions import StoreError
from lockout_decorators.journal import entries
from lockout_decorators.journal.lock import Lock, new_code, parse, spell_reference, stamped
from lockout_decorators.stores import Change, Store, Swapped, host_clock, store_for
from lockout_decorators.support import finding
from lockout_decorators.support.unlocking import unlock
from tests.engines import TELLING
from tests.entries import lock_out, of_locmem


@pytest.fixture
def policy():
    return LockoutPolicy(scope="s", key="ip+username", max=1, ceiling=1)


def made(number=1):
    """Locks, as they are put on file."""
    began = host_clock()
    references = [spell_reference(new_code()) for _ in range(number)]
    return [Lock(reference, "s", "ip", "key", "record", began, began + 60_000) for reference in references]


@pytest.mark.parametrize("store", TELLING, indirect=True)
def test_locks_are_found_listed_and_lifted_on_every_engine(store, policy, request_):
    """The key's and the ceiling's that fall at once too; a second time there is nothing."""
    reference = lock_out(policy, request_, "bob")
    listed = finding.recent()
    assert ["ceiling", "key"] == sorted(one.status.counter for one in listed)
    assert reference in [one.status.reference for one in listed]
    for one in listed:
        found = finding.by_reference(one.status.reference)
        assert (one.status, True) == (found.status, found.status.locked)
        assert [True, False] == [unlock(found, "test"), unlock(found, "test")]
    assert not policy.status(request_, "bob").failures
    assert [False, False] == [one.status.locked for one in finding.recent()]


def test_the_last_lock_is_listed_first():
    """By when they fell, whichever page they lie on; people read when that was."""
    now, store, ages = host_clock(), store_for("default"), [3, 1, 4, 0, 2]
    for lock, hours in zip(made(len(ages)), ages, strict=True):
        began = now - hours * 3_600_000
        entries.enter(store, [lock._replace(began=began, ends=began + 60_000)], now)
    listed = entries.recent("default")
    assert sorted(ages) == [(now - lock.began) // 3_600_000 for lock in listed]
    assert [60.0] * 5 == [(lock.until - lock.since).total_seconds() for lock in listed]
    assert abs(listed[0].since.timestamp() - time.time()) < 60


def test_a_long_lock_is_found_for_a_day_after_its_end():
    """Whatever rounding does to a month."""
    now, store = host_clock(), store_for("default")
    lock = made()[0]._replace(began=now, ends=now + 30 * 86_400_000)
    entries.enter(store, [lock], now)
    assert -2 <= max(end for end in of_locmem().values()) - lock.ends / 1000 - 86400 <= 2


def test_locks_of_many_threads_are_all_listed():
    """Whoever loses a page to another one writes it again."""
    locks = made(64)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda lock: entries.enter(store_for("default"), [lock], host_clock()), locks))
    assert set(locks) == set(entries.recent("default"))
    assert locks == [entries.find("default", lock.reference) for lock in locks]


def test_a_page_that_is_always_lost_loses_the_list_alone(monkeypatch):
    """The lock is found by its reference; nobody spins."""
    (lock,), store, asked = made(), store_for("default"), []
    swap = store.swap

    def losing(changes, now):
        asked.append(len(changes))
        swap([change for change in changes if ":page" not in change.key], now)
        return Swapped(False, store.read([change.key for change in changes]).found)

    monkeypatch.setattr(store, "swap", losing)
    entries.enter(store, [lock], host_clock())
    assert [2, *[1] * (entries.TRIES - 1)] == asked
    assert (lock, []) == (entries.find("default", lock.reference), entries.recent("default"))


@pytest.mark.parametrize("store", ["locmem", "sqlite", "valkey"], indirect=True)
def test_who_always_loses_a_page_has_a_reference_all_the_same(store, request_, verified, monkeypatch):
    """A botnet makes locks faster than others list theirs: somebody writes the page before each of their tries."""
    swap = Store.swap

    def beaten(store, changes, now):
        for key in [change.key for change in changes if ":page" in change.key]:
            swap(store, [Change(key, store.read([key]).found[0].token, stamped(), 60)], host_clock())
        return swap(store, changes, now)

    monkeypatch.setattr(Store, "swap", beaten)
    policy = LockoutPolicy(scope="s", key="username", max=1, ceiling=None)
    reference = lock_out(policy, request_, "bob")
    assert [] == finding.recent()
    assert unlock(finding.by_reference(reference), "test")
    with policy.observe(request_):
        assert authenticate(request_, username="bob", password="right")
    assert [("bob", "right")] == verified


@pytest.mark.parametrize("store", ["valkey", "memcached"], indirect=True)
def test_locks_of_one_page_stand_beside_each_other(store, monkeypatch):
    """Where a swap tells what stands there, and where only a look does."""
    monkeypatch.setattr(entries, "PAGES", 1)
    locks = made(3)
    for lock in locks:
        entries.enter(store_for("default"), [lock], host_clock())
    assert set(locks) == {*entries.recent("default")}


def test_two_caches_of_a_kind_are_two(monkeypatch, settings):
    """Each list is seen by itself: a lock costs one swap, and is in that one alone."""
    locmem = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {"default": locmem, "other": {**locmem, "LOCATION": "other"}}
    monkeypatch.setattr(entries, "PAGES", 1)
    asked, swap = [], Store.swap
    monkeypatch.setattr(Store, "swap", lambda store, *args: asked.append(store.alias) or swap(store, *args))
    filed = {"default": made(3), "other": made(3)}
    for locks in zip(*filed.values(), strict=True):
        for alias, lock in zip(filed, locks, strict=True):
            entries.enter(store_for(alias), [lock], host_clock())
    assert ["default", "other"] * 3 == asked
    assert {alias: set(locks) for alias, locks in filed.items()} == {alias: {*entries.recent(alias)} for alias in filed}


def test_a_journal_that_fails_takes_no_lock_away(policy, request_, monkeypatch, caplog):
    """It is told as an error."""
    swap = Store.swap

    def failing(store, changes, now):
        if "{locks}" in changes[0].key:
            raise StoreError(store.alias, ConnectionError("gone"))
        return swap(store, changes, now)

    monkeypatch.setattr(Store, "swap", failing)
    reference = lock_out(policy, request_, "bob")
    assert policy.status(request_, "bob").locked
    assert finding.by_reference(reference) is None
    assert "cache 'default' failed, locks can't be found by reference: ConnectionError('gone')" in caplog.text


def test_a_lock_that_nobody_can_lift_is_an_error(policy, request_, monkeypatch):
    """Others come between all the time."""
    found = finding.by_reference(lock_out(policy, request_, "bob"))
    monkeypatch.setattr(Store, "swap", lambda store, changes, now: Swapped(False, ()))
    with pytest.raises(StoreError, match="others came between 100 times"):
        unlock(found, "test")


# What is damaged, or somebody else's


def test_what_is_no_list_counts_as_absent(policy, request_, caplog):
    """It is told as an error; the next lock has the page."""
    reference = lock_out(policy, request_, "bob")
    for number in range(entries.PAGES):
        cache.set(entries.page_key(number), "junk\nof others", None)
    assert finding.recent() == []
    assert r":page00 holds what is no lock, and counts as absent: 'of others'" in caplog.text
    cache.set(entries._key(reference), 7, None)
    assert finding.by_reference(reference) is None
    policy.reset(request_, "bob")
    reference = lock_out(policy, request_, "eve")
    assert reference in [one.status.reference for one in finding.recent()]


GOOD = Lock("7F3K-92QD", "s", "ip", "key", "r", 1, 2)._asdict()
JUNK = {
    "reference": [7, "junk", None],
    "scope": [7, []],
    "key": [None],
    "counter": ["other"],
    "record": ["a b", "", "r" * 251],
    "began": ["1", 1.5, True, -1, 1 << 60],
    "ends": [None, 1e400],
    "address": [7],
    "username": [0, False, ["bob"]],
}
DAMAGED = ["abcdefg", dict(GOOD), [], *([*(GOOD | {name: one}).values()] for name in JUNK for one in JUNK[name])]


@pytest.mark.parametrize("damaged", DAMAGED, ids=ascii)
def test_what_only_looks_like_a_lock_counts_as_absent(damaged, policy, request_, caplog):
    """It hides none of the others."""
    assert parse(json.dumps([*GOOD.values()]))
    reference = lock_out(policy, request_, "bob")
    for key in (entries.page_key(0), entries._key("7F3K-92QD")):
        cache.set(key, f"stamp\n{json.dumps(damaged)}", None)
    assert finding.by_reference("7F3K-92QD") is None
    assert "7F3K-92QD" not in [one.status.reference for one in finding.recent()]
    assert finding.by_reference(reference).status.locked
    assert caplog.text.count("holds what is no lock") == 2


def test_a_record_that_is_none_is_no_lock(policy, request_):
    """It is not lifted either."""
    found = finding.by_reference(lock_out(policy, request_, "bob"))
    cache.set(found.record, "junk", None)
    assert not finding.by_reference(found.status.reference).status.locked
    assert not unlock(found, "test")

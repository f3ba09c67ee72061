"""The journal: locks under their references, and the list of the recent ones, on every engine and in every mishap."""

import time
from threading import Barrier, Thread

import pytest
from django.contrib.auth import authenticate

from lockout_decorators import LockoutPolicy
from lockout_decorators.exceptions import StoreError
from lockout_decorators.journal import entries
from lockout_decorators.journal.lock import Lock, new_code, spell_reference, stamped
from lockout_decorators.stores import Change, Store, Swapped, host_clock, store_for
from lockout_decorators.support import finding
from lockout_decorators.support.unlocking import unlock
from tests.engines import TELLING
from tests.entries import of_locmem
from tests.locks import lock_out


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
    locks, barrier = made(64), Barrier(8)

    def file(mine):
        store = store_for("default")
        barrier.wait()
        for lock in mine:
            entries.enter(store, [lock], host_clock())

    threads = [Thread(target=file, args=[locks[n::8]]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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

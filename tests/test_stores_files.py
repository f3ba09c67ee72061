"""File caches: what stands in the folder, and what becomes of it."""

import os
import pickle
import threading
import zlib
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.files import locks

from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Change, files, host_clock, store_for
from tests.servers import files as setup_of
from tests.servers import use
from tests.swaps import put, standing


@pytest.fixture
def folder(tmp_path):
    """The folder of the default cache, which has room for three entries."""
    folder = tmp_path / "cache"
    with setup_of(folder) as setup, use(setup._replace(cache={**setup.cache, "OPTIONS": {"MAX_ENTRIES": 3}})):
        yield folder


@pytest.fixture
def store(folder, monkeypatch):
    monkeypatch.setattr(files.random, "randrange", lambda most: 1)
    return store_for("default")


def file_of(key):
    return Path(cache._key_to_file(key))


def entries(folder):
    return {file.name for file in folder.glob("*.djcache")}


def test_the_format_is_that_of_the_cache(store):
    """So that its own methods tell the same."""
    put(store, "a", "text")
    assert "text" == cache.get("a")
    assert cache.touch("a", 30)
    assert ["text"] == standing(store, "a")


def test_a_reader_deletes_nothing(store, folder, travel):
    """What has expired by its look may be what a writer has just renewed."""
    put(store, "a", "text")
    travel(61)
    assert [None] == standing(store, "a")
    assert {file_of("a").name} == entries(folder)
    put(store, "a", "again")
    assert ["again"] == standing(store, "a")


def test_no_entry_makes_room_for_another(store, folder):
    """MAX_ENTRIES would be kept at the cost of entries that chance picks, locks among them."""
    for number in range(10):
        put(store, f"a{number}", "text")
    assert 10 == len(entries(folder))


def test_sweeping(store, folder, travel, monkeypatch):
    """One of many swaps removes what has expired of some entries; what can't be read stays."""
    for number in range(6):
        put(store, f"old{number}", "text", 10)
    put(store, "fresh", "text", 600)
    put(store, "for_ever", "text", None)
    (folder / "damaged.djcache").write_bytes(b"damaged")
    travel(11)
    monkeypatch.setattr(files.random, "randrange", lambda most: 0)
    monkeypatch.setattr(files, "MOST", 5)
    put(store, "fresh", "text")
    assert 9 > len(entries(folder)) >= 4
    monkeypatch.setattr(files, "MOST", 100)
    put(store, "fresh", "text")
    assert {"damaged.djcache", file_of("fresh").name, file_of("for_ever").name} == entries(folder)


def test_renewed_before_it_is_swept(store, travel, monkeypatch):
    """Whoever finds an entry expired looks again when nobody else can write it."""
    put(store, "a", "text", 10)
    over = iter([True, False])
    monkeypatch.setattr(files, "is_over", lambda content: next(over))
    files.sweep([os.fspath(file_of("a"))])
    assert "text" == cache.get("a")


DAMAGED = {
    "empty": b"",
    "garbage": b"\xff\x00 garbage",
    "half": pickle.dumps(None) + zlib.compress(pickle.dumps("text"))[:-3],
    "no pickle": pickle.dumps(None) + zlib.compress(b"text"),
    "no time": pickle.dumps("text") + zlib.compress(pickle.dumps("text")),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_entries(store, content):
    """Are told to be bytes, which is no record; an empty one is none to Django either. They can be written over."""
    put(store, "a", "text")
    file_of("a").write_bytes(content)
    assert ["<bytes>" if content else None] == standing(store, "a")
    put(store, "a", "again")
    assert ["again"] == standing(store, "a")


def test_a_folder_that_is_deleted(store, folder):
    """Takes its entries with it, and is made anew."""
    put(store, "a", "text")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert [None] == standing(store, "a")
    put(store, "a", "again")
    assert ["again"] == standing(store, "a")
    assert 0o700 == folder.stat().st_mode & 0o777


def test_a_folder_that_somebody_else_makes_anew(store, folder, monkeypatch):
    """Between two steps of whoever would have made it."""
    private = files.private

    def miss(name, flags):
        monkeypatch.setattr(files, "private", private)
        raise FileNotFoundError

    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(files, "private", miss)
    put(store, "a", "text")
    assert ["text"] == standing(store, "a")


def test_nothing_is_kept_of_a_lock(store, monkeypatch):
    """No file stays open; and a child process that was forked meanwhile, and has the same files, holds up nobody."""
    opened, children = files.opened, []
    os.close(before := os.dup(0))
    monkeypatch.setattr(files, "opened", lambda name: children.append(os.dup(lock := opened(name))) or lock)
    put(store, "a", "text")
    swap = threading.Thread(target=put, args=[store, "a", "again"], daemon=True)
    swap.start()
    swap.join(5)
    for lock in children:
        os.close(lock)
    assert not swap.is_alive()
    os.close(after := os.dup(0))
    assert before == after


def test_for_this_user_alone(store, folder):
    """As the cache's own files are; and there are sixteen beside the entries, whatever their number."""
    for number in range(100):
        put(store, f"a{number}", "text")
    assert {0o600} == {file.stat().st_mode & 0o777 for file in folder.iterdir()}
    beside = {file.name for file in folder.iterdir()} - entries(folder)
    assert {f"lockout-{digit}.lock" for digit in "0123456789abcdef"} == beside
    cache.clear()
    assert beside == {file.name for file in folder.iterdir()}


def test_keys_that_share_a_lock(store):
    """Are held by one."""
    names = [f"a{number}" for number in range(40)]
    assert store.swap([Change(key, None, "text", 60) for key in names], host_clock()).won
    assert ["text"] * 40 == standing(store, *names)


def test_where_nothing_can_be_locked(store, monkeypatch):
    """As Django's own locks are where the system has none: that is an outage, not a silent gap."""
    monkeypatch.setattr(locks, "lock", lambda file, flags: False)
    with pytest.raises(StoreError, match="can't be locked"):
        store.swap([Change("a", None, "text", 60)], host_clock())
    assert [None] == standing(store, "a")


def test_a_file_that_somebody_reads(store, monkeypatch):
    """On Windows it can't be replaced then; Django has a way."""

    def refuse(source, target):
        raise PermissionError

    monkeypatch.setattr(files.os, "replace", refuse)
    put(store, "a", "text")
    put(store, "a", "again")
    assert ["again"] == standing(store, "a")

"""LocMem: one lock of the process."""

import pickle
from collections.abc import Sequence
from contextlib import AbstractContextManager
from operator import attrgetter
from threading import Lock
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from .store import ABSENT, Change, Found, LockingStore, Reading, Store, Swapped, host_clock, is_stale, text_in

_lock, _token = Lock(), attrgetter("token")


class LocMemStore(Store):
    """Django's own class, which is entered where its entries lie, under its own lock: its front door looks at each
    letter of a key, which takes longer than all else. A token is the entry as it lies there."""

    way = "Whoever swaps holds the cache's own lock."

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return type(cache) is LocMemCache

    def _read(self, keys: Sequence[str]) -> Reading:
        names = list(map(self.cache.make_key, keys))
        with self.cache._lock:
            entries = list(map(self._entry, names))
        return Reading(list(map(_found, entries)), host_clock)

    def _swap(self, changes: Sequence[Change], now: int) -> Swapped:
        names = [self.cache.make_key(change.key) for change in changes]
        with self.cache._lock:
            entries = list(map(self._entry, names))
            stale = is_stale(now)
            if stale or entries != list(map(_token, changes)):
                return Swapped(False, list(map(_found, entries)), stale=stale)
            return Swapped(True, list(map(self._write, names, changes)))

    def _entry(self, name: str) -> bytes | None:
        entry: bytes | None = self.cache._cache.get(name)
        return None if entry is None or self.cache._has_expired(name) else entry

    def _write(self, name: str, change: Change) -> Found:
        self.cache._delete(name)  # or a full cache would make room for what is there already
        if change.text is None:
            return ABSENT
        entry = pickle.dumps(change.text, self.cache.pickle_protocol)
        self.cache._set(name, entry, change.life)
        return Found(change.text, entry)


def _found(entry: bytes | None) -> Found:
    if entry is None:
        return ABSENT
    return Found(text_in(pickle.loads(entry)), entry)  # noqa: S301  # the process has put it there


class LocMemSubclassStore(LockingStore):
    """What somebody made of it is asked by its methods, and whether it has done as it was told."""

    way = "Whoever swaps holds a lock of the process."

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return isinstance(cache, LocMemCache)

    def hold(self, keys: Sequence[str]) -> AbstractContextManager[Any]:
        return _lock

    def _write(self, change: Change) -> None:
        super()._write(change)
        if self.cache.get(change.key) != change.text:
            raise OSError(f"not stored: {change.key}")

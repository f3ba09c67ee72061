"""LocMem: one lock of the process."""

import pickle
from collections.abc import Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from .store import Change, Found, LockingStore, Reading, host_clock

_lock = Lock()


class LocMemStore(LockingStore):
    """Django's own class is entered where its entries lie: its front door checks each letter of a key, which takes longer
    than all else. A subclass is asked by its methods."""

    def __init__(self, alias: str, cache: Any) -> None:
        super().__init__(alias, cache)
        self._entered: bool = type(cache) is LocMemCache

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return isinstance(cache, LocMemCache)

    def hold(self, keys: Sequence[str]) -> AbstractContextManager[Any]:
        return _lock

    def _read(self, keys: Sequence[str]) -> Reading:
        if not self._entered:
            return super()._read(keys)
        return Reading([self._find(self.cache.make_key(key)) for key in keys], host_clock)

    def _find(self, name: str) -> Found:
        with self.cache._lock:
            entry = self.cache._cache.get(name)
            if entry is None or self.cache._has_expired(name):
                return ABSENT
        text = pickle.loads(entry)  # noqa: S301  # the process has put it there itself
        return Found(text, text)

    def _write(self, change: Change) -> None:
        if not self._entered:
            return super()._write(change)
        name = self.cache.make_key(change.key)
        with self.cache._lock:
            if change.text is None:
                self.cache._delete(name)
            else:
                self.cache._set(name, pickle.dumps(change.text, self.cache.pickle_protocol), change.life)
        return None


ABSENT = Found(None, None)

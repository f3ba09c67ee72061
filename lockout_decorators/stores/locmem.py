"""LocMem: one lock of the process."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from .store import LockingStore

_lock = Lock()


class LocMemStore(LockingStore):
    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return isinstance(cache, LocMemCache)

    def hold(self, keys: Sequence[str]) -> AbstractContextManager[Any]:
        return _lock

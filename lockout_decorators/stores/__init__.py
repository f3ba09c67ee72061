"""The only room that touches a cache: one file per kind, each with `read` and `swap`."""

from django.core.cache import BaseCache, caches

from ..exceptions import StoreError
from .database import DatabaseStore
from .files import FileStore
from .guarded import NonAtomicStore
from .locmem import LocMemStore, LocMemSubclassStore
from .memcached import PyLibMCStore, PyMemcacheStore
from .redis import RedisStore
from .store import ABSENT, UNKNOWN, Change, Clock, Found, Reading, Store, Swapped, host_clock

__all__ = ["ABSENT", "UNKNOWN", "Change", "Clock", "Found", "Reading", "Store", "Swapped", "host_clock", "store_for"]

KINDS: tuple[type[Store], ...] = (
    LocMemStore,
    LocMemSubclassStore,
    DatabaseStore,
    FileStore,
    RedisStore,
    PyMemcacheStore,
    PyLibMCStore,
    NonAtomicStore,
)  # the last one serves every cache
ATTRIBUTE = "_lockout_store"


def store_for(alias: str) -> Store:
    """The store of a cache alias; made once for each cache object, of which each thread has its own.

    Which one follows from the class and the configuration of the alias alone, so it is the same in every process.
    Raises StoreError.
    """
    try:
        cache = caches[alias]
        store: Store | None = vars(cache).get(ATTRIBUTE)
        if store is None:
            store = kind_of(cache)(alias, cache)
            setattr(cache, ATTRIBUTE, store)
    except Exception as error:
        raise StoreError(alias, error) from error
    return store


def kind_of(cache: BaseCache) -> type[Store]:
    """The first kind that serves caches of this class and configuration."""
    return next(kind for kind in KINDS if kind.serves(cache))

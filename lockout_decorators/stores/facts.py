"""What a cache alias is, for the system checks: without asking its server."""

from typing import NamedTuple

from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import connections, router


class Facts(NamedTuple):
    """Whether a cache forgets all, is undone by a rollback, or is shared by one process or host only; and its size."""

    forgets: bool
    rolled_back: bool
    one_process: bool
    one_host: bool
    max_entries: int | None


def facts(alias: str) -> Facts:
    """Look at how a cache is configured. Raises what its backend raises."""
    cache = caches[alias]
    model = getattr(cache, "cache_model_class", None)
    database = router.db_for_write(model) if model else None
    atomic = database and connections[database].settings_dict["ATOMIC_REQUESTS"]
    bounded = isinstance(cache, LocMemCache | FileBasedCache | DatabaseCache)
    return Facts(
        forgets=isinstance(cache, DummyCache),
        rolled_back=bool(atomic),
        one_process=isinstance(cache, LocMemCache),
        one_host=isinstance(cache, FileBasedCache),
        max_entries=cache._max_entries if bounded else None,
    )

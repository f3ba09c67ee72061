"""The only file that touches a cache: performs the operations of the slot protocol on a cache alias."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import get_ident
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.core.cache import BaseCache, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.core.files import locks
from django.db import connections, router
from django.utils import timezone

from .exceptions import StoreError
from .operations import Access, Add, Read, Sleep, Steps, Write, is_head

T = TypeVar("T")

AHEAD = timedelta(seconds=1)  # how long before its time an expired head is removed from a database cache


Work = Generator[Callable[[], Any] | Sleep, Any, T]  # yields what may block, and is sent what came of it


def run(steps: Work[T]) -> T:
    """Drive `steps` in this thread."""
    resume, value = steps.send, None
    try:
        while True:
            step = resume(value)
            try:
                value, resume = _perform(step), steps.send
            except Exception as error:
                value, resume = error, steps.throw
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


async def arun(steps: Work[T]) -> T:
    """See run(). Calls hop to Django's thread, sleeps stay on the loop."""
    resume, value = steps.send, None
    try:
        while True:
            step = resume(value)
            try:
                value, resume = await _aperform(step), steps.send
            except Exception as error:
                value, resume = error, steps.throw
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def _perform(step: Callable[[], Any] | Sleep) -> Any:
    return time.sleep(step.seconds) if isinstance(step, Sleep) else step()


def _aperform(step: Callable[[], Any] | Sleep) -> Awaitable[Any]:
    return asyncio.sleep(step.seconds) if isinstance(step, Sleep) else sync_to_async(step, thread_sensitive=True)()


class Store:
    """A cache alias, as one request uses it; each thread has its own cache object."""

    __slots__ = ("_cache", "_thread", "alias")

    def __init__(self, alias: str) -> None:
        self.alias: str = alias
        self._cache: Any = None
        self._thread: int | None = None

    def through(self, steps: Steps[T]) -> Work[T]:
        """Turn the operations that `steps` yield into calls on the cache; StoreError is thrown into them."""
        resume, value = steps.send, None
        try:
            while True:
                operation = resume(value)
                try:
                    step = operation if isinstance(operation, Sleep) else partial(self.perform, operation)
                    value, resume = (yield step), steps.send
                except StoreError as error:
                    value, resume = error, steps.throw
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def perform(self, operation: Access) -> Any:
        """One round trip. Raises StoreError."""
        try:
            if self._thread != get_ident():
                self._cache, self._thread = caches[self.alias], get_ident()
            cache = self._cache
            if isinstance(cache, FileBasedCache):
                with _locked_files(Path(vars(cache)["_dir"]), operation.keys):
                    return _ask(cache, operation)
            if isinstance(cache, DatabaseCache):
                _sweep(cache, [key for key in operation.keys if is_head(key)])
            return _ask(cache, operation)
        except Exception as error:
            raise StoreError(self.alias, error) from error


@dataclass(frozen=True, slots=True)
class Facts:
    """What a cache alias is, for the system checks."""

    forgets: bool
    rolled_back: bool
    one_process: bool
    replicas: bool
    max_entries: int | None


def facts(alias: str) -> Facts:
    """Look at how a cache is configured. Raises what its backend raises."""
    cache = caches[alias]
    database = router.db_for_write(cache.cache_model_class) if isinstance(cache, DatabaseCache) else None
    atomic = database and connections[database].settings_dict["ATOMIC_REQUESTS"]
    bounded = isinstance(cache, LocMemCache | FileBasedCache | DatabaseCache)
    return Facts(
        forgets=isinstance(cache, DummyCache),
        rolled_back=bool(atomic),
        one_process=isinstance(cache, LocMemCache),
        replicas=isinstance(cache, RedisCache) and len(vars(cache)["_servers"]) > 1,
        max_entries=cache._max_entries if bounded else None,
    )


def seconds(cache: BaseCache, timeout: float | None) -> int | None:
    """Whole seconds, rounded up so that nothing ends early: stores that truncate get one more, and a database cache
    another one for being swept `AHEAD` of time."""
    if timeout is None:
        return None
    exact = isinstance(cache, LocMemCache | FileBasedCache | RedisCache)
    return math.ceil(timeout) + (2 if isinstance(cache, DatabaseCache) else 0 if exact else 1)


def _ask(cache: BaseCache, operation: Access) -> Any:
    match operation:
        case Add(key, value, timeout):
            return bool(cache.add(key, value, seconds(cache, timeout)))
        case Read(keys):
            return cache.get_many(keys)
        case Write(entries, timeout):
            # By set_many even where it is one: Django's `set` on memcached deletes what could not be stored, silently.
            if failed := cache.set_many(entries, seconds(cache, timeout)):
                raise OSError(f"not stored: {', '.join(failed)}")
            return None
        case _:
            return cache.delete_many(operation.keys)


@contextmanager
def _locked_files(folder: Path, keys: tuple[str, ...]) -> Iterator[None]:
    """Make `get` and `add` atomic: hold the OS locks of the clients of `keys`; there are sixteen, taken in order."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        for stripe in sorted({key.rpartition(":")[2][0] for key in keys}):
            file = stack.enter_context((folder / f"lockout-{stripe}.lock").open("a"))
            locks.lock(file, locks.LOCK_EX)
            stack.callback(locks.unlock, file)
        yield


def _sweep(cache: DatabaseCache, heads: list[str]) -> None:
    """Remove expired heads: on an expired entry Django's `add` lets several win, and its `get` deletes what a peer may
    just have renewed. A second ahead of their time, so that neither meets one that expires under its hands."""
    if not heads:
        return
    connection = connections[router.db_for_write(cache.cache_model_class)]
    quote = connection.ops.quote_name
    table = quote(vars(cache)["_table"])
    sql = f"DELETE FROM {table} WHERE {quote('cache_key')} = %s AND {quote('expires')} < %s"  # noqa: S608
    now = connection.ops.adapt_datetimefield_value(timezone.now() + AHEAD)
    with connection.cursor() as cursor:
        for key in heads:
            cursor.execute(sql, [cache.make_and_validate_key(key), now])

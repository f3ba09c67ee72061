"""The only file that touches a cache: performs the operations of the slot protocol on a cache alias."""

import asyncio
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

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
from .operations import Add, Delete, Operation, Read, Sleep, Steps, Write, is_head

T = TypeVar("T")

AHEAD = timedelta(seconds=1)  # how long before its time an expired head is removed from a database cache


class Do(NamedTuple):
    """Call a function that may block."""

    function: Callable[[], Any]


Work = Generator[Do | Sleep, Any, T]


def run(steps: Work[T]) -> T:
    """Drive `steps`, which yield `Do` and `Sleep`, in this thread."""
    resume, value = steps.send, None
    while True:
        try:
            step = resume(value)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        try:
            value, resume = _perform(step), steps.send
        except Exception as error:
            value, resume = error, steps.throw


async def arun(steps: Work[T]) -> T:
    """See run(). Calls hop to Django's thread, sleeps stay on the loop."""
    resume, value = steps.send, None
    while True:
        try:
            step = resume(value)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        try:
            value, resume = await _aperform(step), steps.send
        except Exception as error:
            value, resume = error, steps.throw


def _perform(step: Any) -> Any:
    return time.sleep(step.seconds) if isinstance(step, Sleep) else step.function()


async def _aperform(step: Any) -> Any:
    if isinstance(step, Sleep):
        return await asyncio.sleep(step.seconds)
    return await sync_to_async(step.function, thread_sensitive=True)()


@dataclass(frozen=True, slots=True)
class Store:
    """A cache alias. The cache object is asked for anew each time, since it belongs to one thread."""

    alias: str

    def through(self, steps: Steps[T]) -> Work[T]:
        """Turn the operations that `steps` yield into calls on the cache; StoreError is thrown into them."""
        resume, value = steps.send, None
        while True:
            try:
                operation = resume(value)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            step = operation if isinstance(operation, Sleep) else Do(partial(self.perform, operation))
            try:
                value, resume = (yield step), steps.send
            except StoreError as error:
                value, resume = error, steps.throw

    def perform(self, operation: Operation) -> Any:
        """One round trip. Raises StoreError."""
        try:
            cache = caches[self.alias]
            match operation:
                case Read(keys):
                    with _exclusive(cache, keys):
                        return cache.get_many(keys)
                case Add(key, value, timeout):
                    with _exclusive(cache, (key,)):
                        return bool(cache.add(key, value, seconds(cache, timeout)))
                case Write(entries, timeout):
                    with _exclusive(cache, tuple(entries)):
                        return _write(cache, entries, seconds(cache, timeout))
                case Delete(keys):
                    with _exclusive(cache, keys):
                        return cache.delete_many(keys)
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


def _write(cache: BaseCache, entries: dict[str, str], timeout: int | None) -> None:
    """By `set_many` even where it is one: Django's `set` on memcached deletes what could not be stored, silently."""
    if failed := cache.set_many(entries, timeout):
        raise OSError(f"not stored: {', '.join(failed)}")


def _exclusive(cache: BaseCache, keys: tuple[str, ...]) -> Any:
    """What a cache needs before its `get` and `add` are as good as atomic."""
    if isinstance(cache, FileBasedCache):
        return _locked_files(Path(vars(cache)["_dir"]), keys)
    if isinstance(cache, DatabaseCache):
        _sweep(cache, [key for key in keys if is_head(key)])
    return nullcontext()


@contextmanager
def _locked_files(folder: Path, keys: tuple[str, ...]) -> Iterator[None]:
    """Hold the OS locks of the clients that `keys` belong to; there are sixteen, taken in order."""
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

"""The only file that talks to a cache: performs the operations of the slot protocol on a cache alias."""

import asyncio
import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from threading import get_ident
from typing import Any, NamedTuple, TypeVar

from asgiref.sync import sync_to_async
from django.core.cache import BaseCache, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.db import connections, router

from .exceptions import StoreError
from .exclusion import exclusion
from .operations import Access, Add, Read, Sleep, Steps, Write

T = TypeVar("T")
Step = Callable[[], Any] | Sleep
Work = Generator[Step, Any, T]  # yields what may block, and is sent what came of it


class End(NamedTuple):
    """How steps ended: what they returned, or raised; a value too, so that it passes from thread to thread as one."""

    value: Any
    error: Exception | None = None

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


def run(steps: Work[T]) -> T:
    """Drive `steps` in this thread."""
    step = _resume(steps.send, None)
    while not isinstance(step, End):
        if isinstance(step, Sleep):
            time.sleep(step.seconds)
            step = _resume(steps.send, None)
        else:
            step = _call(steps, step)
    return step.outcome()  # type: ignore[no-any-return]


async def arun(steps: Work[T]) -> T:
    """See run(). Calls hop to Django's thread, all at once up to a sleep; sleeps stay on the loop."""
    step = _resume(steps.send, None)
    while not isinstance(step, End):
        if isinstance(step, Sleep):
            await asyncio.sleep(step.seconds)
            step = _resume(steps.send, None)
        else:
            step = await sync_to_async(_call, thread_sensitive=True)(steps, step)
    return step.outcome()  # type: ignore[no-any-return]


def _call(steps: Work[Any], step: Step | End) -> Step | End:
    """Make the call `step` and all those that follow it, up to a Sleep or the end."""
    while not isinstance(step, (Sleep, End)):
        try:
            resume, value = steps.send, step()
        except Exception as error:
            resume, value = steps.throw, error
        step = _resume(resume, value)
    return step


def _resume(resume: Callable[[Any], Step], value: Any) -> Step | End:
    try:
        return resume(value)
    except StopIteration as stop:
        return End(stop.value)
    except Exception as error:
        return End(None, error)


class Store:
    """A cache alias, as one request uses it; each thread has its own cache object."""

    __slots__ = ("_found", "alias")

    def __init__(self, alias: str) -> None:
        self.alias: str = alias
        self._found: tuple[int, Any] = (0, None)  # a thread, and its cache object

    def through(self, steps: Steps[T], durable: bool = False) -> Work[T]:
        """Turn the operations that `steps` yield into calls on the cache; StoreError is thrown into them.

        With `durable`, what a transaction of the caller's could take back is such an error.
        """
        resume, value = steps.send, None
        try:
            while True:
                operation = resume(value)
                try:
                    step = operation if isinstance(operation, Sleep) else partial(self.perform, operation, durable)
                    value, resume = (yield step), steps.send
                except StoreError as error:
                    value, resume = error, steps.throw
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def perform(self, operation: Access, durable: bool = False) -> Any:
        """One round trip. Raises StoreError."""
        try:
            thread, cache = self._found
            if thread != get_ident():
                _, cache = self._found = get_ident(), caches[self.alias]
            held = exclusion(cache, operation, durable)
            if held is None:
                return _ask(cache, operation)
            with held:
                return _ask(cache, operation)
        except Exception as error:
            raise StoreError(self.alias, error) from error


@dataclass(frozen=True, slots=True)
class Facts:
    """What a cache alias is, for the system checks."""

    forgets: bool
    rolled_back: bool
    one_process: bool
    one_host: bool
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
        one_host=isinstance(cache, FileBasedCache),
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

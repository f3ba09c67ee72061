"""Runs the steps of a guess, in this thread or from an event loop, and sleeps between them where that harms nobody."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, NamedTuple, Protocol, TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Wait(NamedTuple):
    """A step came to nothing; the next one may after so many seconds."""

    seconds: float


class Steps(Protocol[T_co]):
    """Something that may take several steps. It can be told to give up, and undone."""

    def step(self) -> T_co | Wait: ...
    def give_up(self) -> T_co: ...
    def undo(self) -> None: ...


def run(steps: Steps[T]) -> T:
    while isinstance(came := steps.step(), Wait):
        if not may_sleep():
            return steps.give_up()
        time.sleep(came.seconds)
    return came


async def aclaim(steps: Steps[T]) -> T:
    """See run(). The steps are made in Django's thread; it sleeps on the loop.

    If the task is cancelled in a step, that is finished, and undone.
    """
    while True:
        step = asyncio.ensure_future(hop(steps.step))
        try:
            came = await asyncio.shield(step)
        except asyncio.CancelledError:
            undoing = asyncio.ensure_future(_undo(step, steps))
            _undoing.add(undoing)
            undoing.add_done_callback(_undoing.discard)
            raise
        if not isinstance(came, Wait):
            return came
        await asyncio.sleep(came.seconds)


_undoing: set[asyncio.Future[None]] = set()  # a loop itself keeps no hold of its tasks


async def _undo(step: asyncio.Future[T | Wait], steps: Steps[T]) -> None:
    await asyncio.wait([step])
    if not step.cancelled() and step.exception() is None:
        await hop(steps.undo)


def aside(function: Callable[..., T], *args: Any) -> T:
    """Call it here; from the thread of an event loop in another one, where databases may be asked."""
    if not _in_loop():
        return function(*args)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, _closing, function, *args).result()


def _closing(function: Callable[..., T], *args: Any) -> T:
    try:
        return function(*args)
    finally:
        connections.close_all()  # those of this thread


async def hop(function: Callable[..., T], *args: Any) -> T:
    """Call it in the thread where synchronous code belongs."""
    return await sync_to_async(function, thread_sensitive=True)(*args)


def may_sleep() -> bool:
    """Not in the thread of an event loop, nor in the one that asgiref keeps for all synchronous code of a process."""
    if _in_loop():
        return False
    prefix = SyncToAsync.single_thread_executor._thread_name_prefix  # its set of threads comes late for the first
    return not threading.current_thread().name.startswith(f"{prefix}_")


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

"""Connections of this process to a cache's servers. Each is one thread's at a time, and they outlive requests.

Cache objects don't do for that: an ASGI server's threads share one, whose replies they could take from each other.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from django.core.cache import caches

T = TypeVar("T")

MOST = 32  # that may lie idle in one pool
IDLE = 60.0  # seconds after which nobody knows what firewalls have made of one that lies idle
AT_ONCE = 0.2  # seconds within which one fails that was closed meanwhile
OBJECTS_OWN = {"KEY_PREFIX", "VERSION", "TIMEOUT", "KEY_FUNCTION"}  # configuration that no connection depends on

_shared: dict[int, Any] = {}
_pools: list["Pool"] = []
_inherited: list[Any] = []  # of a parent process: to close them would hang up on it


class Pool:
    """Idle connections, all alike."""

    def __init__(self, make: Callable[[], Any], close: Callable[[Any], object]) -> None:
        self._make: Callable[[], Any] = make
        self._close: Callable[[Any], object] = close
        self._idle: list[tuple[Any, float]] = []
        _pools.append(self)

    def use(self, operation: Callable[[Any], T]) -> T:
        """What `operation` makes of a connection. A server that was restarted has closed those that lay idle, so what
        fails there at once is tried on a fresh one; operations must bear to be sent twice."""
        connection = self._take()
        if connection is not None:
            began = time.monotonic()
            try:
                return self._ask(connection, operation)
            except Exception:
                if time.monotonic() - began > AT_ONCE:
                    raise
        return self._ask(self._make(), operation)

    def _take(self) -> Any:
        with suppress(IndexError):
            while True:
                connection, since = self._idle.pop()
                if time.monotonic() - since < IDLE:
                    return connection
                self._close(connection)
        return None

    def _ask(self, connection: Any, operation: Callable[[Any], T]) -> T:
        try:
            answer = operation(connection)
        except BaseException:
            self._close(connection)  # there may be a reply on its way to it
            raise
        if len(self._idle) < MOST:
            self._idle.append((connection, time.monotonic()))
        else:
            self._close(connection)
        return answer

    def abandon(self) -> None:
        """In a child process: leave to the parent what is its own."""
        _inherited.append(self._idle)
        self._idle = []


def shared(alias: str, make: Callable[[], T]) -> T:
    """What `make` returns, made once for all cache objects of this process with the alias's configuration."""
    # No text: it may hold a password, and be seen in an error report.
    key = hash(repr([one for one in caches.settings[alias].items() if one[0] not in OBJECTS_OWN]))
    if key not in _shared:
        _shared.setdefault(key, make())
    return _shared[key]  # type: ignore[no-any-return]


def _abandon() -> None:
    for pool in _pools:
        pool.abandon()


os.register_at_fork(after_in_child=_abandon)

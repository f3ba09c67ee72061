"""Connections of this process to a cache's servers. Each is one thread's at a time, and they outlive requests.

Cache objects don't do for that: an ASGI server makes new ones for every request, and its threads share one, whose
replies they could take from each other.
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


class Pool:
    """Idle connections, all alike. A child process leaves to its parent what is its own: to close that would hang up on
    it."""

    def __init__(
        self,
        make: Callable[[], Any],
        close: Callable[[Any], object],
        replied: Callable[[Exception], bool] | None = None,
    ) -> None:
        """`replied` tells of an error whether a server has replied it: neither is it asked again, nor the connection
        closed."""
        self._make: Callable[[], Any] = make
        self._close: Callable[[Any], object] = close
        self._replied: Callable[[Exception], bool] = replied or (lambda error: False)
        self._of_process: dict[int, list[tuple[Any, float]]] = {}

    def use(self, operation: Callable[[Any], T]) -> T:
        """What `operation` makes of a connection. A server that was restarted has closed those that lay idle, so what
        fails there at once is tried on a fresh one; operations must bear to be sent twice."""
        connection = self._take()
        if connection is not None:
            began = time.monotonic()
            try:
                return self._ask(connection, operation)
            except Exception as error:
                if time.monotonic() - began > AT_ONCE or self._replied(error):
                    raise
        return self._ask(self._make(), operation)

    @property
    def _idle(self) -> list[tuple[Any, float]]:
        return self._of_process.setdefault(os.getpid(), [])

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
        except BaseException as error:
            if isinstance(error, Exception) and self._replied(error):
                self._keep(connection)
            else:
                self._close(connection)  # there may be a reply on its way to it
            raise
        self._keep(connection)
        return answer

    def _keep(self, connection: Any) -> None:
        idle = self._idle
        if len(idle) < MOST:
            idle.append((connection, time.monotonic()))
        else:
            self._close(connection)


def shared(alias: str, make: Callable[[], T]) -> T:
    """What `make` returns, made once for all cache objects of this process with the alias's configuration."""
    # No text: it may hold a password, and be seen in an error report.
    key = hash(repr([one for one in caches.settings[alias].items() if one[0] not in OBJECTS_OWN]))
    if key not in _shared:
        _shared.setdefault(key, make())
    return _shared[key]  # type: ignore[no-any-return]

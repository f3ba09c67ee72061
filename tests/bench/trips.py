"""Round trips, counted: every write to a socket of the server is one, however the client calls it. A cache without a
server is asked by calls; one that calls another is one."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

CALLS = ("get", "get_many", "add", "set", "set_many", "delete", "delete_many", "incr", "decr", "touch", "has_key")
WIRE = ("get", "gets", "get_multi", "set", "set_multi", "add", "cas", "delete", "delete_multi", "incr", "decr", "touch")


class Trips:
    """How often was somebody asked; nested calls are one."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._inside = False

    def counted(self, owner: Any, name: str, shown: str = "") -> Any:
        """A patch of the method."""
        method = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return method(*args, **kwargs)
            self.names.append(shown or name)
            self._inside = True
            try:
                return method(*args, **kwargs)
            finally:
                self._inside = False

        return patch.object(owner, name, call)


@contextmanager
def counting(cache: Any) -> Iterator[list[str]]:
    """What the cache behind `cache` is asked in this block."""
    trips = Trips()
    with ExitStack() as stack:
        for counted in _asked(cache, trips.counted):
            stack.enter_context(counted)
        yield trips.names


def _asked(cache: Any, counted: Callable[..., Any]) -> Iterator[Any]:
    kind = type(cache).__name__
    if kind == "PyLibMCCache":  # C, which Python's sockets know nothing of
        import pylibmc

        yield from [counted(pylibmc.Client, name) for name in WIRE if hasattr(pylibmc.Client, name)]
    elif kind != "LocMemCache":
        yield counted(socket.socket, "sendall", "send")
    else:
        yield from _operations(counted)
        yield from [counted(type(cache), name) for name in CALLS]


def _operations(counted: Callable[..., Any]) -> list[Any]:
    """Of this package's own store: one operation may be several calls."""
    try:
        from lockout_decorators.stores import Store
    except ImportError:
        return []
    return [counted(Store, "read"), counted(Store, "swap")]

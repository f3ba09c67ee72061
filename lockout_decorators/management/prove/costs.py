"""What a guess costs, and what a client takes: measured while nothing else goes on."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from statistics import median, median_low
from typing import Any, NamedTuple

from django.db import connections

from lockout_decorators.exceptions import LockedOut
from lockout_decorators.stores import Change, Store, store_for

from .apart import replaced
from .strangers import MAX, Stranger

# Methods by which Python code sends something to a server. Those of an encrypted socket call each other.
SENDING: Sequence[tuple[type, str]] = ((socket.socket, "sendall"), (socket.socket, "send"), (ssl.SSLSocket, "sendall"))


class Cost(NamedTuple):
    """What one thing costs.

    Attributes:
        calls: Reads and swaps of the store.
        trips: Round trips, statements of a database; 0 where there are none, or none can be seen: in clients that are
            not written in Python.
        ms: Milliseconds, the median.
    """

    what: str
    calls: int
    trips: int
    ms: float


class Size(NamedTuple):
    """What a client takes: its entries, and the characters of their texts."""

    what: str
    entries: int
    size: int


class Watch:
    """Counts what goes on in this thread's store, and keeps what was written there last."""

    def __init__(self, store: Store) -> None:
        self.calls: int = 0
        self.trips: int = 0
        self.texts: dict[str, str | None] = {}
        self._read, self._swap = store.read, store.swap

    def read(self, *args: Any) -> Any:
        self.calls += 1
        return self._read(*args)

    def swap(self, changes: Sequence[Change], *args: Any) -> Any:
        self.calls += 1
        self.texts |= {change.key: change.text for change in changes}
        return self._swap(changes, *args)

    def trip(self, act: Callable[..., Any], *args: Any) -> Any:
        self.trips += 1
        return act(*args)

    def sending(self, method: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: self.trip(method, *args)

    def cost(self, what: str, act: Callable[[], Any]) -> Cost:
        calls, trips, began = self.calls, self.trips, time.perf_counter()
        act()
        return Cost(what, self.calls - calls, self.trips - trips, (time.perf_counter() - began) * 1000)

    def size(self, what: str) -> Size:
        texts = [text for text in self.texts.values() if text]
        return Size(what, len(texts), sum(map(len, texts)))


@contextmanager
def watching(alias: str) -> Iterator[Watch]:
    """Watch the store, the sockets and the databases."""
    store = store_for(alias)
    watch = Watch(store)
    with ExitStack() as stack:
        for owner, name in SENDING:
            stack.enter_context(replaced(owner, name, watch.sending(getattr(owner, name))))
        for name in ("read", "swap"):
            stack.enter_context(replaced(store, name, getattr(watch, name)))
        for connection in connections.all(initialized_only=True):
            stack.enter_context(connection.execute_wrapper(watch.trip))
        yield watch


def measure(strangers: Sequence[Stranger]) -> tuple[list[Cost], list[Size]]:
    """Each thing once for each of `strangers`; the first of them warms up."""
    rounds: list[list[Cost]] = []
    sizes: list[Size] = []
    for stranger in strangers:
        with watching(stranger.cache) as watch:
            costs, sizes = _round(stranger, watch)
        rounds.append(costs)
    return [_middle(alike) for alike in zip(*rounds[1:], strict=True)], sizes


def _round(stranger: Stranger, watch: Watch) -> tuple[list[Cost], list[Size]]:
    policy, request = stranger.policy, stranger.request()

    def guess(right: bool = False) -> None:
        with suppress(LockedOut), policy.attempt(request, "bob") as block:
            if right:
                block.succeed()

    costs = [
        watch.cost("look", lambda: policy.status(request)),
        watch.cost("right guess", lambda: guess(right=True)),
        watch.cost("wrong guess", guess),
    ]
    sizes = [watch.size("one failure")]
    for _ in range(MAX - 2):
        guess()
    sizes.append(watch.size(f"{MAX - 1} failures"))
    costs += [watch.cost("wrong guess that locks", guess), watch.cost("refused guess", guess)]
    return costs, [*sizes, watch.size("a lock")]


def _middle(costs: Sequence[Cost]) -> Cost:
    names, calls, trips, times = zip(*costs, strict=True)
    return Cost(names[0], median_low(calls), median_low(trips), round(median(times), 3))

"""Redis and Valkey: one small server script compares stamps and writes, on the primary that the alias's client names.

The server keeps the time: what a look says is the time of its server, and between two round trips the time that has
passed by the host's monotonic clock is added. What is stored is plain text, whatever the alias serializes and
compresses.
"""

import time
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

from django.core.cache import BaseCache

from ..records.record import STAMP
from . import redis_scripts, redis_watch
from .connections import shared
from .redis_clients import Clients, clients_of, has_clients, is_asynchronous
from .redis_lines import says
from .redis_scripts import SCRIPTS_FORBIDDEN
from .store import ASYNCHRONOUS, Change, Clock, Found, Reading, Store, Swapped

_clocks: dict[str, Clock] = {}  # by alias; an ASGI server makes new cache objects for every request


class RedisStore(Store):
    """Keys that one script can reach are swapped at once: of one slot in a Cluster, of one server among shards."""

    way = "A small server script compares stamps and writes, always on the primary."

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return has_clients(cache)

    @property
    def clock(self) -> Clock | None:
        """The server's as it was last heard in this process; should it be wrong by now, the server will not swap."""
        return _clocks.get(self.alias)

    @cached_property
    def _clients(self) -> Clients:
        """Found at first use: a Cluster is asked for its nodes."""
        return shared(self.alias, lambda: clients_of(self.cache))

    def _batches(self, keys: Sequence[str]) -> list[Sequence[str]]:
        home = self._clients.home
        if len(keys) == 1 or home is None:
            return [keys]
        batches: dict[Any, list[str]] = {}
        for key in keys:
            batches.setdefault(home(self.cache.make_key(key)), []).append(key)
        return list(batches.values())

    def weakness(self) -> str | None:
        return ASYNCHRONOUS if is_asynchronous(self.cache) else None

    def _read(self, keys: Sequence[str]) -> Reading:
        batches = self._batches(keys)
        if len(batches) == 1:
            return self._reading(*self._ask(keys))
        readings = [(batch, self._reading(*self._ask(batch))) for batch in batches]
        found = {key: one for batch, reading in readings for key, one in zip(batch, reading.found, strict=True)}
        return Reading([found[key] for key in keys], readings[-1][1].clock)

    def _swap(self, changes: Sequence[Change], now: int) -> Swapped:
        verdict, *standing = self._ask([change.key for change in changes], changes, now)
        if verdict == 1:
            return Swapped(True, [_written(change.text or "") for change in changes])
        return Swapped(False, *self._reading(verdict, *standing), stale=verdict < 0)

    def _reading(self, verdict: int, now: int, *texts: Any) -> Reading:
        clock = partial(_since, now - int(time.monotonic() * 1000))
        if self._clients.scripted:  # else a swap that loses costs more than a look
            _clocks[self.alias] = clock
        return Reading([_found(text) for text in texts], clock)

    def _ask(self, keys: Sequence[str], *swap: Any) -> list[Any]:
        clients, names = self._clients, [self.cache.make_key(key) for key in keys]
        if not clients.scripted:
            return redis_watch.ask(clients.nodes, names, *swap)
        try:
            return redis_scripts.ask(clients, names, *swap)
        except Exception as error:
            if not says(error, SCRIPTS_FORBIDDEN):
                raise
        answer = redis_watch.ask(clients.nodes, names, *swap)
        clients.scripted = False
        _clocks.pop(self.alias, None)
        redis_watch.warn()
        return answer


def _since(offset: int) -> int:
    return offset + int(time.monotonic() * 1000)


def _written(text: str) -> Found:
    return Found(text or None, text[:STAMP].encode() or None)


def _found(text: bytes) -> Found:
    return Found(text.decode("ascii", "backslashreplace") or None, text[:STAMP] or None)

"""Memcached: `gets` tells what stands under a key and by which number; `add` and `cas` write if that still holds.

Its clients hide a dead server: it looks empty, or its keys go to the others, which know nothing of them, and only in
the process that noticed. Here each key stays with its server, and a server that does not answer is an outage.
"""

import re
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property, partial
from operator import methodcaller
from pickle import PickleError
from typing import Any

from django.core.cache import BaseCache

from .connections import Pool, shared
from .memcached_clients import Servers, exact, is_built_on
from .store import ABSENT, UNKNOWN, Change, Found, Reading, Store, Swapped, host_clock, is_stale, text_in

VALID = re.compile(r"[!-~]{1,250}")  # names
PAST = 30 * 86_400 + 1  # beyond thirty days it is a date, this one in 1970; a negative one is for ever in binary
DISCOVERS = "it discovers its servers: when they change, workers count apart until they are started anew"

UNREADABLE: Any = object()  # the token of what can't be told
UNREADABLES = (ValueError, PickleError, EOFError, ImportError, AttributeError, IndexError)  # what telling it raises


class MemcachedStore(Store):
    """What the clients have in common: a key is swapped by itself, and after that only reading tells its number."""

    way = "The server's `add` and `cas` write only while what was read still stands there."

    def _batches(self, keys: Sequence[str]) -> list[Sequence[str]]:
        return [[key] for key in keys]

    def weakness(self) -> str | None:
        packages = {kind.__module__.partition(".")[0] for kind in type(self.cache).__mro__}
        return DISCOVERS if packages & {"django_elasticache", "django_elastipymemcache"} else None

    def _read(self, keys: Sequence[str]) -> Reading:
        return Reading(self._found(keys), host_clock)

    def _swap(self, changes: Sequence[Change], now: int) -> Swapped:
        (change,) = changes
        stale = is_stale(now)
        if not stale and self._write(change):
            return Swapped(True, [ABSENT if change.text is None else Found(change.text, UNKNOWN)])
        standing = self._found([change.key])
        return Swapped(standing[0].text == change.text and not stale, standing, stale=stale)

    def _write(self, change: Change) -> bool | None:
        if change.token is None:
            return change.text is not None and self._send(change.key, "add", change.text, self._expiry(change.life))
        if change.text is None:
            return self._send(change.key, "cas", "", change.token, PAST)
        return self._send(change.key, "cas", change.text, change.token, self._expiry(change.life))

    def _expiry(self, life: int | None) -> int:
        """Memcached counts whole seconds, and may be at the end of one."""
        expiry: int = self.cache.get_backend_timeout(None if life is None else max(life, 1) + 1)
        return expiry

    def _name(self, key: str) -> str:
        name: str = self.cache.make_key(key)
        if not VALID.fullmatch(name):  # Django looks at every character by itself
            self.cache.validate_key(name)
        return name

    @abstractmethod
    def _found(self, keys: Sequence[str]) -> list[Found]: ...

    @abstractmethod
    def _send(self, key: str, command: str, *arguments: Any) -> bool | None:
        """Whether it was done."""


class PyMemcacheStore(MemcachedStore):
    """Through the clients that a `HashClient` has for each server, past its own care for those that fail."""

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return is_built_on(cache, "pymemcache", "HashClient")

    @cached_property
    def _servers(self) -> Servers:
        """Found at first use: some backends ask a server for the others."""
        return shared(self.alias, lambda: Servers(self.cache._cache))

    def _found(self, keys: Sequence[str]) -> list[Found]:
        names = [self._name(key) for key in keys]
        near: dict[Pool, list[str]] = {}
        for key, name in zip(keys, names, strict=True):
            near.setdefault(self._servers.of(key), []).append(name)
        standing: dict[str, tuple[Any, Any]] = {}
        for server, group in near.items():
            standing |= server.use(methodcaller("gets_many", group))
        return [Found(*standing.get(name, ABSENT)) for name in names]

    def _send(self, key: str, command: str, *arguments: Any) -> bool | None:
        ask = methodcaller(command, self._name(key), *arguments, noreply=False)  # else some backends don't wait for it
        done: bool | None = self._servers.of(key).use(ask)
        return done


class PyLibMCStore(MemcachedStore):
    """Through clones, since clients of pylibmc are not safe to share, and need to be told to keep the numbers."""

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return is_built_on(cache, "pylibmc", "Client")

    @cached_property
    def _pool(self) -> Pool:
        """See `PyMemcacheStore._servers`."""
        return shared(self.alias, lambda: Pool(exact(self.cache._cache).clone, lambda clone: None))

    def _found(self, keys: Sequence[str]) -> list[Found]:
        return [self._pool.use(partial(self._gets, self._name(key).encode())) for key in keys]

    def _gets(self, name: bytes, client: Any) -> Found:
        """It asks twice for what is absent: after a failure libmemcached says so too, but only once. `name` is bytes
        because `gets` lets go of the encoded text before it has sent it."""
        try:
            value, token = client.gets(name)
            value, token = client.gets(name) if token is None else (value, token)
            return Found(text_in(value), token)
        except UNREADABLES as error:
            return Found(repr(error), UNREADABLE)

    def _send(self, key: str, command: str, *arguments: Any) -> bool | None:
        name = self._name(key)
        if UNREADABLE in arguments:
            if self._found([key])[0].token is UNREADABLE:  # still: such an entry has no number to swap it by
                self._pool.use(methodcaller("delete", name))
            return False
        try:
            done: bool = self._pool.use(methodcaller(command, name, *arguments))
        except self.cache._lib.NotFound:
            return None
        return done

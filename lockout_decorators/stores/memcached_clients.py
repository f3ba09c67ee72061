"""The clients of Memcached, as the stores use them: connections that hide nothing.

Their own care for a server that fails is left out: each process that has noticed would look for its keys elsewhere.
"""

from collections.abc import Callable, Iterable
from copy import copy
from functools import lru_cache, partial
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.memcached import BaseMemcachedCache

from .connections import Pool

TEXT = 16  # the flag by which all clients know text
PATIENCE = 5.0  # seconds for an answer, where the alias names none: pymemcache would wait for ever
DOWN = 2  # seconds for which libmemcached remembers that a server failed


def is_built_on(cache: BaseCache, module: str, name: str) -> bool:
    """Whether the client library of a cache is this one, or is built on it."""
    kinds: Iterable[type] = getattr(vars(cache).get("_class"), "__mro__", ())
    found = any(kind.__module__.partition(".")[0] == module and kind.__name__ == name for kind in kinds)
    return isinstance(cache, BaseMemcachedCache) and found


class Servers:
    """Which server keeps a record: that of the client's tag, so that what is read together lies together."""

    def __init__(self, client: Any) -> None:
        self._pools = {node: Pool(partial(twin_of, known), close) for node, known in client.clients.items()}
        ring = type(client.hasher)()
        for node in self._pools:
            ring.add_node(node)
        self._node: Callable[[str], str] = lru_cache(1024)(ring.get_node)

    def of(self, key: str) -> Pool:
        _, _, rest = key.partition("{")
        return self._pools[self._node(rest.partition("}")[0] or key)]


class Text:
    """Text as all clients of Memcached write it. Anything else becomes text that is no record: nothing is unpickled."""

    def serialize(self, key: Any, text: str) -> tuple[bytes, int]:
        return text.encode("ascii"), TEXT

    def deserialize(self, key: Any, value: bytes, flags: int) -> str:
        return value.decode("ascii", "backslashreplace")


def twin_of(known: Any) -> Any:
    """A client of the same server, with a connection of its own."""
    twin = known._create_client() if hasattr(known, "client_pool") else copy(known)
    twin.sock, twin.serde, twin.no_delay = None, Text(), True
    twin.timeout, twin.connect_timeout = twin.timeout or PATIENCE, twin.connect_timeout or PATIENCE
    return twin


def close(client: Any) -> None:
    client.close()


def exact(client: Any) -> Any:
    """A clone that neither sends a dead server's keys elsewhere, nor says that it has done what it has not."""
    clone = client.clone()
    clone.behaviors = {
        "cas": True,
        "tcp_nodelay": True,
        "auto_eject": False,
        "num_replicas": 0,
        "retry_timeout": DOWN,
        "buffer_requests": False,
        "_noreply": False,
    }
    return clone

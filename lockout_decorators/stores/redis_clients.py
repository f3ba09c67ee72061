"""The clients of a Redis or Valkey alias: its own, always of the primary; they tell which server keeps a key.

Django builds a client for every operation, and django-redis asks a replica where there is one; neither is done here.
"""

from collections.abc import Callable
from functools import cached_property, partial
from inspect import signature
from typing import Any, TypeVar

from .connections import Pool
from .redis_lines import GONE, Line, is_reply, says
from .store import answered

T = TypeVar("T")

# The classes of caches that keep what they are given on Redis or Valkey, with the package that has them.
KINDS = {
    ("django", "RedisCache"),
    ("django_redis", "RedisCache"),
    ("django_valkey", "BaseValkeyCache"),
    ("django_cachex", "KeyValueCache"),
}
PACKAGES = {package for package, _ in KINDS}
SHARDS = "get_server_name"  # what clients have that spread keys over servers by themselves
LINES = "_lockout_lines"  # where a client's pool keeps our connections, so that they end with it


def has_clients(cache: Any) -> bool:
    """Whether this is a cache on Redis or Valkey."""
    return not KINDS.isdisjoint([(_package(base), base.__name__) for base in type(cache).__mro__])


class Clients:
    """The one client that keeps all keys.

    Attributes:
        home: Tells of a key what is the same for all that one script can reach; None: it can reach every key.
        scripted: Whether the server runs scripts, as far as is known.
    """

    scripted: bool = True

    def __init__(self, client: Any) -> None:
        self._client: Any = answered(client)
        self.home: Callable[[str], Any] | None = getattr(client, "keyslot", None)  # of a Cluster

    def of(self, name: str) -> Any:
        """The client that keeps the key `name`, which is as the server knows it."""
        return self._client

    def use(self, name: str, operation: Callable[[Any], T]) -> T:
        """What `operation` makes of a line to the server that keeps the key `name`; see Pool.use(). Once more if the
        server has gone, keeps the key no more, or has become a replica, however long it took to say so."""
        try:
            return self._use(name, operation)
        except Exception as error:
            if not says(error, GONE):
                raise
        self._refresh()
        return self._use(name, operation)

    def _use(self, name: str, operation: Callable[[Any], T]) -> T:
        pool = self.of(name).connection_pool
        kept = vars(pool)
        lines: Pool = kept.get(LINES) or kept.setdefault(LINES, Pool(partial(Line, pool), Line.close, is_reply))
        return lines.use(partial(Line.repeat, operation=operation))

    def _refresh(self) -> None:
        """Ask where the keys are."""

    @property
    def nodes(self) -> "Clients":
        """The clients of the very servers that keep the keys, for what takes several commands on one connection."""
        return self


class Cluster(Clients):
    """A Cluster: one client, which sends a script to where its keys are, all of one slot, and tries again by itself."""

    def use(self, name: str, operation: Callable[[Any], T]) -> T:
        return operation(self._client)

    @cached_property
    def nodes(self) -> Clients:
        return Nodes(self._client)


class Nodes(Clients):
    """Its nodes, each by a client that knows of no other."""

    def of(self, name: str) -> Any:
        return self._client.get_redis_connection(self._client.get_node_from_key(name))

    def _refresh(self) -> None:
        self._client.nodes_manager.initialize()


class Shards(Clients):
    """Servers that know nothing of each other; the cache's own rule says which keeps a key."""

    def __init__(self, choose: Callable[[str], Any]) -> None:
        super().__init__(choose(""))
        self._choose: Callable[[str], Any] = choose
        self.home: Callable[[str], Any] | None = self._server

    def of(self, name: str) -> Any:
        return self._choose(name)

    def _server(self, name: str) -> int:
        return id(self.of(name).connection_pool)


def clients_of(cache: Any) -> Clients:
    """Raises TypeError for an asynchronous client."""
    inner = _inner(cache)
    if hasattr(inner, SHARDS):
        return Shards(getattr(inner, "get_server", inner.get_client))
    client = inner.get_client(write=True)
    if hasattr(client, "keyslot"):
        return Cluster(client)
    return Shards(partial(inner.get_client, write=True)) if _may_choose(inner) else Clients(client)


def is_asynchronous(cache: Any) -> bool:
    """As far as its configuration tells: no server is asked."""
    inner = _inner(cache)
    factory = getattr(inner, "connection_factory", inner)
    names = ("redis_client_cls", "base_client_cls", "_cluster_class", "_client_class", "_client")
    kind = next((found for name in names if (found := getattr(factory, name, None))), None)
    return bool(getattr(cache, "is_async", False)) or hasattr(kind, "__await__")


def _may_choose(inner: Any) -> bool:
    """Whether the project hands out clients by a method of its own, which Django lets choose by the key."""
    return _package(inner.get_client) not in PACKAGES and "key" in signature(inner.get_client).parameters


def _inner(cache: Any) -> Any:
    """What hands out raw clients: in Django and in django-cachex `_cache`, elsewhere `client`."""
    return cache.client if hasattr(type(cache), "client") else cache._cache


def _package(of: Any) -> str:
    return str(of.__module__).partition(".")[0]

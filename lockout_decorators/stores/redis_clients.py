"""The clients of a Redis or Valkey alias: its own, always of the primary; and connections as they would make them.

Django builds a client for every operation, and django-redis asks a replica where there is one; neither is done here.
What a client does around each command takes longer than the command, so it is left out: see `Line`.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from inspect import signature
from typing import Any, TypeVar

from .connections import Pool
from .store import answered

T = TypeVar("T")

Command = Sequence[Any]

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
# What servers say, as clients pass it on: the name of the exception, or a part of the text.
GONE = ("connectionerror", "readonly", "movederror")


def has_clients(cache: Any) -> bool:
    """Whether this is a cache on Redis or Valkey."""
    return not KINDS.isdisjoint([(_package(base), base.__name__) for base in type(cache).__mro__])


class Line:
    """A connection of ours, made as the client's pool makes its own: with that address, credentials and timeouts."""

    def __init__(self, pool: Any) -> None:
        self._pool: Any = pool
        self._connection: Any = pool.connection_class(**pool.connection_kwargs)
        self._connection.connect()  # as a pool does: Sentinels are asked only here

    def execute_command(self, *command: Any, **options: bool) -> Any:
        """As a client would, but that a reply is never decoded."""
        self._connection.send_command(*command)
        return self._connection.read_response(disable_decoding=True)

    def execute(self, *commands: Command, check_health: bool = True) -> list[Any]:
        """In one round trip. The first error among the replies is raised, and leaves the connection to be closed.
        A check of health may connect anew, and forget what is watched."""
        self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=check_health)
        return [self._connection.read_response(disable_decoding=True) for _ in commands]

    def repeat(self, operation: Callable[[Any], T]) -> T:
        """What `operation` makes of it, as often as the alias's `retry` says.
        Not if Sentinels have named another primary since, to any connection of the pool."""
        named = getattr(self._pool, "master_address", None)
        if named and named != (self._connection.host, self._connection.port):
            raise ConnectionError(f"the primary is {named} now")
        answer: T = self._connection.retry.call_with_retry(lambda: operation(self), lambda error: self.close())
        return answer

    def close(self) -> None:
        self._connection.disconnect()


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
        lines: Pool = kept.get(LINES) or kept.setdefault(LINES, Pool(partial(Line, pool), Line.close))
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


def says(error: Exception, phrases: Sequence[str]) -> bool:
    """Whether a server has said one of `phrases`."""
    said = f"{type(error).__name__} {error}".lower()
    return any(phrase in said for phrase in phrases)


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

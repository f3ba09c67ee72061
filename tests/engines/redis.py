"""Engines: Redis and Valkey, by every client. Servers of one kind are shared, and run while an engine needs them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.engines.redis_servers import SCRIPTLESS, SERVICE, Shared, cluster, redis, sentinel, valkey
from tests.servers import BACKENDS, Setup
from tests.sizes import IN_FULL

VALKEY, REDIS, CLUSTER, SENTINEL = Shared(valkey), Shared(redis), Shared(cluster), Shared(sentinel)


@contextmanager
def engine(server: Shared, backend: str, location: str | Sequence[str], options: Any, folder: Path) -> Iterator[Setup]:
    """A cache; in what describes it, PORT is the server's."""
    with server(folder) as port:
        yield Setup(ported({"BACKEND": backend, "LOCATION": location, "OPTIONS": options}, port))


def ported(value: Any, port: int) -> Any:
    """`value`, with `port` for PORT."""
    if isinstance(value, Mapping):
        return {key: ported(one, port) for key, one in value.items()}
    if isinstance(value, list):
        return [ported(one, port) for one in value]
    if isinstance(value, str):
        return port if value == "PORT" else value.replace("PORT", str(port))
    return value


URL, NODE, WATCHED = "redis://127.0.0.1:PORT", "valkey://127.0.0.1:PORT", f"redis://{SERVICE}/0"
UNSCRIPTED = f"redis://{SCRIPTLESS}:@127.0.0.1:PORT"
DJANGO = f"{BACKENDS}.redis.RedisCache"
DJANGO_REDIS, DJANGO_VALKEY = "django_redis.cache.RedisCache", "django_valkey.cache.ValkeyCache"
SENTINELS = [["127.0.0.1", "PORT"]]
SHARDS = [f"{URL}/1", f"{URL}/2"]


def client(package: str, name: str, **options: Any) -> dict[str, Any]:
    return {"CLIENT_CLASS": f"{package}.client.{name}Client", **options}


def packed(package: str, serializer: str = "pickle.Pickle", compressor: str = "zlib.Zlib") -> dict[str, str]:
    return {
        "SERIALIZER": f"{package}.serializers.{serializer}Serializer",
        "COMPRESSOR": f"{package}.compressors.{compressor}Compressor",
    }


class ClusterFactory:
    """How projects bring redis-py's Cluster client into django-redis, which has none of its own."""

    def __init__(self, options: Any) -> None:
        self.options = options

    def connect(self, url: str) -> Any:
        from redis.cluster import LoadBalancingStrategy, RedisCluster

        return RedisCluster.from_url(url, load_balancing_strategy=LoadBalancingStrategy.ROUND_ROBIN_REPLICAS)


def sentinels(package: str) -> dict[str, Any]:
    factory = f"{package}.pool.SentinelConnectionFactory"
    return client(package, "Sentinel", CONNECTION_FACTORY=factory, SENTINELS=SENTINELS)


RESP3 = {"protocol": 3, "parser_class": "redis._parsers._RESP3Parser"}
RESP2 = {"protocol": 2, "parser_class": "redis._parsers._RESP2Parser", "decode_responses": True}
REDIS_CLUSTER = {"CONNECTION_FACTORY": "tests.engines.redis.ClusterFactory"}
CACHEX = "django_cachex.cache"

# Name, server, backend, location, options.
DEFAULT: Sequence[Any] = [
    ("django-redis", VALKEY, DJANGO_REDIS, f"{URL}/3", packed("django_redis")),
    ("django-valkey-cluster", CLUSTER, "django_valkey.cluster_cache.cache.ClusterValkeyCache", NODE, {}),
    ("scriptless", VALKEY, DJANGO, f"{UNSCRIPTED}/4", {}),
]
FURTHER: Sequence[Any] = [
    ("redis", REDIS, DJANGO, URL, {}),
    ("resp2-decoded", VALKEY, DJANGO, URL, RESP2),
    ("resp3", VALKEY, DJANGO, URL, RESP3),
    ("hiredis-resp2", VALKEY, DJANGO, URL, {"protocol": 2}),
    ("dead-replica", VALKEY, DJANGO, [URL, "redis://127.0.0.1:1"], {}),
    ("django-redis-dead-replica", VALKEY, DJANGO_REDIS, [URL, "redis://127.0.0.1:1"], {}),
    ("django-redis-herd", VALKEY, DJANGO_REDIS, URL, client("django_redis", "Herd")),
    ("django-redis-shard", VALKEY, DJANGO_REDIS, SHARDS, client("django_redis", "Shard")),
    ("django-redis-sentinel", SENTINEL, DJANGO_REDIS, WATCHED, sentinels("django_redis")),
    ("django-redis-cluster", CLUSTER, DJANGO_REDIS, URL, REDIS_CLUSTER),
    ("scriptless-cluster", CLUSTER, DJANGO_REDIS, f"{UNSCRIPTED}/0", REDIS_CLUSTER),
    ("django-valkey", VALKEY, DJANGO_VALKEY, NODE, packed("django_valkey")),
    ("django-valkey-herd", VALKEY, DJANGO_VALKEY, NODE, client("django_valkey", "Herd")),
    ("django-valkey-shard", VALKEY, DJANGO_VALKEY, SHARDS, client("django_valkey", "Shard")),
    ("django-valkey-sentinel", SENTINEL, DJANGO_VALKEY, WATCHED, sentinels("django_valkey")),
]
CACHEX_ENGINES: Sequence[Any] = [
    ("cachex-redis", VALKEY, f"{CACHEX}.RedisCache", URL, {}),
    ("cachex-valkey", VALKEY, f"{CACHEX}.ValkeyCache", URL, {}),
    ("cachex-sentinel", SENTINEL, f"{CACHEX}.RedisSentinelCache", WATCHED, {"sentinels": SENTINELS}),
    ("cachex-cluster", CLUSTER, f"{CACHEX}.ValkeyClusterCache", URL, {}),
]


ENGINES: Mapping[str, Any] = {
    name: partial(engine, *description)
    for name, *description in (
        *DEFAULT,
        *(FURTHER if IN_FULL else ()),
        *(CACHEX_ENGINES if IN_FULL and find_spec("django_cachex") else ()),
    )
}

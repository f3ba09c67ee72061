"""What a client that is locked out takes of Valkey's memory, as the server itself says."""

from typing import Any

from tests.bench.sites import Site, clients

CLIENTS, LIMIT = 1000, 6


def measure(guard: str, cache: dict[str, Any]) -> int:
    """Bytes."""
    import redis

    server = redis.Redis.from_url(cache["LOCATION"])
    server.flushall()
    site = Site(guard, cache)
    _lock(site)
    before = server.info("memory")["used_memory_dataset"]
    for _ in range(CLIENTS):
        _lock(site)
    return round((server.info("memory")["used_memory_dataset"] - before) / CLIENTS)


def _lock(site: Site) -> None:
    client = next(clients)
    for _ in range(LIMIT):
        site.send("ip", client, "wrong")

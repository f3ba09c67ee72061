"""Redis and Valkey: a Cluster; and primaries that die, under Sentinel or in a Cluster, their replicas taking over."""

import os
import signal
import time
from secrets import token_hex

import pytest
from django.core.cache import caches
from redis.exceptions import ConnectionError as RedisConnectionError

from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import store_for
from tests.engines import redis as engines
from tests.engines.redis_servers import SERVICE, cluster, say, sentinel, wait_until
from tests.on_redis import making, redis
from tests.racers import text
from tests.servers import free_port
from tests.sizes import IN_FULL
from tests.swaps import keys as names
from tests.swaps import standing, write

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    with engines.CLUSTER(tmp_path_factory.mktemp("cluster")) as port:
        yield port


CLUSTERS = {
    "valkey": redis(engines.NODE, "django_valkey.cluster_cache.cache.ClusterValkeyCache"),
    "redis": redis(backend=engines.DJANGO_REDIS, **engines.REDIS_CLUSTER),
    "scriptless": redis(engines.UNSCRIPTED, engines.DJANGO_REDIS, **engines.REDIS_CLUSTER),
}


@pytest.fixture(params=list(CLUSTERS) if IN_FULL else ["redis", "scriptless"])
def clustered(nodes, request):
    """Makes a store of a cache that lies in a Cluster, with what else is given."""
    with making(nodes) as use:
        yield lambda **more: use(default={**CLUSTERS[request.param], **more})[0]


def test_keys_of_one_slot_are_one_batch(clustered):
    """Told from the key as the server knows it: a prefix with a tag decides."""
    store, keys = clustered(), [*names(2), *names(1)]
    assert [keys[:2], keys[2:]] == store.batches(keys)
    assert [keys] == clustered(KEY_PREFIX="{site}").batches(keys)
    assert len(clustered(KEY_FUNCTION="tests.test_stores_redis_clusters.untagged").batches(keys)) == 3


def test_no_connection_is_made_for_a_cache_object(nodes, clustered):
    """What a process has learnt of its Cluster, it has learnt for all of them."""
    store, (key, *_) = clustered(), names(2)
    write(store, [key])
    before = received(nodes)
    for _ in range(3):
        del caches["default"]
        assert write(store_for("default"), [key]).won
    assert before + 1 == received(nodes)


def received(port):
    return say(port, "INFO", "stats")["total_connections_received"]


def untagged(key, prefix, version):
    return f"{prefix}:{version}:{key.replace('{', '').replace('}', '')}"


def test_a_cluster_that_nobody_can_reach():
    """Is an outage, whatever is asked first: its client connects as it is made."""
    with making(free_port()) as use:
        (store,) = use(default=CLUSTERS["redis"])
        for ask in (store.batches, store.read):
            with pytest.raises(StoreError):
                ask(names(2))


def test_keys_of_many_slots(clustered):
    """Are read in their order, on all nodes, and swapped batch by batch."""
    store, keys = clustered(), [f"lockout:2:{{{home}}}:{token_hex(4)}" for home in "abcdef"]
    batches = store.batches(keys)
    assert 6 == len(batches)
    for number, batch in enumerate(batches):
        assert write(store, batch, f"{'0' * 16}.{number}").won
    assert [f"{'0' * 16}.{number}" for number in range(6)] == standing(store, *keys)


def test_a_slot_that_has_moved(clustered):
    """The client, or the store where scripts are forbidden, learns where the key is now."""
    store, (key, *_) = clustered(), names(2)
    write(store, [key], written := text(1))
    clients = store._clients
    table, slot = clients._client.nodes_manager.slots_cache, clients.home(store.cache.make_key(key))
    table[slot] = next(nodes for nodes in table.values() if nodes[0] != table[slot][0])
    assert [written] == standing(store, key)
    table[slot] = next(nodes for nodes in table.values() if nodes[0] != table[slot][0])
    assert write(store, [key]).won


def test_replicas_in_a_cluster_are_never_asked(nodes, clustered):
    """Nor where the client is told to read from them."""
    store, keys = clustered(), [key for _ in range(30) for key in names(1)]
    nodes = say(nodes, "CLUSTER", "NODES").decode().splitlines()
    (replica,) = [node.split()[1].partition("@")[0].rpartition(":")[2] for node in nodes if "slave" in node]
    say(replica, "CONFIG", "RESETSTAT")
    for key in keys:
        assert write(store, [key]).won
    assert {"cmdstat_evalsha", "cmdstat_eval", "cmdstat_mget"}.isdisjoint(say(replica, "INFO", "commandstats"))


def kill(port):
    """A process that is told to die may answer once more: wait until nobody listens."""
    os.kill(say(port, "INFO", "server")["process_id"], signal.SIGKILL)
    wait_until(lambda: not listens(port))


def listens(port):
    try:
        return say(port, "PING")
    except RedisConnectionError:
        return False


def outage_of(store, key):
    """Write until it works again; how many seconds that took. Nothing but StoreError may be raised."""
    began = time.monotonic()
    while True:
        try:
            assert write(store, [key], text(2)).won
            return time.monotonic() - began
        except StoreError:
            assert time.monotonic() < began + 15
            time.sleep(0.05)


@pytest.mark.skipif(not IN_FULL, reason="takes many seconds")
@pytest.mark.parametrize(
    "setup",
    [
        redis(engines.WATCHED, engines.DJANGO_REDIS, **engines.sentinels("django_redis")),
        redis(engines.WATCHED, engines.DJANGO_VALKEY, **engines.sentinels("django_valkey")),
    ],
    ids=["django-redis", "django-valkey"],
)
def test_failover_under_sentinel(tmp_path, setup):
    """The replica is asked from its promotion on, which has never seen the scripts, and knows what it was told."""
    with sentinel(tmp_path) as port, making(port) as use:
        (store,), (key, other) = use(default=setup), names(2)
        write(store, [other], written := text(1))
        _, primary = say(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        say(int(primary), "WAIT", 1, 1000)
        kill(int(primary))
        assert outage_of(store, key) < 15
        assert [written] == standing(store, other)
        assert primary != say(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1]


@pytest.mark.skipif(not IN_FULL, reason="takes many seconds")
@pytest.mark.parametrize("name", list(CLUSTERS))
def test_failover_in_a_cluster(tmp_path, name):
    with cluster(tmp_path, 1000) as port, making(port) as use:
        (store,) = use(default=CLUSTERS[name])
        on_first = (key for key in iter(lambda: names(1)[0], "") if _slot(port, store, key) < 16384 // 3)
        key, other = next(on_first), next(on_first)
        write(store, [other], written := text(1))
        say(port, "WAIT", 1, 1000)
        kill(port)
        assert outage_of(store, key) < 15
        assert [written] == standing(store, other)


def _slot(port, store, key):
    return say(port, "CLUSTER", "KEYSLOT", store.cache.make_key(key))

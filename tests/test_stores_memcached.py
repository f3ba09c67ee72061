"""Memcached's stores: dead, frozen and restarted servers, threads that share a cache object, and clients that lie."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from getpass import getuser
from importlib.util import find_spec
from secrets import token_hex
from shutil import which
from threading import Barrier, local
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.memcached import BaseMemcachedCache
from django.test import override_settings

from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Change, connections, host_clock, store_for
from lockout_decorators.stores.connections import Pool
from lockout_decorators.stores.memcached import PyMemcacheStore
from tests.outages import Server
from tests.racers import add, text, values
from tests.servers import BACKENDS, free_port, missing, need_pylibmc
from tests.sizes import IN_FULL
from tests.swaps import keys, put, standing

pytestmark = pytest.mark.servers

TIMEOUT = 0.7 if os.environ.get("CI") else 0.3  # seconds that a client waits for its server
MILLISECONDS = int(TIMEOUT * 1000)
PYMEMCACHE = {"connect_timeout": TIMEOUT, "timeout": TIMEOUT, "retry_timeout": 0.1, "dead_timeout": 0.1}
PYLIBMC = {"_poll_timeout": MILLISECONDS, "connect_timeout": MILLISECONDS}
EJECTING = {**PYLIBMC, "ketama": True, "auto_eject": True, "remove_failed": 1, "retry_timeout": 1, "dead_timeout": 60}

# A backend and its options, with which each client would hide a dead server.
CLIENTS = {
    "pymemcache": ("PyMemcacheCache", {**PYMEMCACHE, "ignore_exc": True, "retry_attempts": 0}),
    "pylibmc": ("PyLibMCCache", {"behaviors": EJECTING}),
}
if IN_FULL:
    CLIENTS = {
        **CLIENTS,
        "pymemcache, strict": ("PyMemcacheCache", PYMEMCACHE),
        "pymemcache, pooled": ("PyMemcacheCache", {**PYMEMCACHE, "use_pooling": True}),
        "pylibmc, plain": ("PyLibMCCache", {"behaviors": PYLIBMC}),
        "pylibmc, binary": ("PyLibMCCache", {"behaviors": PYLIBMC, "binary": True}),
    }


class Memcached(Server):
    """A server of these tests."""

    def __init__(self) -> None:
        binary, port = which("memcached"), free_port()
        if binary is None:  # pragma: no cover
            missing("Memcached: there is no memcached on the PATH")
        super().__init__(binary, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", getuser(), port=port)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.freeze()
        os.waitpid(self.process.pid, os.WUNTRACED)  # until it has stopped
        try:
            yield
        finally:
            self.thaw()

    def restart(self) -> None:
        self.kill()
        self.start()


@pytest.fixture(scope="module")
def servers():
    """Two; whoever kills one starts it again."""
    servers = [Memcached(), Memcached()]
    yield servers
    for server in servers:
        server.kill()


@pytest.fixture
def server(servers):
    return servers[0]


@contextmanager
def alias(backend, options, *servers):
    if "PyLibMC" in backend:
        need_pylibmc()
    dotted = backend if "." in backend else f"{BACKENDS}.memcached.{backend}"
    location = [server.address for server in servers]
    with override_settings(CACHES={"default": {"BACKEND": dotted, "LOCATION": location, "OPTIONS": options}}):
        try:
            yield (store := store_for("default"))
        finally:
            for known in connections._shared.values():
                for pool in vars(known).get("_pools", {None: known}).values():
                    while isinstance(pool, Pool) and pool._idle:
                        pool._close(pool._idle.pop()[0])
            store.cache.close()


@pytest.fixture(params=CLIENTS)
def client(request):
    return CLIENTS[request.param]


@pytest.fixture
def store(client, server):
    """Of one server."""
    with alias(*client, server) as store:
        yield store


@pytest.fixture
def several(client, servers):
    """Of two servers."""
    with alias(*client, *servers) as store:
        yield store


def homes(count):
    """A key of each of so many clients."""
    return [key for _ in range(count) for key in keys()]


def swap(store, key, value, token=None, life=60, late=0):
    return store.swap([Change(key, token, value, life)], host_clock() + late)


@pytest.mark.parametrize("module", ["abc", "pymemcache.fork", "zlib"])
@pytest.mark.parametrize("name", ["Client", "HashClient", "ZClient"])
def test_other_libraries(module, name):
    """And other clients of this one are unknown."""
    cache = TimelyCache([], {})
    cache._class = type(name, (), {"__module__": module})
    assert PyMemcacheStore.serves(cache) == ((module, name) == ("pymemcache.fork", "HashClient"))


def test_a_server_that_dies_takes_its_own_clients_with_it(several, servers):
    """And no others, however often they are asked for; none of them looks empty, nor moves to the other server, though
    Django's own client gives up on it for a while."""
    values = {name: text(number) for number, name in enumerate(homes(24))}
    for name, value in values.items():
        put(several, name, value)
    servers[0].kill()
    for name in values:
        with suppress(Exception):
            caches["default"].get(name)
    told = {name: told_of(several, name) for name in values}
    dead, alive = [name for name in values if told[name] is None], [name for name in values if told[name]]
    assert dead
    assert [values[name] for name in alive] == [told[name] for name in alive] != []
    for _ in range(3):
        for name in dead:
            assert told_of(several, name) is None
            with pytest.raises(StoreError):
                swap(several, name, text(0))
        for name in alive:
            put(several, name, text(0))
        time.sleep(0.15)
    servers[0].start()
    assert [None] * len(dead) == standing(several, *dead)
    for name in dead:
        put(several, name, text(0))


def told_of(store, name):
    """What stands there, "" for nothing; None where nobody tells."""
    with suppress(StoreError):
        return standing(store, name)[0] or ""


def test_a_frozen_server_is_an_outage(store, server):
    """In one wait, not in two; it does not look empty; and what it says afterwards is heard by nobody else."""
    key, other = homes(2)
    put(store, key, text(1))
    token = store.read([key]).found[0].token
    with server.frozen():
        for ask in (
            lambda: store.read([key]),
            lambda: swap(store, key, text(2), token),
            lambda: swap(store, key, text(3)),
        ):
            began = time.monotonic()
            with pytest.raises(StoreError):
                ask()
            assert time.monotonic() - began < 1.8 * TIMEOUT
    put(store, other, last := text(4))
    assert [last] == standing(store, other)
    assert standing(store, key)[0].split(".")[1] in "12"  # what it was sent meanwhile it may have done


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(("timeout", "connect_timeout"), [(0.5, 0.25), (None, 0.25), (0.5, None)])
def test_how_pymemcache_connects(server, timeout, connect_timeout, pooled):
    """With the timeouts of the alias, or five seconds, where pymemcache waits for ever; no delay of what is sent."""
    options = {"timeout": timeout, "connect_timeout": connect_timeout, "use_pooling": pooled}

    def told(client):
        delayed = not client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        return client.timeout, client.connect_timeout, client.sock.gettimeout(), delayed

    with alias("PyMemcacheCache", options, server) as store:
        standing(store, *keys())
        found = store._servers.of("key").use(told)
    assert (timeout or 5, connect_timeout or 5, timeout or 5, False) == found


def test_a_restarted_server_costs_nobody_a_guess(store, server):
    """Though it has closed the connections that lay idle."""
    for ask, answer in (
        (lambda: standing(store, *homes(2)), [None, None]),
        (lambda: swap(store, *keys(), text(1)).won, True),
        (lambda: swap(store, *keys(), text(1), 17).won, False),
        (lambda: swap(store, *keys(), None, 17).won, True),  # what was wanted stands there
    ):
        put(store, *keys(), text(1))
        server.restart()
        assert answer == ask()


def test_threads_that_share_a_cache_object(store, monkeypatch):
    """Hear no replies but their own, and lose nothing."""
    threads, rounds, shared = 8, 12, keys()
    together = Barrier(threads)
    monkeypatch.setattr("tests.racers.store_for", lambda alias: store)

    def run(_):
        (own,), mine = keys(), None
        together.wait()
        for _ in range(rounds):
            add(shared)
            assert [mine] == standing(store, own)
            put(store, own, mine := text(1))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, range(threads)))
    finally:
        sys.setswitchinterval(interval)
    assert [threads * rounds] == values(shared)


def test_a_removal_is_a_swap(store):
    """It is won if it has happened already; then nothing is left. Of another time it is lost all the same."""
    (key,) = keys()
    put(store, key, text(1))
    token = store.read([key]).found[0].token
    for _ in range(2):
        removed = swap(store, key, None, token)
        assert (True, [(None, None)]) == (removed.won, removed.found)
    late = swap(store, key, None, token, late=-3000)
    assert (False, True, [(None, None)]) == (late.won, late.stale, late.found)
    assert swap(store, key, text(3)).won


def test_what_is_written_stands_for_a_second_at_least(server):
    """Memcached takes nothing for ever, and what is negative for over; and may be at the end of a second."""
    written = [(client, homes(2)) for client in CLIENTS.values() if find_spec("pylibmc") or "PyLibMC" not in client[0]]
    for client, names in written:
        with alias(*client, server) as store:
            assert [2, 2, 61, 0] == [store._expiry(life) for life in (0, -60, 60, None)]
            last = text(1)
            assert all(swap(store, key, last, life=life).won for key, life in zip(names, (0, -60), strict=True))
            assert [last] * 2 == standing(store, *names)
    time.sleep(2.5)
    for client, names in written:
        with alias(*client, server) as store:
            assert [None] * 2 == standing(store, *names)


def test_what_is_too_large_is_an_outage(store):
    """Memcached takes a megabyte; what stood there stays."""
    (key,) = keys()
    put(store, key, small := text(1))
    with pytest.raises(StoreError):
        put(store, key, text(2) + "-" * 1_100_000)
    assert [small] == standing(store, key)


@pytest.mark.parametrize("client", ["pymemcache"], indirect=True)
@pytest.mark.parametrize("flags", [0, 1, 2, 4, 16])
def test_an_entry_that_is_damaged(store, server, flags):
    """Is read by either library, as something or nothing, and can be written over, by whoever comes first."""
    (key,) = keys()
    assert [None] == standing(store, key)
    name = store.cache.make_key(key)
    with alias("PyLibMCCache", {}, server) as other:
        for reader in (store, other):
            store.cache._cache.set(name, b"\x80\xff.", flags=flags)
            found = reader.read([key]).found[0]
            first = swap(reader, key, text(1), found.token)
            again = first if first.won else swap(reader, key, text(1), first.found[0].token)
            assert again.won
            assert not swap(reader, key, text(2), found.token).won
            assert not swap(reader, key, None, found.token).won
            assert ["1"] == [value.split(".")[1] for value in standing(reader, key)]


def test_a_reply_that_was_lost(store, server, monkeypatch):
    """The command is sent again; who finds there what it has written has won."""
    (key,) = keys()
    put(store, key, text(1))  # so that a connection lies idle
    asked = []

    def ask(pool, connection, operation):
        answer = known(pool, connection, operation)
        asked.append(answer)
        if len(asked) == 1:
            raise ConnectionResetError
        return answer

    token = store.read([key]).found[0].token
    known = Pool._ask
    monkeypatch.setattr(Pool, "_ask", ask)
    assert swap(store, key, last := text(2), token).won
    assert [last] == standing(store, key)
    assert asked[0] is True


class TimelyCache(BaseMemcachedCache):
    """As django-pymemcache 1.0 has it: a client for each thread, which does not wait for replies."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        import pymemcache

        super().__init__(server, params, pymemcache, KeyError)
        self._class, self._local = pymemcache.HashClient, local()

    @property
    def _cache(self) -> Any:
        if not hasattr(self._local, "client"):
            self._local.client = self._class(self._servers)
        return self._local.client


class Discovering(TimelyCache):
    """Knows no servers yet."""

    _cache = property(lambda self: self._class([]))


Discovering.__module__ = "django_elasticache.memcached"


def swaps_as_ever(store, key, *, absent):
    """A swap is won where it has to be, and lost where not."""
    if absent:
        assert swap(store, key, text(1)).won
    assert not swap(store, key, text(2)).won
    token = store.read([key]).found[0].token
    assert swap(store, key, last := text(3), token).won
    assert not swap(store, key, text(4), token).won
    assert [last] == standing(store, key)


def test_a_client_that_does_not_wait_for_replies(server):
    """Says that it has added whatever is there already: here it is told to wait."""
    (key,) = keys()
    with alias(f"{__name__}.TimelyCache", {}, server) as store:
        assert caches["default"].add(key, "somebody's")
        assert caches["default"].add(key, "somebody else's")
        assert caches["default"].get(key)  # both have arrived
        swaps_as_ever(store, key, absent=False)
        assert store.weakness() is None


def test_behaviors_by_which_pylibmc_would_not_wait(server):
    """Are left out: it would say that it has done what it has only sent, or not even that."""
    behaviors = {"buffer_requests": True, "_noreply": True, "auto_eject": True}
    with alias("PyLibMCCache", {"behaviors": behaviors}, server) as store:
        swaps_as_ever(store, *keys(), absent=True)
        told = store._pool.use(lambda client: dict(client.behaviors))
        assert [0, 0, 0, 1] == [told[name] for name in ("auto_eject", "buffer_requests", "num_replicas", "tcp_nodelay")]


@pytest.mark.parametrize(("answer", "times"), [((None, None), 2), (("text", 7), 1)])
def test_pylibmc_is_given_names_that_stay(server, answer, times, monkeypatch):
    """In bytes: text it would encode, and let go of the result before it is sent. Other threads write over it. It is
    asked once more where it finds nothing."""
    asked = []

    class Client:
        def gets(self, name):
            asked.append(type(name))
            return answer

    with alias("PyLibMCCache", {}, server) as store:
        monkeypatch.setattr(store._pool, "_make", Client)
        assert [answer[0]] * 2 == standing(store, *keys(2))
        store._pool._idle.clear()
    assert [bytes] * 2 * times == asked


def test_a_client_that_knows_no_servers_yet():
    """Is an outage, and may know them later."""
    with alias(f"{__name__}.Discovering", {}) as store:
        for _ in range(2):
            with pytest.raises(StoreError):
                store.read(keys())
        assert "discovers" in store.weakness()


def test_names_that_memcached_would_misread(server):
    """A prefix with a space is refused, as Django does."""
    cache = {"BACKEND": f"{BACKENDS}.memcached.PyMemcacheCache", "LOCATION": server.address, "KEY_PREFIX": "a b"}
    with override_settings(CACHES={"default": cache}), pytest.raises(StoreError, match="InvalidCacheKey"):
        store_for("default").read(keys())


def test_records_of_one_client_lie_together(servers):
    """On one server, so that one look tells all."""
    with alias("PyMemcacheCache", {}, *servers) as store:
        homes = [f"lockout:2:{{{token_hex(2)}}}:" for _ in range(12)]
        servers_of = [{store._servers.of(home + token_hex(8)) for _ in range(5)} for home in homes]
        assert [1] * 12 == [len(pools) for pools in servers_of]
        assert 2 == len(set.union(*servers_of))
        assert 2 == len({store._servers.of(token_hex(8)) for _ in range(20)})  # without a home too


FORKED = """
import os, sys, django
from django.conf import settings
from django.test import override_settings
from lockout_decorators.stores import Change, connections, host_clock, store_for

django.setup()
for number, backend in enumerate(sys.argv[2:]):
    key = f"key{number}"
    with override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": sys.argv[1]}}):
        store = store_for("default")
        assert store.swap([Change(key, None, "1.1", 60)], host_clock()).won
        if (child := os.fork()) == 0:
            found = [store.read([key]).found[0].text for _ in range(100)]
            os._exit(found != ["1.1"] * 100)
        found = [store.read([key]).found[0].text for _ in range(100)]
        assert found == ["1.1"] * 100, found
        assert os.waitpid(child, 0)[1] == 0
        assert store.read([key]).found[0].text == "1.1"
"""


def test_a_child_process_has_connections_of_its_own(server):
    """By either library."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    backends = [f"{BACKENDS}.memcached.{backend}" for backend in ("PyMemcacheCache", "PyLibMCCache")]
    command = [sys.executable, "-c", FORKED, server.address, *backends[: 1 + bool(find_spec("pylibmc"))]]
    assert 0 == subprocess.run(command, env=environment, timeout=30, check=False).returncode


class Connection:
    closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def pool():
    return Pool(Connection, Connection.close)


def test_a_connection_is_used_again(pool, monkeypatch):
    """Unless it is busy, or has lain idle for long; few lie there."""
    first = pool.use(lambda connection: connection)
    assert first is pool.use(lambda connection: connection)
    assert first is not pool.use(lambda one: pool.use(lambda other: other))
    monkeypatch.setattr(connections, "IDLE", -1)
    assert first is not pool.use(lambda connection: connection)
    assert first.closed
    monkeypatch.setattr(connections, "MOST", 1)
    used = []
    pool.use(lambda one: used.extend([one, pool.use(lambda other: other)]))
    assert [True, False] == [connection.closed for connection in used]


def test_what_was_interrupted_is_not_used_again(pool):
    """A reply may be on its way."""
    used = []

    def interrupt(connection):
        used.append(connection)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.use(interrupt)
    assert [True] == [connection.closed for connection in used]
    assert used != [pool.use(lambda connection: connection)]


def test_a_child_leaves_to_its_parent_what_lies_idle(pool, monkeypatch):
    old = pool.use(lambda connection: connection)
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        assert old is not pool.use(lambda connection: connection)
    assert not old.closed
    assert old is pool.use(lambda connection: connection)


def test_cache_objects_of_one_configuration_share_connections(server):
    """Whatever their prefix; those of another do not."""
    cache = {"BACKEND": f"{BACKENDS}.memcached.PyMemcacheCache", "LOCATION": server.address}
    pools = []
    for setting in ({}, {"KEY_PREFIX": "other", "TIMEOUT": 5, "VERSION": 2}, {"OPTIONS": {"timeout": 9}}):
        with override_settings(CACHES={"default": {**cache, **setting}}):
            pools.append(store_for("default")._servers.of("key"))
    assert pools[0] is pools[1]
    assert pools[0] is not pools[2]

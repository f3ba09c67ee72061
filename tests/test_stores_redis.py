"""Redis and Valkey: which client is asked, and what for; servers that forbid scripts, go away, or share the keys."""

import gc
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial, partialmethod
from types import SimpleNamespace

import pytest
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import ReadOnlyError, Redis

from lockout_decorators.attempts.seats import Book, Seat
from lockout_decorators.exceptions import StoreError
from lockout_decorators.records import moves
from lockout_decorators.records.record import EMPTY, Slot
from lockout_decorators.records.rule import Rule
from lockout_decorators.stores import redis_watch, store_for
from lockout_decorators.stores.redis_lines import Line
from tests.engines import redis as engines
from tests.engines.redis import DJANGO, DJANGO_REDIS, DJANGO_VALKEY, client, packed
from tests.engines.redis_servers import say, valkey
from tests.on_redis import SCRIPTED, UNSCRIPTED, making, redis
from tests.racers import add, text, values
from tests.swaps import changes, standing, write
from tests.swaps import keys as names

pytestmark = pytest.mark.servers
CLIENTS = {DJANGO_REDIS: "django_redis", DJANGO_VALKEY: "django_valkey"}


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with valkey(tmp_path_factory.mktemp("valkey")) as port:
        yield port


@pytest.fixture
def use(port):
    with making(port) as use:
        yield use


@pytest.fixture
def keys():
    return names(2)


def calls(port, operation):
    """What the server was asked to do by `operation`, and how often; what scripts ask included."""
    with Redis(port=port) as asking:
        asking.config_resetstat()
        operation()
        stats = asking.info("commandstats")
    del stats["cmdstat_config|resetstat"]
    return {name.removeprefix("cmdstat_"): count["calls"] for name, count in stats.items()}


def test_one_round_trip_each(use, port, keys):
    """A look, a swap that is won and one that is lost are one command each, for one key and for two."""
    (store,) = use(default=SCRIPTED)
    write(store, keys)  # after which the server knows the scripts, and the client has its connection
    for some in (keys[:1], keys):
        inner = {"time": 1, "get": len(some)}
        assert {"evalsha": 1, **inner} == calls(port, lambda some=some: store.read(some))
        reading = store.read(some)
        made = changes(reading, some)
        won = calls(port, lambda made=made, reading=reading: store.swap(made, reading.clock()))
        assert {"evalsha": 1, **inner, "set": len(some)} == won
        lost = calls(port, lambda some=some, reading=reading: store.swap(changes(reading, some), reading.clock()))
        assert {"evalsha": 1, **inner} == lost


def test_two_round_trips_without_scripts(use, port, keys):
    """A look is one, with a transaction's first two steps."""
    (store,) = use(default=UNSCRIPTED)
    write(store, keys)
    reading = store.read(keys)
    assert {"time": 1, "mget": 1} == calls(port, lambda: store.read(keys))
    asked = calls(port, lambda: store.swap(changes(reading, keys), reading.clock()))
    assert {"watch": 1, "time": 1, "mget": 1, "multi": 1, "set": 2, "exec": 1} == asked


def test_no_client_is_built_for_an_operation(use, keys, monkeypatch):
    """Nor for a further cache object, nor for a further thread: an ASGI server makes both for each request."""
    (store,) = use(default=SCRIPTED)
    store.read(keys)
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as thread:
        patch.setattr("redis.Redis.__init__", None)
        assert write(store, keys).won
        del caches["default"]
        assert store_for("default") is not store
        assert write(store_for("default"), keys).won
        assert thread.submit(lambda: write(store_for("default"), keys).won).result()


@pytest.mark.parametrize("setup", [SCRIPTED, UNSCRIPTED], ids=["scripts", "watch"])
def test_no_connection_is_made_for_a_cache_object(use, port, keys, setup):
    """What a process has learnt of its server, it has learnt for all of them."""
    (store,) = use(default=setup)
    write(store, keys)
    before = say(port, "INFO", "stats")["total_connections_received"]
    for _ in range(3):
        del caches["default"]
        assert write(store_for("default"), keys).won
    assert before + 1 == say(port, "INFO", "stats")["total_connections_received"]


def test_threads_share_a_cache_object(use, keys, monkeypatch):
    """And lose nothing."""
    (store,) = use(default=SCRIPTED)
    monkeypatch.setattr("tests.racers.store_for", lambda alias: store)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, [keys] * 80))
    assert [80, 80] == values(keys)


@pytest.mark.parametrize("backend", [DJANGO, *CLIENTS])
def test_replicas_are_never_asked(use, keys, backend):
    (store,) = use(default=redis(["redis://127.0.0.1:PORT", "redis://127.0.0.1:1", "redis://127.0.0.1:1"], backend))
    assert write(store, keys, written := text(1)).won
    assert [written] * 2 == standing(store, *keys)


@pytest.mark.parametrize(("backend", "options"), [(DJANGO, {}), *((b, {"IGNORE_EXCEPTIONS": True}) for b in CLIENTS)])
def test_a_dead_server_is_an_outage(use, keys, backend, options):
    """Also where the alias ignores exceptions, and says that it has stored what it has not."""
    (store,) = use(default=redis("redis://127.0.0.1:1", backend, **options))
    with pytest.raises(StoreError, match="ConnectionError"):
        store.read(keys)


@pytest.mark.parametrize(("backend", "package"), CLIENTS.items())
def test_what_is_stored_is_plain_text(use, port, keys, backend, package):
    """Whatever the alias makes of its own values; Herd clients too, which would go on serving what has expired."""
    serializers, compressors = ["pickle.Pickle", "json.JSON"], ["identity.Identity", "zlib.Zlib", "lzma.Lzma"]
    options = [packed(package, one, other) for one in serializers for other in compressors]
    for chosen in (*options, client(package, "Herd")):
        (store,) = use(default=redis(backend=backend, **chosen))
        write(store, keys, written := text(1))
        name = store.cache.make_key(keys[0])
        assert (written.encode(), [written] * 2) == (say(port, "GET", name), standing(store, *keys))
        assert 58 < say(port, "TTL", name) <= 60


WAYS = {
    "scripts": SCRIPTED,
    "scripts, decoded": redis(decode_responses=True),
    "watch": UNSCRIPTED,
    "watch, decoded": redis(engines.UNSCRIPTED, decode_responses=True),
}
FOREIGN = [b"\xff\x00\xfe" * 9, b"1." + b"\x80" * 40, b"17", b"0123456789abcdef.newer.version", b"", b"\xc3\xa4" * 20]


@pytest.mark.parametrize("setup", WAYS.values(), ids=WAYS)
def test_what_is_no_record(use, port, keys, setup):
    """Whatever bytes stand there, or a value of another type, is told as text or as nothing, and written over."""
    (store,) = use(default=setup)
    name, key = store.cache.make_key(keys[0]), keys[0]
    for foreign in FOREIGN:
        say(port, "SET", name, foreign)
        (found,) = standing(store, key)
        assert found.isascii() if foreign else found is None
        assert write(store, [key]).won
    for command in ("RPUSH", "SADD", "HSET"):
        say(port, "DEL", name)
        say(port, command, name, "field", *["value"] * (command == "HSET"))
        assert [None] == standing(store, key)
        assert write(store, [key], last := text(2)).won
        assert [last] == standing(store, key)


class ByKey(RedisCacheClient):
    """Chooses the server by the key, as Django says that a client of the project's own may."""

    def get_client(self, key=None, *, write=False):
        assert write
        self.chosen = str(key)[-1:] == "b"
        return super().get_client(key, write=write)

    def _get_connection_pool_index(self, write):
        return int(self.chosen)


class ByKeyCache(RedisCache):
    def __init__(self, server, params):
        super().__init__(server, params)
        self._class = ByKey


def test_a_client_of_the_projects_own(use, port):
    """That chooses the server by the key is asked for each; what lies together is swapped at once."""
    servers = ["redis://127.0.0.1:PORT/1", "redis://127.0.0.1:PORT/2"]
    (store,) = use(default=redis(servers, f"{__name__}.ByKeyCache"))
    keys = [f"{name}{end}" for end in "aba" for name in names(1)]
    assert [[keys[0], keys[2]], [keys[1]]] == store.batches(keys)
    for batch in store.batches(keys):
        assert write(store, batch, batch[0]).won
    assert [keys[0], keys[1], keys[0]] == standing(store, *keys)
    with Redis(port=port, db=2) as second:
        assert [store.cache.make_key(keys[1]).encode()] == second.keys()


ASYNCHRONOUS = {
    "redis": {
        "REDIS_CLIENT_CLASS": "redis.asyncio.Redis",
        "CONNECTION_POOL_CLASS": "redis.asyncio.ConnectionPool",
        "PARSER_CLASS": "redis._parsers._AsyncRESP2Parser",
    },
    "valkey": {},
}


@pytest.mark.parametrize("library", list(ASYNCHRONOUS))
def test_asynchronous_clients(use, keys, library):
    """Are told at first use, and can be told before it: what has to be awaited is no answer."""
    backend = {"redis": DJANGO_REDIS, "valkey": "django_valkey.async_cache.cache.AsyncValkeyCache"}[library]
    (store,) = use(default=redis(backend=backend, **ASYNCHRONOUS[library]))
    with pytest.raises(StoreError, match="its client is asynchronous"):
        store.read(keys)
    assert "asynchronous" in store.weakness()
    del caches["default"]  # or closing it would have to be awaited


def test_an_awaitable_is_no_answer(use, keys, monkeypatch):
    (store,) = use(default=SCRIPTED)

    async def answer():
        """Never."""

    monkeypatch.setattr(Line, "execute_command", lambda *args, **options: answer())
    with pytest.raises(StoreError, match="its client is asynchronous"):
        store.read(keys)


def test_weaknesses_are_told_without_a_server(use):
    """Of other clients there is none to tell."""
    nobody = "redis://127.0.0.1:1"
    for backend in (DJANGO, *CLIENTS, "django.core.cache.backends.locmem.LocMemCache"):
        (*_, store) = use(other=SCRIPTED, default={"BACKEND": backend, "LOCATION": nobody})
        assert store.weakness() is None


BOTH = pytest.mark.parametrize("setup", [SCRIPTED, UNSCRIPTED], ids=["scripts", "watch"])


@pytest.fixture
def warnings(caplog):
    """What was warned of, in a process that has not done so before."""
    redis_watch.warn.cache_clear()
    return lambda: [record.levelno for record in caplog.records if record.name == "lockout_decorators"]


def break_connections(port):
    say(port, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def test_scripts_that_the_server_has_forgotten(use, port, keys, monkeypatch):
    """After a restart, or on a replica that was promoted: the source is sent once more, and only once."""
    (store,), sent = use(default=SCRIPTED), []
    execute = Line.execute_command
    monkeypatch.setattr(
        Line, "execute_command", lambda line, *words, **raw: (sent.append(words[0]), execute(line, *words, **raw))[1]
    )
    say(port, "SCRIPT", "FLUSH")
    assert [write(store, keys).won for _ in range(2)] == [True, True]
    assert ["EVALSHA", "EVAL", "EVALSHA", "EVALSHA", "EVALSHA"] == sent


@BOTH
def test_a_connection_that_breaks(use, port, keys, setup):
    """Once more over a new one: a server that was restarted costs nobody an error."""
    (store,) = use(default=setup)
    write(store, keys)
    break_connections(port)
    reading = store.read(keys)
    break_connections(port)
    assert store.swap(changes(reading, keys), reading.clock()).won


@BOTH
def test_a_reply_that_is_lost(use, port, keys, setup, monkeypatch):
    """The command is sent again, finds what it wanted to write, and has won; the guess holds one slot, not two."""
    (store,), rule = use(default=setup), Rule(5, 60_000, (60_000,))
    write(store, keys)
    book = Book(store, [Seat(SimpleNamespace(key=key, rule=rule)) for key in names(2)])
    book.read()
    now, slot, sent = book.clock(), Slot(False, 0, "abcdef"), losing(monkeypatch, "EVALSHA", ("MULTI",))
    for seat in book.seats:
        seat.moved = moves.admit(seat.record, rule, now, slot)
    assert book.swap(book.seats, now)
    assert [1, 1] == [len(seat.record.slots) for seat in book.seats]
    for seat in book.seats:
        seat.moved = EMPTY
    assert book.swap(book.seats, book.clock())
    assert any(sent)


def losing(monkeypatch, *begin):
    """The first reply to what begins so is lost. Gives whether each command was."""
    lost = []

    def losing(real, line, *words, **raw):
        answer = real(line, *words, **raw)
        lost.append(words[0] in begin and not any(lost))
        if lost[-1]:
            raise ConnectionError
        return answer

    for name in ("execute_command", "execute"):
        monkeypatch.setattr(Line, name, partialmethod(partial(losing, getattr(Line, name))))
    return lost


@BOTH
def test_an_error_that_another_connection_may_not_have(use, keys, setup, monkeypatch):
    """A primary that was one no more, as a failover ends: asked once more, though the connection was new."""
    (store,) = use(default=setup)
    told = [ReadOnlyError("READONLY")] * 2

    def failing(real, line, *words, **raw):
        if told:
            raise told.pop()
        return real(line, *words, **raw)

    for name in ("execute_command", "execute"):
        monkeypatch.setattr(Line, name, partialmethod(partial(failing, getattr(Line, name))))
    assert [None, None] == standing(store, *keys)


@BOTH
def test_an_alias_says_how_often_to_try(use, port, keys, setup):
    """By redis-py's own options, of its connections."""
    options = {"socket_timeout": 0.2, "retry_on_timeout": True}
    (store,) = use(default=redis(setup["LOCATION"], **options))
    write(store, keys)
    say(port, "CLIENT", "PAUSE", 300, "ALL")
    assert all(standing(store, *keys))


def test_a_primary_that_is_one_no_more(use, keys):
    """As soon as Sentinels have named another one to any connection of the pool, those to it are not used."""
    (store,) = use(default=redis(f"{engines.URL}/8"))
    pool, before = store._clients.of("").connection_pool, connection_of(store)
    pool.master_address = ("127.0.0.1", pool.connection_kwargs["port"])
    assert before == connection_of(store)
    for host in ("127.0.0.0", "127.0.0.2"):
        pool.master_address = (host, pool.connection_kwargs["port"])
        with pytest.raises(StoreError, match="the primary is"):
            store.read(keys)


@BOTH
def test_what_a_server_replies_closes_no_connection(use, port, keys, setup):
    """Out of memory, it is told so once."""
    (store,) = use(default=redis(f"{setup['LOCATION']}/9"))
    reading = write(store, keys) and store.read(keys)
    say(port, "CONFIG", "SET", "maxmemory", 1)
    before = connection_of(store), say(port, "INFO", "stats")["total_connections_received"]
    try:
        for _ in range(3):
            with pytest.raises(StoreError, match="maxmemory"):
                store.swap(changes(reading, keys), reading.clock())
    finally:
        say(port, "CONFIG", "SET", "maxmemory", 0)
    assert (before[0], before[1] + 2) == (
        connection_of(store),
        say(port, "INFO", "stats")["total_connections_received"],
    )
    assert write(store, keys).won


class Forgetful(RedisCacheClient):
    """Makes a client, with a pool, each time it is asked for one."""

    def get_client(self, key=None, *, write=False):
        return Redis.from_url(self._servers[0])


class ForgetfulCache(RedisCache):
    def __init__(self, server, params):
        super().__init__(server, params)
        self._class = Forgetful


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_connections_end_with_their_pool(use, port, keys):
    (store,) = use(default=redis(backend=f"{__name__}.ForgetfulCache"))
    write(store, keys)
    gc.collect()
    before = say(port, "INFO", "clients")["connected_clients"]
    for _ in range(20):
        assert write(store, keys).won
    gc.collect()
    assert say(port, "INFO", "clients")["connected_clients"] <= before + 2


@pytest.fixture
def port_restored(port):
    yield port
    say(port, "REPLICAOF", "NO", "ONE")


BLOCKING = redis(  # a URL of its own, by which django-valkey keeps pools
    "redis://127.0.0.1:PORT/5", DJANGO_VALKEY, CONNECTION_POOL_CLASS="valkey.connection.BlockingConnectionPool"
)


@pytest.mark.parametrize("setup", [SCRIPTED, UNSCRIPTED, BLOCKING], ids=["scripts", "watch", "blocking"])
def test_a_server_that_has_become_a_replica(use, port_restored, keys, setup):
    """An outage; and connections are made anew, since its name may mean another server by now."""
    (store,), port = use(default=setup), port_restored
    reading, before = store.read(keys), connection_of(store)
    say(port, "REPLICAOF", "127.0.0.1", 1)
    with pytest.raises(StoreError, match="read only replica"):
        store.swap(changes(reading, keys), reading.clock())
    assert connection_of(store) > before
    say(port, "REPLICAOF", "NO", "ONE")
    assert write(store, keys).won


def connection_of(store):
    return store._clients.use("", lambda line: line.execute_command("CLIENT", "ID"))


def test_what_exec_can_not_do(use, keys):
    """Is an outage: who was told so has written nothing."""
    (store,) = use(default=UNSCRIPTED)
    reading = store.read(keys)
    with pytest.raises(StoreError, match="invalid expire time"):
        store.swap([change._replace(life=-1) for change in changes(reading, keys)], reading.clock())
    assert [None, None] == standing(store, *keys)
    assert write(store, keys).won


def test_a_server_that_forbids_scripts(use, keys, warnings):
    """Is served by WATCH, with one warning a process."""
    for database in (6, 7):  # which the process has not asked before
        (store,) = use(default=redis(f"{engines.UNSCRIPTED}/{database}"))
        assert write(store, keys).won
        del caches["default"]
    assert [logging.WARNING] == warnings()


def test_a_server_that_has_no_scripts(tmp_path, keys, warnings):
    """A hosted one often has them renamed."""
    with valkey(tmp_path, **{"rename-command": 'EVALSHA ""'}) as port, making(port) as use:
        (store,) = use(default=SCRIPTED)
        assert write(store, keys).won
    assert [logging.WARNING] == warnings()


def test_a_server_that_forbids_more(use, port, keys, warnings):
    """Is an outage, and nothing is said of scripts."""
    say(port, "ACL", "SETUSER", "elsewhere", "on", "nopass", "~other:*", "+@all")
    (store,) = use(default=redis("redis://elsewhere:@127.0.0.1:PORT"))
    with pytest.raises(StoreError, match="NoPermission"):
        store.read(keys)
    assert ([], True) == (warnings(), store._clients.scripted)


@pytest.mark.parametrize("first", ["scripted", "unscripted"])
def test_scripts_and_watch_respect_each_other(use, keys, first, monkeypatch):
    """Whoever comes between, what was decided before is lost."""
    stores = dict(zip(("scripted", "unscripted"), use(scripted=SCRIPTED, unscripted=UNSCRIPTED), strict=True))
    one, other = stores.pop(first), *stores.values()
    write(one, keys), write(other, keys)
    reading = one.read(keys)
    assert write(other, keys[1:], last := text(2)).won
    lost = one.swap(changes(reading, keys), reading.clock())
    assert (False, False, last) == (lost.won, lost.stale, lost.found[1].text)


def test_what_comes_between_watch_and_exec(use, keys, monkeypatch):
    """A script, and an entry that ends."""
    scripted, unscripted = use(scripted=SCRIPTED, unscripted=UNSCRIPTED)
    write(unscripted, keys)
    executed = redis_watch._executed

    def between(*arguments):
        write(scripted, keys[1:], last)
        return executed(*arguments)

    monkeypatch.setattr(redis_watch, "_executed", between)
    last = text(2)
    lost = write(unscripted, keys)
    assert (False, False, last) == (lost.won, lost.stale, lost.found[1].text)
    assert last == standing(unscripted, *keys)[1]


def test_a_lost_swap_leaves_nothing_behind(use, keys):
    """On its connection, that would make others lose."""
    (store,), (key, other) = use(default=UNSCRIPTED), keys
    reading = store.read([key])
    assert write(store, [key]).won
    assert not store.swap(changes(reading, [key]), reading.clock()).won
    assert write(use(scripted=SCRIPTED)[0], [key]).won
    assert write(store, [other]).won


def test_a_connection_that_breaks_between_watch_and_exec(use, port, keys, monkeypatch):
    """Is not made anew by a check of health, which would go on without WATCH."""
    options = {"health_check_interval": 0.05, "retry_on_timeout": True}
    scripted, unscripted = use(scripted=SCRIPTED, unscripted=redis(engines.UNSCRIPTED, **options))
    write(unscripted, keys)
    executed = redis_watch._executed

    def between(*arguments):
        monkeypatch.setattr(redis_watch, "_executed", executed)
        assert write(scripted, keys, last).won
        say(port, "CLIENT", "KILL", "USER", engines.SCRIPTLESS)
        time.sleep(0.06)
        return executed(*arguments)

    monkeypatch.setattr(redis_watch, "_executed", between)
    last = text(2)
    assert not write(unscripted, keys).won
    assert [last] * 2 == standing(scripted, *keys)


@BOTH
def test_shards(use, port, keys, setup):
    """Each key on the server that the cache itself would choose; those of one are swapped at once."""
    servers = [f"{setup['LOCATION']}/{number}" for number in (1, 2, 3)]
    for backend, package in ((engines.DJANGO_REDIS, "django_redis"), (engines.DJANGO_VALKEY, "django_valkey")):
        (store,) = use(default=redis(servers, backend, **engines.client(package, "Shard")))
        keys = [key for _ in range(30) for key in names(1)]
        assert 1 < len(store.batches(keys)) <= 3
        for batch in store.batches(keys):
            assert write(store, batch, text(batch[0])).won
        assert all(store.cache.has_key(key) for key in keys)
        assert len(keys) == len(standing(store, *keys))

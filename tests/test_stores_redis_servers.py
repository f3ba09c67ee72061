"""Redis and Valkey: servers that forget or forbid scripts, go away, take no writes, or share the keys among them."""

import logging
from types import SimpleNamespace

import pytest
from django.core.cache import caches

from lockout_decorators.attempts.seats import Book, Seat
from lockout_decorators.exceptions import StoreError
from lockout_decorators.records import moves
from lockout_decorators.records.record import EMPTY, Slot
from lockout_decorators.records.rule import Rule
from lockout_decorators.stores import redis_scripts, redis_watch
from tests.engines import redis as engines
from tests.engines.redis_servers import say, valkey
from tests.on_redis import SCRIPTED, UNSCRIPTED, making, redis
from tests.racers import text
from tests.swaps import changes, standing, write
from tests.swaps import keys as names

pytestmark = pytest.mark.servers
BOTH = pytest.mark.parametrize("setup", [SCRIPTED, UNSCRIPTED], ids=["scripts", "watch"])


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
    client = store._clients.of("")
    execute = client.execute_command
    monkeypatch.setattr(
        client, "execute_command", lambda *words, **options: (sent.append(words[0]), execute(*words, **options))[1]
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


def test_only_idle_connections_are_closed(use, keys):
    """When one has broken: those that other threads are busy with are theirs."""
    (store,) = use(default=SCRIPTED)
    write(store, keys)
    client = store._clients.of("")
    with client.client() as other:
        before, busy = client.client_id(), other.client_id()
        store._clients.reconnect("")
        assert (False, busy) == (before == client.client_id(), other.client_id())


@BOTH
def test_a_reply_that_is_lost(use, port, keys, setup):
    """The command is sent again, finds what it wanted to write, and has won; the guess holds one slot, not two."""
    (store,), rule = use(default=setup), Rule(5, 60_000, (60_000,))
    write(store, keys)
    book = Book(store, [Seat(SimpleNamespace(key=key, rule=rule)) for key in names(2)])
    book.read()
    ask, now = store._way, book.clock()

    def lose(*arguments):
        store._way = ask
        ask(*arguments)
        raise ConnectionError

    store._way = lose
    slot = Slot(False, 0, "abcdef")
    for seat in book.seats:
        seat.moved = moves.admit(seat.record, rule, now, slot)
    assert book.swap(book.seats, now)
    assert [1, 1] == [len(seat.record.slots) for seat in book.seats]
    for seat in book.seats:
        seat.moved = EMPTY
    assert book.swap(book.seats, book.clock())


@pytest.fixture
def port_restored(port):
    yield port
    say(port, "REPLICAOF", "NO", "ONE")


BLOCKING = redis(backend=engines.DJANGO_VALKEY, CONNECTION_POOL_CLASS="valkey.connection.BlockingConnectionPool")


@pytest.mark.parametrize("setup", [SCRIPTED, UNSCRIPTED, BLOCKING], ids=["scripts", "watch", "blocking"])
def test_a_server_that_has_become_a_replica(use, port_restored, keys, setup):
    """An outage; and connections are made anew, since its name may mean another server by now."""
    (store,), port = use(default=setup), port_restored
    reading, before = store.read(keys), store._clients.of("").client_id()
    say(port, "REPLICAOF", "127.0.0.1", 1)
    with pytest.raises(StoreError, match="read only replica"):
        store.swap(changes(reading, keys), reading.clock())
    assert setup is BLOCKING or store._clients.of("").client_id() > before
    say(port, "REPLICAOF", "NO", "ONE")
    assert write(store, keys).won


def test_a_server_that_forbids_scripts(use, keys, warnings):
    """Is served by WATCH, with one warning a process."""
    for _ in range(2):
        (store,) = use(default=UNSCRIPTED)
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
    assert ([], redis_scripts.ask) == (warnings(), store._way)


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

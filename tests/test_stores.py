"""The conformance suite: what every store must do, on every engine."""

import time
from contextlib import suppress
from secrets import token_hex

import pytest
from django.core.cache import cache

from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import UNKNOWN, Change, Store, store_for
from lockout_decorators.stores.memcached import MemcachedStore
from lockout_decorators.stores.store import LockingStore
from tests import racers
from tests.engines import ENGINES
from tests.processes import Processes
from tests.racers import Race, text, values
from tests.servers import use
from tests.sizes import IN_FULL
from tests.swaps import changes, keys, put, standing, write

IN_PROCESS = {"locmem", "locmem-own"}  # caches that live in one process
SHARED = [name for name in ENGINES if name not in IN_PROCESS]
ENDING = SHARED if IN_FULL else ["files", "sqlite", "valkey", "memcached", "plain"]  # one of each kind

# The kind of store by the beginning of an engine's name; of two the longer one.
KINDS = {
    "locmem": "LocMemStore",
    "locmem-own": "LocMemSubclassStore",
    "files": "FileStore",
    **dict.fromkeys(["sqlite", "postgresql", "mariadb", "django-mysql"], "DatabaseStore"),
    "memcached": "PyMemcacheStore",
    "pylibmc": "PyLibMCStore",
    **dict.fromkeys(["plain", "diskcache"], "NonAtomicStore"),
    "": "RedisStore",
}


@pytest.fixture(params=list(ENGINES))
def engine(request, set_up, django_db_blocker):
    """The name of an engine, which is the default cache in this test, under a prefix of its own."""
    own = prefixed(set_up(request.param))
    with django_db_blocker.unblock(), use(own):
        yield request.param, own


def prefixed(setup):
    return setup._replace(cache={**setup.cache, "KEY_PREFIX": token_hex(4)})


@pytest.fixture
def store(engine):
    return store_for("default")


def test_each_cache_has_its_kind(engine, store):
    """Told by its class and its configuration."""
    name = max([name for name in KINDS if engine[0].startswith(name)], key=len)
    assert (KINDS[name], "default", cache) == (type(store).__name__, store.alias, store.cache)
    assert store is store_for("default")


def test_the_clock(store):
    """Tells milliseconds since 1970, and goes on: whoever has read judges by it, however long that takes. Who need not
    read, since a lost swap is as good, goes by the one that was told last."""
    began = time.time() * 1000
    clock = store.read(keys()).clock
    assert began - 2 < (first := clock()) < time.time() * 1000 + 2
    time.sleep(0.03)
    assert 28 < clock() - first
    assert store.clock is None or abs(store.clock() - clock()) < 3


def test_whatever_fails_is_an_outage(store, monkeypatch):
    """By the one error that callers know, with its cause."""
    (key,) = keys()
    asked = {"_read": store.read, "_swap": lambda keys: store.swap([], 0), "_batches": store.batches}
    for name, ask in asked.items():
        monkeypatch.setattr(store, name, lambda *args: {}["nothing"])
        with pytest.raises(StoreError) as caught:
            ask([key])
        assert ("default", KeyError) == (caught.value.alias, type(caught.value.error))


def test_a_kind_that_lacks_something():
    """Can't be made."""
    assert {"serves", "_read", "_swap"} == Store.__abstractmethods__
    assert {"serves", "hold"} == LockingStore.__abstractmethods__
    assert {"serves", "_found", "_send"} == MemcachedStore.__abstractmethods__


def test_nothing_stands_there(store):
    """A key that was never written, or has been removed, is absent, and takes no room; and can be written as that."""
    (key,) = keys()
    assert [None] == standing(store, key)
    put(store, key, text(1))
    put(store, key, None)
    assert [None] == standing(store, key)
    assert not cache.delete(key)
    put(store, key, last := text(2))
    assert [last] == standing(store, key)


def test_what_was_written_is_read(store):
    """And the token that a swap gives serves for the next, unless only reading tells it."""
    (key,) = keys()
    first = put(store, key, text(1))
    reading = store.read([key])
    token = reading.found[0].token if first.token is UNKNOWN else first.token
    large = text(2) + "-" * 40_000
    assert store.swap([Change(key, token, large, 60)], reading.clock()).won
    assert [large] == standing(store, key)


def lose(store, key, token, value, now):
    """Try to write over something else; what the loser is told stands there."""
    lost = store.swap([Change(key, token, value, 60)], now())
    assert not lost.won
    assert standing(store, key) == [found.text for found in lost.found]
    return lost.found[0]


def test_a_swap_of_something_else_is_lost(store):
    """By an old token, as absent, or of what is gone; who loses is told what stands there, and can go on from that."""
    (key,) = keys()
    absent, now = store.read([key]).found[0].token, store.read([key]).clock
    put(store, key, first := text(1))
    old = store.read([key]).found[0].token
    assert first == (told := lose(store, key, absent, text(9), now)).text
    assert store.swap([Change(key, told.token, second := text(2), 60)], now()).won
    assert [second] * 2 == [lose(store, key, old, value, now).text for value in (text(9), None)]
    put(store, key, None)
    assert lose(store, key, old, text(9), now).text is None


def test_several_keys_at_once(store):
    """All of a batch, or none, whichever of them has changed."""
    names = keys(3)
    for batch in store.batches(names):
        for changed in batch:
            reading = store.read(batch)
            put(store, changed, other := text(7))
            lost = store.swap(changes(reading, batch), reading.clock())
            expected = [
                other if key == changed else found.text for key, found in zip(batch, reading.found, strict=True)
            ]
            assert (False, False, expected) == (lost.won, lost.stale, [found.text for found in lost.found])
            assert expected == standing(store, *batch)
        assert write(store, batch, last := text(1)).won
        assert [last] * len(batch) == standing(store, *batch)
    assert sorted(names) == sorted(key for batch in store.batches(names) for key in batch)


@pytest.mark.parametrize("life", [60, None])
def test_what_is_not_kept(life, settings):
    """Is an outage."""
    settings.CACHES = {"default": {"BACKEND": "tests.broken.Deaf"}}
    with pytest.raises(StoreError, match="not stored"):
        put(store_for("default"), *keys(), text(1), life)


LIVES = [1, 60, None, 60 * 86_400]  # the last is beyond the thirty days after which Memcached takes a time for a date


@pytest.fixture
def everywhere(set_up, django_db_blocker):
    """A setup of each engine that is there, so that their entries end side by side."""
    setups = {}
    with django_db_blocker.unblock():
        for name in ENGINES:
            with suppress(pytest.skip.Exception):
                setups[name] = prefixed(set_up(name))
        yield setups


def test_an_entry_ends(everywhere):
    """Within two seconds after its time, never before it; then it is absent, and can be written as that. Others stay:
    for a minute, for ever, and for months."""
    names, began, written, ended = keys(len(LIVES)), {}, {}, {}
    lives = dict(zip(names, LIVES, strict=True))
    for name, setup in everywhere.items():
        with use(setup):
            store = store_for("default")
            for batch in store.batches(names):
                reading = store.read(batch)
                began.setdefault(name, time.time())
                swap = [Change(key, f.token, text(1), lives[key]) for key, f in zip(batch, reading.found, strict=True)]
                assert store.swap(swap, reading.clock()).won
        written[name] = time.time()
    while left := everywhere.keys() - ended.keys():
        for name in left:
            looked = time.time()
            with use(everywhere[name]):
                stands = standing(store_for("default"), names[0]) != [None]
            assert not stands or looked < written[name] + 3, name
            if not stands:
                ended[name] = time.time() - began[name]
        time.sleep(0.02)
    assert [] == [name for name, seconds in ended.items() if seconds < 0.9]
    for setup in everywhere.values():
        with use(setup):
            store = store_for("default")
            assert None not in standing(store, *names[1:])
            for key, value in zip(names, (last := text(2), None, None, None), strict=True):
                put(store, key, value)
            assert [last] == standing(store, names[0])


def test_a_decision_of_another_time_is_lost(store):
    """Whoever dawdled between look and swap decides again; so does a host whose clock differs."""
    (key,) = keys()
    reading = store.read([key])
    for late in (-3000, 3000):
        lost = store.swap([Change(key, reading.found[0].token, text(1), 60)], reading.clock() + late)
        assert (False, True) == (lost.won, lost.stale)
    assert [None] == standing(store, key)


def test_what_somebody_else_put_there(store):
    """Is told as what it is, or as nothing; and can be written over."""
    for foreign in ("17", b"\xff\x00", 17, [1, 2], {"a": None}, "x" * 100):
        (key,) = keys()
        cache.set(key, foreign, 60)
        store.read([key])
        put(store, key, last := text(1))
        assert [last] == standing(store, key)


@pytest.fixture(scope="module")
def processes():
    processes = Processes(racers.PROCESSES, racers.__name__)
    yield processes
    processes.close()


@pytest.fixture
def racing(engine, processes):
    """Processes that share the engine."""
    processes.ask(engine[1])
    return processes


@pytest.mark.parametrize("engine", SHARED, indirect=True)
def test_one_winner_of_many(racing):
    """Numbers are added up by threads of several processes: none is lost, and none counted twice."""
    names, rounds = keys(2), 4 if IN_FULL else 2
    begun = sum(racing.ask(Race(names, rounds, time.time() + 0.1)))
    assert 2 == begun
    assert [racers.PROCESSES * racers.THREADS * rounds] * 2 == values(names)


@pytest.mark.parametrize("engine", ENDING, indirect=True)
def test_an_entry_that_ends_in_the_race(racing):
    """Written for a second, and raced for as it ends: whoever finds nothing there, one of them begins anew."""
    (key,) = keys()
    put(store_for("default"), key, text(racers.OLD), 1)
    assert 1 == sum(racing.ask(Race([key], 0, time.time() + 0.8)))
    assert [1] == values([key])

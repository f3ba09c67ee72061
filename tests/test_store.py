"""The operations of the protocol on real caches: what they store, for how long, and what happens when they fail."""

import asyncio
import pickle
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.cache import BaseCache, cache
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache
from django.db import connections
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lockout_decorators import LockedOut, LockoutPolicy
from lockout_decorators.entries import Claim, Counter
from lockout_decorators.exceptions import StoreError, StoreUnavailable
from lockout_decorators.exclusion import _locked_files
from lockout_decorators.operations import Add, Delete, Read, Sleep, Write
from lockout_decorators.slots import LOST, MARGIN, SilentStoreError, Slots
from lockout_decorators.store import Store, arun, run, seconds
from tests.servers import DATABASE, hang_up, stores

HEAD, SLOT = "lockout:a1", "lockout:a1.g.0"


def at_once(function, threads=8):
    """What `function` returns in each of some threads that call it together."""
    together = threading.Barrier(threads)

    def call():
        together.wait()
        try:
            return function()
        finally:
            hang_up()

    with ThreadPoolExecutor(threads) as pool:
        return [called.result() for called in [pool.submit(call) for _ in range(threads)]]


# The operations


@pytest.mark.parametrize("store", stores(), indirect=True)
def test_operations(store):
    """Every cache reads what was written, adds only what is absent, and deletes."""
    assert Store("default").perform(Add(HEAD, "window 1", 10)) is True
    assert Store("default").perform(Add(HEAD, "window 2", 10)) is False
    Store("default").perform(Write({SLOT: "x undecided "}, 10))
    assert {HEAD: "window 1", SLOT: "x undecided "} == Store("default").perform(Read((HEAD, SLOT, "lockout:a1.g.1")))
    Store("default").perform(Write({HEAD: "locked", SLOT: "x failed "}, None))
    assert {HEAD: "locked", SLOT: "x failed "} == Store("default").perform(Read((HEAD, SLOT)))
    Store("default").perform(Delete((HEAD, SLOT)))
    assert {} == Store("default").perform(Read((HEAD, SLOT)))


@pytest.mark.parametrize("store", stores(), indirect=True)
def test_add_has_one_winner(store):
    """Of those who add the same entry at once, one succeeds."""
    for number in range(10):
        assert 1 == sum(at_once(lambda key=f"{HEAD}.g.{number}": Store("default").perform(Add(key, "x", 10))))


# How long entries last


class Truncating(BaseCache):
    """A cache that this package knows nothing of."""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(LocMemCache, 2), (FileBasedCache, 2), (RedisCache, 2), (PyMemcacheCache, 3), (DatabaseCache, 4), (Truncating, 3)],
)
def test_seconds(kind, expected, tmp_path):
    """Timeouts are rounded up, by one more where the cache truncates; a database cache's outlive the sweep."""
    cache = kind({}) if kind is Truncating else kind(str(tmp_path), {})
    assert (expected, expected, None) == (seconds(cache, 1.2), seconds(cache, 2), seconds(cache, None))


def lives(store):
    """The seconds that each entry of the store has left, None for ever."""
    now = time.time()
    if store == "locmem":
        return {key: end and end - now for key, end in cache._expire_info.items()}
    if store == "files":
        ends = {name: pickle.loads(Path(name).read_bytes()) for name in cache._list_cache_files()}
        return {name: end and end - now for name, end in ends.items()}
    if store == "valkey":
        client = cache._cache.get_client()
        return {key.decode(): None if client.ttl(key) < 0 else client.pttl(key) / 1000 for key in client.scan_iter()}
    if store == "memcached":
        with closing(socket.create_connection(cache._servers[0].split(":"))) as connection:
            connection.sendall(b"lru_crawler metadump all\r\n")
            lines = iter(connection.makefile().readline, "END\n")
            entries = [dict(item.split("=") for item in line.split()) for line in lines]
        ends = {entry["key"]: int(entry["exp"]) for entry in entries if entry["key"].startswith(cache.key_prefix)}
        return {key: None if end < 0 else end - now for key, end in ends.items()}
    with connections[DATABASE].cursor() as cursor:
        cursor.execute("SELECT cache_key, expires FROM lockouts")
        ends = {key: datetime.fromisoformat(str(end)) for key, end in cursor.fetchall()}
    return {key: None if end.year == 9999 else end.replace(tzinfo=UTC).timestamp() - now for key, end in ends.items()}


def guess(policy, right=False):
    with policy.attempt(RequestFactory().post("/", REMOTE_ADDR="10.0.0.1"), "bob") as attempt:
        if right:
            attempt.succeed()


@pytest.mark.parametrize("store", stores(), indirect=True)
@pytest.mark.parametrize("lockout", [500, None])
def test_nothing_is_immortal(store, lockout):
    """Every entry has its timeout, heads the window's, slots and elections a margin more; an endless lock has none."""
    policy = LockoutPolicy(key="ip", max=2, window=200 - MARGIN, lockout=lockout, scope="lives")
    head, entry, lock = 200 - MARGIN, 200, lockout
    guess(policy)
    assert_lives(store, [head, entry])
    guess(policy, right=True)  # leaves the election of whom it forgave
    assert_lives(store, [head, entry])
    guess(policy)
    guess(policy)  # leaves the election of the lock, too
    assert_lives(store, [lock, *[entry] * 4])


def assert_lives(store, expected):
    def key(life):
        return 0 if life is None else life

    for life, least in zip(sorted(lives(store).values(), key=key), sorted(expected, key=key), strict=True):
        assert life == least or least - 1 < life <= least + 2


class Own(LocMemCache):
    """Knows whose it is."""

    def __init__(self, *args):
        super().__init__(*args)
        self.thread = threading.get_ident()

    def get_many(self, keys):
        return {"is own": self.thread == threading.get_ident()}


def test_each_thread_has_its_own_cache_object(settings):
    """Also where threads share a block, and so its store."""
    settings.CACHES = {"default": {"BACKEND": "tests.test_store.Own"}}
    store = Store("default")
    asked = at_once(lambda: store.perform(Read((HEAD,))), threads=8)
    assert [{"is own": True}] * 9 == [*asked, store.perform(Read((HEAD,)))]


# Failures


def test_exceptions_become_store_errors(settings):
    """Whatever goes wrong is a StoreError that names the alias and carries the cause."""
    settings.CACHES = {"default": {"BACKEND": "tests.test_store.Truncating", "LOCATION": ""}}
    with pytest.raises(StoreError, match="cache 'default': TypeError: ") as caught:
        Store("default").perform(Read((HEAD,)))
    assert caught.value.error is caught.value.__cause__
    with pytest.raises(StoreError, match="cache 'nowhere': InvalidCacheBackendError: "):
        Store("nowhere").perform(Read((HEAD,)))


def test_failed_writes_are_told(monkeypatch):
    """A cache that lists what it could not store, as memcached's do, has failed."""
    monkeypatch.setattr(LocMemCache, "set_many", lambda self, entries, timeout: [SLOT])
    with pytest.raises(StoreError, match=f"OSError: not stored: {SLOT}"):
        Store("default").perform(Write({HEAD: "locked", SLOT: "x"}, 10))


def test_store_errors_reach_the_protocol(monkeypatch):
    """The protocol is told of a failure where it asked, and may go on."""

    def steps():
        with pytest.raises(StoreError):
            yield Read((HEAD,))
        yield Sleep(0)
        return (yield Add(HEAD, "window 1", 10))

    monkeypatch.setattr(LocMemCache, "get", lambda *args, **kwargs: 1 / 0)
    assert run(Store("default").through(steps())) is True


def test_store_errors_leave_a_protocol_that_ignores_them(monkeypatch):
    """A failure that nobody handles comes out of the runner."""
    monkeypatch.setattr(LocMemCache, "get", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(StoreError, match="ZeroDivisionError"):
        run(Store("default").through(iter_steps(Read((HEAD,)))))


def iter_steps(*steps):
    results = []
    for step in steps:
        results.append((yield step))
    return results


class Silent(LocMemCache):
    """Says no instead of being dead, as memcached's clients may."""

    def add(self, *args, **kwargs):
        return False

    def get_many(self, *args, **kwargs):
        return {}


class Contended(LocMemCache):
    """Whoever adds a head loses it at first to a peer who is reset at once: neither added nor found."""

    lost = 2 * LOST + 1

    def add(self, key, *args, **kwargs):
        if "." not in key and Contended.lost:
            Contended.lost -= 1
            return False
        return super().add(key, *args, **kwargs)


def slots():
    return Slots([Counter(HEAD, 5, 60, 60)])


def test_silent_store(settings):
    """A cache that neither adds nor finds anything is an outage, and the guess is refused."""
    settings.CACHES = {"default": {"BACKEND": "tests.test_store.Silent"}}
    with pytest.raises(SilentStoreError, match="could not be written and read back"):
        run(Store("default").through(slots().claim("", patience=5)))
    with pytest.raises(StoreUnavailable):
        guess(LockoutPolicy(key="ip", scope="silent"))


def test_silent_store_and_fail_open(settings, caplog):
    """With LOCKOUT_FAIL_OPEN the guess passes, and it is said once that nothing guards it."""
    settings.CACHES = {"default": {"BACKEND": "tests.test_store.Silent"}}
    settings.LOCKOUT_FAIL_OPEN = True
    guess(LockoutPolicy(key="ip", scope="silent"))
    assert ["ERROR"] == [record.levelname for record in caplog.records]
    assert "go ahead unguarded" in caplog.text


def test_contended_store(settings, monkeypatch):
    """Lost races, however many, are no outage while the cache keeps what it is given."""
    settings.CACHES = {"default": {"BACKEND": "tests.test_store.Contended", "LOCATION": "contended"}}
    assert isinstance(run(Store("default").through(slots().claim("", patience=5))), Claim)
    assert 0 == Contended.lost
    Contended.lost = 2 * LOST + 1


# File caches


@pytest.mark.parametrize("store", stores("files"), indirect=True)
def test_file_operations_exclude_each_other(store, monkeypatch):
    """Of two who look at the same moment both add to a plain file cache; through the store only one does."""
    looked, has_key = threading.Barrier(2), FileBasedCache.has_key

    def slow_has_key(self, *args):
        found = has_key(self, *args)
        with suppress(threading.BrokenBarrierError):
            looked.wait(0.2)
        return found

    monkeypatch.setattr(FileBasedCache, "has_key", slow_has_key)
    assert [True, True] == at_once(lambda: cache.add("plain", "x", 10), 2)
    assert [False, True] == sorted(at_once(lambda: Store("default").perform(Add(SLOT, "x", 10)), 2))


@pytest.mark.parametrize("store", stores("files"), indirect=True)
def test_file_operations_wait(store):
    """While one operates on a client's entries another waits; other clients' entries are free."""
    done = []

    thread = threading.Thread(target=lambda: done.append(Store("default").perform(Add(SLOT, "x", 10))))
    with _locked_files(Path(cache._dir), (HEAD, SLOT, "lockout:b1")):
        thread.start()
        thread.join(0.2)
        assert [] == done
        assert Store("default").perform(Add("lockout:c1", "x", 10))
    thread.join()
    assert [True] == done


@pytest.mark.parametrize("store", stores("files"), indirect=True)
def test_file_folder_may_vanish(store):
    """The folder of a file cache can be deleted at any time."""
    shutil.rmtree(cache._dir)
    assert {} == Store("default").perform(Read((HEAD,)))
    assert Store("default").perform(Add(HEAD, "window 1", 10))


# Database caches


def expire(key, after):
    """Let a row expire `after` so many seconds."""
    connection = connections[DATABASE]
    end = connection.ops.adapt_datetimefield_value(timezone.now() + timedelta(seconds=after))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE lockouts SET expires = %s WHERE cache_key = %s", [end, cache.make_key(key)])
        assert cursor.rowcount == 1


@pytest.mark.parametrize("store", stores("sqlite", "postgresql"), indirect=True)
@pytest.mark.parametrize(("after", "expected"), [(-1, {}), (0.5, {}), (1.5, {HEAD: "window 1"})])
def test_database_sweep(store, after, expected):
    """A head that is expired, or will be within a second, is gone before it is read; a later one is not touched."""
    Store("default").perform(Add(HEAD, "window 1", 60))
    expire(HEAD, after)
    assert expected == Store("default").perform(Read((HEAD,)))
    assert (not expected) is Store("default").perform(Add(HEAD, "window 2", 60))


@pytest.mark.parametrize("store", stores("sqlite", "postgresql"), indirect=True)
def test_database_add_on_an_expired_head(store):
    """Of those who add a head at once where an expired one lies, one succeeds, and its head stays."""
    for number in range(10):
        key = f"lockout:a{number}"
        Store("default").perform(Add(key, "window 0", 60))
        expire(key, -1)
        values = iter(range(1, 9))
        won = at_once(
            lambda key=key, values=values: (value := next(values), Store("default").perform(Add(key, str(value), 60)))
        )
        assert [Store("default").perform(Read((key,)))[key]] == [str(value) for value, added in won if added]


@pytest.mark.parametrize("store", stores("sqlite", "postgresql"), indirect=True)
def test_database_sweep_spares_a_renewed_head(store, monkeypatch):
    """A head that a peer renews before the sweep's delete runs is not deleted: the delete asks for the time itself."""
    Store("default").perform(Add(HEAD, "window 1", 60))
    expire(HEAD, -1)
    now = timezone.now()

    class Renewing:
        @staticmethod
        def now():
            expire(HEAD, 60)
            return now

    monkeypatch.setattr("lockout_decorators.exclusion.timezone", Renewing)
    assert {HEAD: "window 1"} == Store("default").perform(Read((HEAD,)))


@pytest.mark.parametrize("store", stores("sqlite"), indirect=True)
def test_database_sweeps_heads_only(store):
    """Slots and elections, whose names are never used again, cost no sweep."""
    with CaptureQueriesContext(connections[DATABASE]) as queries:
        Store("default").perform(Read((SLOT,)))
        Store("default").perform(Read((HEAD, SLOT)))
    assert ["SELECT", "DELETE", "SELECT"] == [query["sql"].split()[0] for query in queries]


# The runners


def arun_alone(steps):
    return asyncio.run(arun(steps))


@pytest.fixture(params=[run, arun_alone])
def drive(request):
    return request.param


def test_runners_return(drive):
    """Both runners send the results of calls back in, and return what the steps return."""
    assert [1, None, 2] == drive(iter_steps(lambda: 1, Sleep(0.001), lambda: 2))


def test_runners_throw(drive):
    """Both runners throw a call's exception into the steps, which may handle it or not."""

    def steps():
        with pytest.raises(ZeroDivisionError):
            yield lambda: 1 / 0
        yield lambda: {}[0]

    with pytest.raises(KeyError):
        drive(steps())


def test_runners_let_through_what_steps_raise(drive):
    """What the steps themselves raise comes out."""

    def steps():
        yield Sleep(0)
        raise LockedOut(None)

    with pytest.raises(LockedOut):
        drive(steps())


def test_runners_sleep(drive):
    """Both runners sleep as long as they are asked to."""
    began = time.monotonic()
    drive(iter_steps(Sleep(0.05)))
    assert 0.05 <= time.monotonic() - began < 1


async def test_loop_stays_free():
    """Neither a call that blocks nor a sleep holds up the event loop; calls run in another thread."""
    task = asyncio.ensure_future(arun(iter_steps(Sleep(0.2), lambda: time.sleep(0.2), threading.get_ident)))
    longest = 0.0
    while not task.done():
        began = time.monotonic()
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - began)
    assert longest < 0.15
    assert threading.get_ident() != task.result()[-1]


@pytest.mark.parametrize("step", [Sleep(60), lambda: time.sleep(0.1)])
async def test_cancellation(step):
    """A cancelled task ends at once, its steps are closed and not taken any further."""
    seen = []

    def steps():
        try:
            yield step
        except GeneratorExit:
            seen.append("closed")
            raise
        seen.append("resumed")  # pragma: no cover

    running = steps()
    task = asyncio.ensure_future(arun(running))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    running.close()
    assert ["closed"] == seen


async def test_waiting_on_the_loop():
    """Guesses that wait for the slots of others, as tasks of one loop, all come through."""
    policy = LockoutPolicy(key="ip", max=2, scope="tasks")
    request = RequestFactory().post("/", REMOTE_ADDR="10.0.0.1")

    async def login():
        async with policy.attempt(request) as attempt:
            await asyncio.sleep(0.01)
            attempt.succeed()

    await asyncio.gather(*[login() for _ in range(10)])
    assert 0 == (await policy.astatus(request)).failures

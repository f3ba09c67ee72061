"""The store for caches that it knows nothing of: what guards promise, and how caches end that don't keep theirs."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from threading import Event, Lock, Thread
from typing import Any

import pytest
from django.core.cache import BaseCache
from django.test import override_settings

from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Change, guarded, host_clock, store_for
from lockout_decorators.stores.guarded import BESIDE, HASTE, HELD, WAIT, NonAtomicStore
from tests.engines.others import plain
from tests.racers import text
from tests.swaps import keys, standing

QUICK = 0.5  # seconds within which whatever can be known at once is told


class Memory(BaseCache):
    """A dictionary, whose methods take nothing by position. Texts are given as copies, as by a server."""

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.entries: dict[str, tuple[Any, float]] = {}
        self.lock = Lock()
        self.calls: list[str] = []

    def get_many(self, *, keys: list[str]) -> dict[str, Any]:
        self.calls.append("get_many")
        with self.lock:
            found = {key: self.entries[self.name(key)][0] for key in keys if self.stands(key)}
        return {key: "".join([*value]) if isinstance(value, str) else value for key, value in found.items()}

    def set(self, *, key: str, value: Any, timeout: float | None) -> Any:
        self.calls.append("set")
        with self.lock:
            self.write(key, value, timeout)

    def add(self, *, key: str, value: Any, timeout: float | None) -> Any:
        self.calls.append("add")
        with self.lock:
            return not self.stands(key) and self.write(key, value, timeout)

    def write(self, key: str, value: Any, timeout: float | None) -> bool:
        self.entries[self.name(key)] = value, time.monotonic() + (9e9 if timeout is None else timeout)
        return True

    def delete(self, *, key: str) -> Any:
        self.calls.append("delete")
        with self.lock:
            return self.entries.pop(self.name(key), None) is not None

    def stands(self, key: str) -> bool:
        return self.entries.get(self.name(key), (None, 0.0))[1] > time.monotonic()

    def name(self, key: str) -> str:
        return key


async def nothing(self, **arguments: Any) -> None:
    """What is to be awaited, and never is."""


class Promise:
    """No coroutine, and can be waited for all the same."""

    __await__ = lambda self: iter(())  # noqa: E731


def is_guard(key: str) -> bool:
    return key.endswith(BESIDE)


def variant(called: str, **methods: Any) -> type[Memory]:
    """One that breaks a promise."""
    return type(called, (Memory,), {**methods, "__module__": __name__})


# Keeps the beginning of a key; nothing that is longer than a guard; whatever is to be removed.
Cutting = variant("Cutting", length=0, name=lambda self, key: key[: self.length])
Dropping = variant("Dropping", add=lambda self, **one: len(one["value"]) > 16 or Memory.add(self, **one))
Keeping = variant("Keeping", delete=lambda self, **one: True)

# `add` says that it has, whatever stands there; writes over that; or is sent again by its client when that hears
# nothing, and finds its own entry.
Yielding = variant("Yielding", add=lambda self, **one: Memory.add(self, **one) or True)
Overwriting = variant("Overwriting", add=lambda self, **one: Memory.set(self, **one) is None)
Resending = variant("Resending", add=lambda self, **one: Memory.add(self, **one) and not is_guard(one["key"]))

# Finds nothing where it could not look: never an entry, only guards.
Blind = variant("Blind", get_many=lambda self, keys: Memory.get_many(self, keys=[*filter(is_guard, keys)]))

Asynchronous = variant("Asynchronous", get_many=nothing, add=nothing)
HalfAsynchronous = variant("HalfAsynchronous", set=nothing)
Promising = variant("Promising", get_many=lambda self, keys: Promise())


class Held(Memory):
    """Stops in `set` until it may go on."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.reached, self.free = Event(), Event()

    def set(self, **one: Any) -> None:
        self.reached.set()
        assert self.free.wait(9)
        super().set(**one)


@pytest.fixture
def store(request):
    """Of a cache of the class that is given, else of `Memory`."""
    kind = getattr(request, "param", Memory)
    backend = kind if isinstance(kind, str) else f"{__name__}.{kind.__name__}"
    with override_settings(CACHES={"default": {"BACKEND": backend}}):
        yield store_for("default")


def on(*kinds):
    return pytest.mark.parametrize("store", kinds, indirect=True)


@pytest.fixture
def key():
    return keys()[0]


def swap(store, key, value, token=None, now=None):
    return store.swap([Change(key, token, value, 60)], host_clock() if now is None else now)


def add_one(store, key):
    """Add one to what stands there, however often that is lost; whether it was done."""
    found, won = store.read([key]).found[0], False
    with suppress(StoreError):
        while not won:
            number = int(found.text.split(".")[1]) if found.text else 0
            won, (found, *_), *_ = swap(store, key, text(number + 1), found.token)
    return won


def race(store, key, threads=8, rounds=5):
    """How many numbers were added by threads, and what stands there then."""
    with ThreadPoolExecutor(threads) as pool:
        won = sum(pool.map(lambda _: sum(add_one(store, key) for _ in range(rounds)), range(threads)))
    return won, int(standing(store, key)[0].split(".")[1])


def test_it_serves_every_cache(store):
    """And says what it can't promise."""
    assert type(store) is NonAtomicStore
    assert "exact unless" in store.weakness()


@pytest.mark.parametrize("servers", ["one", "one,two", "one,two,three"])
def test_a_cache_that_replicates(servers):
    """Where a client writes to several servers, as that of django_bmemcached, it is weaker still."""
    cache = Memory("", {})
    cache.__class__ = type("Replicating", (Memory,), {"__module__": "django_bmemcached.memcached"})
    cache._servers = servers.split(",")
    store = NonAtomicStore("default", cache)
    assert ("," in servers) == ("without asking most of them" in store.weakness())


def test_five_calls_for_a_swap_and_nothing_left_behind(store, key):
    """A guard, a look, the change, another look, and the guard goes."""
    assert swap(store, key, text(1)).won
    assert ["add", "get_many", "add", "get_many", "delete"] == store.cache.calls
    assert [key] == list(store.cache.entries)
    found = store.read([key]).found[0]
    assert swap(store, key, None, found.token).won
    assert not store.cache.entries


@pytest.mark.parametrize(("life", "least", "most"), [(60, 60.9, 62), (None, 1e9, 1e10), (-5, 2, 3)])
def test_nothing_ends_early(store, key, life, least, most):
    """Some caches cut seconds off; what has no end gets none."""
    began = time.monotonic()
    store.swap([Change(key, None, text(1), life)], host_clock())
    assert least <= store.cache.entries[key][1] - began < most


@pytest.mark.parametrize("foreign", [17, b"text", object(), float("nan")], ids=["number", "bytes", "object", "nan"])
def test_what_is_no_text_is_written_over_once(store, key, foreign):
    """By whoever comes first; though it may be equal to nothing, not even itself."""
    store.cache.set(key=key, value=foreign, timeout=60)
    found = store.read([key]).found[0]
    assert found.text == f"<{type(foreign).__name__}>"
    assert swap(store, key, text(1), found.token).won
    assert not swap(store, key, text(2), found.token).won


@pytest.mark.parametrize("somebody", ["!", "~"])
def test_who_finds_a_guard_waits_for_it(store, key, somebody):
    """Until it ends by itself, where its holder is gone; as long as nothing has changed."""
    store.cache.set(key=key, value=(first := text(1)), timeout=60)
    store.cache.add(key=key + BESIDE, value=somebody, timeout=0.3)
    began = time.monotonic()
    assert swap(store, key, text(1), first).won
    assert 0.25 < time.monotonic() - began < 1
    assert 10 < len(store.cache.calls) < 100


def test_who_waits_is_told_of_a_change(store, key):
    """At once: its own would be lost anyway."""
    store.cache.set(key=key, value=text(1), timeout=60)
    store.cache.add(key=key + BESIDE, value="somebody", timeout=9)
    began = time.monotonic()
    lost = swap(store, key, text(2))
    assert (False, False, 1) == (lost.won, lost.stale, int(lost.found[0].text.split(".")[1]))
    assert time.monotonic() - began < QUICK


def test_a_guard_that_does_not_end_is_an_outage(store, key, monkeypatch):
    monkeypatch.setattr(guarded, "WAIT", 0.2)
    store.cache.add(key=key + BESIDE, value="somebody", timeout=9)
    began = time.monotonic()
    with pytest.raises(StoreError, match="others have held"):
        swap(store, key, text(1))
    assert 0.2 <= time.monotonic() - began < 1


def test_the_longer_one_waits_the_less_one_asks():
    """Some fifty times at most; nobody sleeps for long when the entry is free."""
    pauses = list(islice(guarded._pauses(), 20))
    assert pauses[0] <= 0.002
    assert all(0.05 <= pause <= 0.1 for pause in pauses[10:])


def test_waits_end_within_the_patience_of_a_policy():
    """What then is written, too; and outlast the guard of somebody who was killed, which outlasts what that writes.
    Caches count seconds, and may end what they hold a second early."""
    assert HASTE + 1 <= HELD <= WAIT - 1 < 5 - 1 - HASTE


KILLED = """
import sys, time, django
from tests.engines.others import PlainCache
from tests.servers import Setup, use
from lockout_decorators.stores import Change, host_clock, store_for

django.setup()

def add(cache, key, value, timeout):
    if not key.endswith(":guard"):
        print("inside", flush=True)
        time.sleep(60)
    return known(cache, key, value, timeout)

known, PlainCache.add = PlainCache.add, add
with use(Setup({"BACKEND": "tests.engines.others.PlainCache", "LOCATION": sys.argv[1]})):
    store_for("default").swap([Change(sys.argv[2], None, "1.1", 60)], host_clock())
"""


def test_a_process_that_is_killed_under_its_guard(tmp_path, key):
    """Is waited for, as long as the guard lasts; then others decide anew, and go on."""
    with plain(tmp_path) as setup, override_settings(CACHES={"default": setup.cache}):
        command = [sys.executable, "-c", KILLED, setup.cache["LOCATION"], key]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert "inside\n" == process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        began = time.monotonic()
        assert add_one(store_for("default"), key)
        assert HELD - 1 < time.monotonic() - began < WAIT + 2


def test_who_is_held_up_before_it_writes_does_not(store, key, monkeypatch):
    """Its guard may have ended: it is lost, and the guard is left to its end."""
    monkeypatch.setattr(guarded, "HASTE", -1)
    lost = swap(store, key, text(1))
    assert (False, False) == (lost.won, lost.stale)
    assert [key + BESIDE] == list(store.cache.entries)


@pytest.mark.parametrize("somebody", ["!", "~"])
@on(Held)
def test_who_is_held_up_while_it_writes_has_not_won(store, key, somebody, monkeypatch):
    """Others may have been there since its guard ended. Theirs is lost if it was; but nobody passes twice."""
    monkeypatch.setattr(guarded, "HELD", 0.1)
    store.cache.entries[key] = "1.1", time.monotonic() + 60
    raised = []

    def hold():
        with pytest.raises(StoreError, match="did not keep") as caught:
            swap(store, key, text(2), "1.1")
        raised.append(caught.value)

    thread = Thread(target=hold)
    thread.start()
    assert store.cache.reached.wait(9)
    time.sleep(0.15)
    store.cache.entries[key + BESIDE] = somebody, time.monotonic() + 60
    store.cache.free.set()
    thread.join()
    assert raised
    assert somebody == store.cache.entries[key + BESIDE][0]


def test_an_older_decision_leaves_no_guard(store, key):
    """And is lost."""
    lost = swap(store, key, text(1), now=host_clock() - 3000)
    assert (False, True) == (lost.won, lost.stale)
    assert not store.cache.entries


@pytest.mark.parametrize("standing_there", [False, True], ids=["absent", "present"])
@pytest.mark.parametrize("cut", [0, 1, 8], ids=lambda cut: f"{cut} short")
@on(Cutting)
def test_a_cache_that_cuts_keys(store, key, cut, standing_there, monkeypatch):
    """Is an outage, wherever it cuts: clients would share records, or a record its guard. Nothing is left there."""
    monkeypatch.setattr(guarded, "WAIT", 0.2)
    store.cache.length = len(key) - cut
    if standing_there:
        store.cache.set(key=key, value=text(1), timeout=60)
    with pytest.raises(StoreError):
        swap(store, key, text(2), *standing(store, key))
    others = [name for name, (value, _) in store.cache.entries.items() if "." not in value]
    assert len(others) == (not standing_there)  # the guard, which ends by itself


@on(Dropping, "django.core.cache.backends.dummy.DummyCache")
def test_a_cache_that_keeps_nothing(store, key):
    """Is an outage at once, and again at once for whoever comes next."""
    began = time.monotonic()
    assert [None] == standing(store, key)
    for _ in range(2):
        with pytest.raises(StoreError):
            swap(store, key, text(1))
    assert time.monotonic() - began < QUICK


@on(Keeping)
def test_a_cache_that_removes_nothing(store, key, monkeypatch):
    """Not even its own guard: nobody waits for that."""
    last = text(1)
    assert swap(store, key, last).won
    with pytest.raises(StoreError, match="does not remove"):
        swap(store, key, None, last)
    monkeypatch.setattr(guarded, "HELD", 0.05)
    store.cache.entries.clear()
    assert swap(store, key, last).won
    time.sleep(0.1)
    with pytest.raises(StoreError, match="did not keep"):
        swap(store, key, None, last)


@on(Blind)
def test_a_cache_that_does_not_find_what_it_has(store, key):
    """Nothing is written over by whoever found nothing: an absent entry is added."""
    store.cache.entries[key] = "1.1", time.monotonic() + 60
    assert not swap(store, key, text(2)).won
    assert "1.1" == store.cache.entries[key][0]


@on(Asynchronous, HalfAsynchronous, Promising)
def test_an_asynchronous_cache(store, key):
    """Something that is to be awaited is no answer, and not "true"; it is closed, so that nobody misses it."""
    with pytest.raises(StoreError, match="its client is asynchronous"):
        store.read([key])
        store.cache.entries[key] = "1.1", time.monotonic() + 60
        swap(store, key, text(1), "1.1")


@on(Yielding)
def test_who_is_told_that_it_has_a_guard_looks(store, key):
    """It is somebody else's: that is waited for."""
    store.cache.add(key=key + BESIDE, value="somebody", timeout=0.3)
    began = time.monotonic()
    assert swap(store, key, text(1)).won
    assert time.monotonic() - began > 0.25


@on(Resending)
def test_who_is_told_that_it_has_no_guard_looks(store, key):
    """It is its own after all."""
    began = time.monotonic()
    assert swap(store, key, text(1)).won
    assert [key] == list(store.cache.entries)
    assert time.monotonic() - began < QUICK


@on(Overwriting)
def test_a_cache_whose_add_overwrites(store, key):
    """Who loses its guard has not won, so that more is counted than was let through, never less."""
    won, value = race(store, key)
    assert won <= value <= 40

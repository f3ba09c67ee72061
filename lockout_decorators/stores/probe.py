"""A quick look at whether a cache keeps what a store relies on, for the system checks.

Finds what is always wrong; what goes wrong only under a burst is for `manage.py lockout prove`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from secrets import token_hex
from typing import Any

from django.core.cache import close_caches
from django.db import connections

from ..exceptions import StoreError
from . import Change, Found, Store, Swapped, store_for
from .guarded import NonAtomicStore

LIFE = 60  # seconds for which an entry is meant to stay
LONG = 40 * 86_400  # seconds that Memcached takes for a date unless it is told one
SHORT, LARGE = 24, 40_000  # characters of a record, and of the longest
OUTSTAYED = 3.5  # seconds after which an entry of one second has to be gone: some caches count whole seconds
LATE = -3000  # milliseconds from now of a decision that comes too late


def probe(alias: str) -> list[str]:
    """What is wrong with a cache, in words; takes one or two seconds, leaves nothing behind, and never raises."""
    try:
        bench = Bench(alias)
        try:
            bench.begin()
            return [complaint for complaint, step in STEPS.items() if not step(bench)]
        finally:
            bench.clear()
    except Exception as error:  # a backend may raise anything
        told = error.error if isinstance(error, StoreError) else error
        return [f"it fails: {type(told).__name__}: {told}"]


class Bench:
    """The entries of a probe."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self.store: Store = store_for(alias)
        self._home = f"lockout-probe:{{{token_hex(2)}}}:"
        self._keys: list[str] = []

    def begin(self) -> None:
        """Write what is looked at in the end."""
        self.began: float = time.monotonic()
        self.short: str = self.written(life=1)
        self.staying: list[str] = [self.written(life=life) for life in (LIFE, LONG, None)]

    def key(self) -> str:
        """One that nobody has used."""
        self._keys.append(self._home + token_hex(8))
        return self._keys[-1]

    def find(self, key: str) -> Found:
        return self.store.read([key]).found[0]

    def find_elsewhere(self, key: str) -> Any:
        """The text, by another thread, which has a connection of its own."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(_in_passing, self._alias, key).result()

    def swap(self, keys: Sequence[str], tokens: Sequence[Any], new: str | None, life: int | None, late: int) -> Swapped:
        """What comes of a swap that was decided `late` milliseconds from now."""
        changes = [Change(key, token, new, life) for key, token in zip(keys, tokens, strict=True)]
        return self.store.swap(changes, self.store.read(keys).clock() + late)

    def write(self, key: str, token: Any, new: str | None, life: int | None = LIFE, late: int = 0) -> Swapped:
        return self.swap([key], [token], new, life, late)

    def put(self, key: str, new: str | None, life: int | None = LIFE) -> str | None:
        """Write it whatever stands there."""
        self.write(key, self.find(key).token, new, life)
        return new

    def written(self, life: int | None = LIFE) -> str:
        """A key under which something stands."""
        self.put(key := self.key(), text(), life)
        return key

    def batch(self, count: int) -> Sequence[str]:
        """As many keys, or as many of them as can be swapped at once."""
        return max(self.store.batches([self.key() for _ in range(count)]), key=len)

    def refuses(self, key: str, token: Any, new: str | None, standing: str | None) -> bool:
        """Whether a swap by an old token is lost, is told what is `standing` there, and changes nothing."""
        lost = self.write(key, token, new)
        return not lost.won and lost.found[0].text == standing == self.find(key).text

    def clear(self) -> None:
        for key in self._keys:
            self.put(key, None)


def text(length: int = SHORT) -> str:
    """Something of the shape of a record."""
    return f"{token_hex(8)}.".ljust(length, "0")


def _in_passing(alias: str, key: str) -> Any:
    try:
        return store_for(alias).read([key]).found[0].text
    finally:
        close_caches(signal=None)
        connections.close_all()


def _keeps(bench: Bench, length: int = SHORT) -> bool:
    key = bench.key()
    return bool(bench.put(key, text(length)) == bench.find(key).text)


def _keeps_for_others(bench: Bench) -> bool:
    key = bench.key()
    return bool(bench.put(key, text()) == bench.find_elsewhere(key))


def _knows_absent_from_new(bench: Bench) -> bool:
    absent = bench.find(key := bench.key()).token
    return bench.refuses(key, absent, text(), standing=bench.put(key, text()))


def _knows_old_from_new(bench: Bench) -> bool:
    old = bench.find(key := bench.written()).token
    return bench.refuses(key, old, text(), standing=bench.put(key, text()))


def _removes_only_what_was_seen(bench: Bench) -> bool:
    old = bench.find(key := bench.written()).token
    return bench.refuses(key, old, None, standing=bench.put(key, text()))


def _removes(bench: Bench) -> bool:
    old = bench.find(key := bench.written()).token
    return bench.refuses(key, old, text(), standing=bench.put(key, None))


def _lets_losers_go_on(bench: Bench) -> bool:
    absent = bench.find(key := bench.key()).token
    bench.put(key, text())
    lost, last = bench.write(key, absent, text()), text()
    return bench.write(key, lost.found[0].token, last).won and bool(bench.find(key).text == last)


def _refuses_the_late(bench: Bench) -> bool:
    absent = bench.find(key := bench.key()).token
    return not bench.write(key, absent, text(), late=LATE).won and bench.find(key).text is None


def _swaps_all_or_none(bench: Bench) -> bool:
    *others, last = keys = bench.batch(3)
    tokens = [bench.find(key).token for key in keys]
    bench.put(last, text())
    return not bench.swap(keys, tokens, text(), LIFE, 0).won and not any(bench.find(key).text for key in others)


def _adds_only_once(bench: Bench) -> bool:
    """A guard rests on it."""
    cache, key = bench.store.cache, bench.key()
    if not isinstance(bench.store, NonAtomicStore):
        return True
    adding = partial(cache.add, key=key, timeout=LIFE)
    return bool(adding(value="first")) and not adding(value="second") and cache.get(key) == "first"


def _ends_the_short(bench: Bench) -> bool:
    while bench.find(bench.short).text is not None and time.monotonic() < bench.began + OUTSTAYED:
        time.sleep(0.05)
    return bench.find(bench.short).text is None


def _ends_nothing_else(bench: Bench) -> bool:
    return all(bench.find(key).text for key in bench.staying)


# In this order: the last ones look at what was written in the beginning.
STEPS: Mapping[str, Callable[[Bench], bool]] = {
    "it finds something where nothing was ever written": lambda bench: bench.find(bench.key()).text is None,
    "what was written is not found": _keeps,
    "another connection does not find what was written": _keeps_for_others,
    "who found nothing writes over what came since": _knows_absent_from_new,
    "who read something writes over what came since": _knows_old_from_new,
    "who read something removes what came since": _removes_only_what_was_seen,
    "what was removed is still there, or written over by who saw it": _removes,
    "who lost can not go on with what stands there": _lets_losers_go_on,
    "a decision of three seconds ago is written": _refuses_the_late,
    "of several changes one is written though another is lost": _swaps_all_or_none,
    "a long record is not found as it was written": partial(_keeps, length=LARGE),
    "`add` says that it wrote, or writes, where something stands": _adds_only_once,
    "entries do not end": _ends_the_short,
    "entries end before their time": _ends_nothing_else,
}

"""A quick look at whether a cache keeps what a store relies on, for the system checks.

Finds what is always wrong; what goes wrong only under a burst is for `manage.py lockout prove`.
"""

import time
from collections.abc import Iterator, Sequence
from secrets import token_hex
from typing import Any

from ..exceptions import StoreError
from . import Change, Found, Store, store_for
from .guarded import NonAtomicStore

LIFE = 60  # seconds for which an entry is meant to stay
LONG = 40 * 86_400  # seconds that Memcached takes for a date unless it is told one
LARGE = 40_000  # characters of the longest record
SEVERAL = 16  # entries: a proxy that spreads them over servers has hardly all of them on one
OUTSTAYED = 3.5  # seconds after which an entry of one second has to be gone: some caches count whole seconds

Step = tuple[bool, str]  # whether all is well, and what is wrong if not


def probe(alias: str) -> list[str]:
    """What is wrong with a cache, in words; takes one to four seconds, leaves nothing behind, and never raises."""
    try:
        bench = Bench(alias)
        try:
            return [complaint for well, complaint in _steps(bench) if not well]
        finally:
            bench.clear()
    except Exception as error:  # a backend may raise anything
        told = error.error if isinstance(error, StoreError) else error
        return [f"it fails: {type(told).__name__}: {told}"]


class Bench:
    """The entries of a probe."""

    def __init__(self, alias: str) -> None:
        self.store: Store = store_for(alias)
        self._home = f"lockout-probe:{{{token_hex(2)}}}:"
        self._keys: list[str] = []

    def key(self) -> str:
        """One that nobody has used."""
        self._keys.append(self._home + token_hex(18))  # as long as those of counters
        return self._keys[-1]

    def find(self, key: str) -> Found:
        return self.store.read([key]).found[0]

    def swap(self, found: dict[str, Found], text: str | None, life: int | None = LIFE) -> bool:
        """Whether `text` was written under all these keys, where this was found."""
        changes = [Change(key, one.token, text, life) for key, one in found.items()]
        return self.store.swap(changes, self.store.read([*found]).clock()).won

    def put(self, text: str, life: int | None = LIFE) -> str:
        """The key of a new entry."""
        self.swap({(key := self.key()): self.find(key)}, text, life)
        return key

    def clear(self) -> None:
        for key in self._keys:
            self.swap({key: self.find(key)}, None)


def _steps(bench: Bench) -> Iterator[Step]:
    began, short = time.monotonic(), bench.put(_text(), life=1)
    staying = [bench.put(_text(), life) for life in (LIFE, LONG, None)]
    yield from _swaps(bench, bench.key())
    yield from _several(bench)
    long = _text().ljust(LARGE, "0")
    yield bench.find(bench.put(long)).text == long, "a long record is not found as it was written"
    if isinstance(bench.store, NonAtomicStore):
        yield from _adds(bench.store.cache, bench.key())
    while bench.find(short).text is not None and time.monotonic() < began + OUTSTAYED:
        time.sleep(0.05)
    yield bench.find(short).text is None, "entries do not end"
    yield all(bench.find(key).text for key in staying), "entries end before their time"


def _swaps(bench: Bench, key: str) -> Iterator[Step]:
    """An entry is made, changed and removed, each time after somebody who has read what stood there before."""
    absent, first, last = bench.find(key), _text(), _text()
    yield absent.text is None, "it finds something where nothing was ever written"
    yield bench.swap({key: absent}, first) and bench.find(key).text == first, "what was written is not found"
    yield not bench.swap({key: absent}, _text()), "who found nothing writes over what came since"
    old = bench.find(key)
    yield bench.swap({key: old}, last), "who read it last can not change it"
    yield not bench.swap({key: old}, _text()), "who read something writes over what came since"
    yield not bench.swap({key: old}, None), "who read something removes what came since"
    yield bench.find(key).text == last, "a swap that was lost has changed something"
    yield bench.swap({key: bench.find(key)}, None) and bench.find(key).text is None, "what was removed is still there"


def _several(bench: Bench) -> Iterator[Step]:
    written = [bench.put(_text()) for _ in range(SEVERAL)]
    together = bench.store.read(written).found
    yield all(one.text for one in together), "what is read together is not where it is written"
    keys: Sequence[str] = max(bench.store.batches([bench.key() for _ in range(3)]), key=len)
    absent = {key: bench.find(key) for key in keys}
    bench.swap({keys[-1]: absent[keys[-1]]}, _text())
    lost = not bench.swap(absent, _text()) and not any(bench.find(key).text for key in keys[:-1])
    yield lost, "of several changes one is written though another is lost"


def _adds(cache: Any, key: str) -> Iterator[Step]:
    """A guard rests on it."""
    added = [bool(cache.add(key=key, value=value, timeout=LIFE)) for value in ("first", "second")]
    once = added == [True, False] and cache.get(key) == "first"
    yield once, "`add` says that it wrote, or writes, where something stands"


def _text() -> str:
    """Something of the shape of a record."""
    return f"{token_hex(8)}."

"""What every store is: two operations on the entries of one cache alias, `read` and `swap`. Only this room touches a
cache.

A new kind is a subclass with `_read` and `_swap`, and a line in `stores/__init__.py`; the conformance suite tells when
it is right.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, NamedTuple

from django.core.cache import BaseCache

from ..callables import is_answer
from ..exceptions import StoreError

Clock = Callable[[], int]  # milliseconds since 1970

DRIFT = 2000  # milliseconds that may pass, or two clocks differ by, between a decision and its swap

ASYNCHRONOUS = "its client is asynchronous, and answers with what has to be awaited: guesses are counted synchronously"
UNKNOWN: Any = object()  # the token of what was written, where only reading tells it
FOREIGN: Any = object()  # the token of what is no text, where a token is the text


def host_clock() -> int:
    return int(time.time() * 1000)


class Found(NamedTuple):
    """What stands under a key: text, and the token by which a swap knows it again; of nothing both are None."""

    text: str | None
    token: Any


ABSENT = Found(None, None)


def text_in(value: Any) -> str | None:
    """A cache's value as text. What is none is told by its type only: it may not even be equal to itself."""
    return value if value is None or type(value) is str else f"<{type(value).__name__}>"


def found_in(value: Any) -> Found:
    """What a cache's value is to a store whose tokens are the texts."""
    return Found(text := text_in(value), text if text is value else FOREIGN)


class Change(NamedTuple):
    """What to write under a key that still holds `token`: text, or None to remove it; and seconds to live, or None."""

    key: str
    token: Any
    text: str | None
    life: int | None


class Reading(NamedTuple):
    """What stands under the keys, in their order, and the clock that the records are judged by."""

    found: Sequence[Found]
    clock: Clock


class Swapped(NamedTuple):
    """Whether the changes were made, all of them; and what stands under their keys now.

    Attributes:
        clock: None: the one at hand is still right.
        stale: It was lost because the decision was too old, whatever stands there.
    """

    won: bool
    found: Sequence[Found]
    clock: Clock | None = None
    stale: bool = False


class Store(ABC):
    """The entries of one cache alias, through its own cache object.

    Attributes:
        way: How it swaps, in a sentence.
    """

    way: ClassVar[str]

    def __init__(self, alias: str, cache: BaseCache) -> None:
        self.alias: str = alias
        self.cache: Any = cache

    @property
    def clock(self) -> Clock | None:
        """What the records are judged by, where that is known without a look, and a swap that loses costs no more than
        one: there a claim needs no look. Else None."""
        return None

    @classmethod
    @abstractmethod
    def serves(cls, cache: BaseCache) -> bool:
        """Whether this is the kind for such a cache: told by its class and its configuration, never by its server."""

    def read(self, keys: Sequence[str]) -> Reading:
        """One round trip, where the cache can fetch many. Raises StoreError."""
        try:
            return self._read(keys)
        except Exception as error:
            raise StoreError(self.alias, error) from error

    def swap(self, changes: Sequence[Change], now: int) -> Swapped:
        """Make all changes if every entry is still what was read, and `now` is still about now. Raises StoreError."""
        try:
            return self._swap(changes, now)
        except Exception as error:
            raise StoreError(self.alias, error) from error

    def batches(self, keys: Sequence[str]) -> list[Sequence[str]]:
        """`keys` in groups that can be swapped at once. Raises StoreError: a Cluster has to be asked."""
        try:
            return self._batches(keys)
        except Exception as error:
            raise StoreError(self.alias, error) from error

    def weakness(self) -> str | None:
        """What its class and its configuration can't promise; no server is asked."""
        return None

    def expect_durable(self) -> None:
        """Raises StoreError where what is counted now could be taken back by the caller."""
        return

    def _batches(self, keys: Sequence[str]) -> list[Sequence[str]]:
        return [keys]

    @abstractmethod
    def _read(self, keys: Sequence[str]) -> Reading: ...

    @abstractmethod
    def _swap(self, changes: Sequence[Change], now: int) -> Swapped: ...


def answered(answer: Any) -> Any:
    """`answer`, which must be one: an awaitable is none, and asynchronous clients are awaitable too."""
    if not is_answer(answer):
        raise TypeError(ASYNCHRONOUS)
    return answer


def is_stale(now: int) -> bool:
    """Whether a decision of the moment `now` is too old to be written, by this host's clock."""
    return abs(host_clock() - now) > DRIFT


def written(changes: Iterable[Change]) -> Swapped:
    """The answer of a store whose tokens are the texts."""
    return Swapped(True, [Found(change.text, change.text) for change in changes])


class LockingStore(Store):
    """A store that shuts out everybody else between reading and writing; a token is what was read."""

    @abstractmethod
    def hold(self, keys: Sequence[str]) -> AbstractContextManager[Any]:
        """Shut out everybody else who swaps one of `keys`."""

    def _read(self, keys: Sequence[str]) -> Reading:
        found = self.cache.get_many(keys)
        return Reading(list(map(found_in, map(found.get, keys))), host_clock)

    def _swap(self, changes: Sequence[Change], now: int) -> Swapped:
        with self.hold([change.key for change in changes]):
            found = self._read([change.key for change in changes]).found
            stale = is_stale(now)
            if stale or any(here.token != change.token for here, change in zip(found, changes, strict=True)):
                return Swapped(False, found, stale=stale)
            for change in changes:
                self._write(change)
        return written(changes)

    def _write(self, change: Change) -> None:
        if change.text is None:
            self.cache.delete(change.key)
        else:
            self.cache.set(change.key, change.text, change.life)

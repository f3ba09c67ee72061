"""What the tests of the stores have in common: keys of their own, and swaps at them."""

from collections.abc import Sequence
from secrets import token_hex
from typing import Any

from lockout_decorators.stores import Change, Found, Reading, Store, Swapped
from tests.racers import text


def keys(count: int = 1) -> list[str]:
    """Keys of one client."""
    home = token_hex(2)
    return [f"lockout:2:{{{home}}}:{token_hex(8)}" for _ in range(count)]


def changes(reading: Reading, keys: Sequence[str], written: str | None = None, life: int | None = 60) -> list[Change]:
    return [Change(key, one.token, written or text(1), life) for key, one in zip(keys, reading.found, strict=True)]


def write(store: Store, keys: Sequence[str], written: str | None = None) -> Swapped:
    """Over whatever stands there."""
    reading = store.read(keys)
    return store.swap(changes(reading, keys, written), reading.clock())


def put(store: Store, key: str, value: str | None, life: int | None = 60) -> Found:
    """The same with one key; it has to be won."""
    reading = store.read([key])
    swapped = store.swap([Change(key, reading.found[0].token, value, life)], reading.clock())
    assert swapped.won
    return swapped.found[0]


def standing(store: Store, *names: str) -> list[Any]:
    return [found.text for found in store.read(names).found]

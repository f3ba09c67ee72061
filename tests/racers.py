"""Swaps at the same entries from many threads at once, in processes of them."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from secrets import token_hex
from typing import Any, NamedTuple

from django.core.cache import close_caches

from lockout_decorators.stores import Change, Swapped, store_for
from tests.processes import obey

PROCESSES = 3
THREADS = 6
OLD = 1000  # a number that stands there before a race


class Race(NamedTuple):
    """Add one to the numbers under `keys`, `rounds` times in each thread, all beginning at the instant `at`; or with no
    rounds, wait until nothing stands there any more, and begin anew."""

    keys: list[str]
    rounds: int
    at: float


def text(number: int) -> str:
    """Something of the shape of a record."""
    return f"{token_hex(8)}.{number}"


def number(found: Any) -> int:
    return 0 if found.text is None else int(found.text.split(".")[1])


def add(keys: Sequence[str]) -> int:
    """Add one to each of `keys`, those at once that can be; how many began anew, where nothing stood."""
    store, begun = store_for("default"), 0
    for batch in store.batches(keys):
        reading = store.read(batch)
        clock, found = reading.clock, reading.found
        while True:
            changes = [Change(key, f.token, text(number(f) + 1), 60) for key, f in zip(batch, found, strict=True)]
            swapped = store.swap(changes, clock())
            if has_won(swapped, changes):
                break
            found, clock = swapped.found, swapped.clock or clock
        begun += sum(one.text is None for one in found)
    return begun


def begin(keys: Sequence[str]) -> int:
    """Write where nothing stands any more; whether it was this thread."""
    store = store_for("default")
    while (reading := store.read(keys)).found[0].text is not None and number(reading.found[0]) >= OLD:
        time.sleep(0.005)
    if reading.found[0].text is not None:
        return 0
    changes = [Change(keys[0], reading.found[0].token, text(1), 60)]
    return int(has_won(store.swap(changes, reading.clock()), changes))


def has_won(swapped: Swapped, changes: Sequence[Change]) -> bool:
    """A command may be sent twice, its first reply lost: then it finds what it wanted to write."""
    return swapped.won or [change.text for change in changes] == [found.text for found in swapped.found]


def values(keys: Sequence[str]) -> list[int]:
    return [number(found) for found in store_for("default").read(keys).found]


def run(race: Race) -> int:
    time.sleep(max(0, race.at - time.time()))
    begun = sum(add(race.keys) for _ in range(race.rounds)) if race.rounds else begin(race.keys)
    close_caches(signal=None)
    return begun


def main(orders: Connection) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        obey(orders, pool, lambda *race: sum(pool.map(run, [Race(*race)] * THREADS)))

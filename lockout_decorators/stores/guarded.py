"""Any other cache: who swaps first adds a guard beside the entry, which ends by itself, and removes it afterwards.

Not atomic: exact unless a process or a packet is held up for longer than a second between look and write. Nothing
that such a cache says is believed unseen: what was written is read again, and so is the guard.
"""

import random
import time
from collections.abc import Iterator, Sequence
from secrets import token_hex
from typing import Any

from django.core.cache import BaseCache

from .store import Change, Found, Reading, Store, Swapped, answered, found_in, host_clock, is_stale, written

BESIDE = ":guard"  # at the end: a cache that cuts keys short, so that clients share them, cuts this off as well
HELD = 2  # seconds after which a guard ends whose process is gone
HASTE = 1.0  # seconds within which its holder writes, or not at all: some caches end what they hold a second early
WAIT = 3.0  # seconds for a guard of somebody else

WEAKNESS = "exact unless a process or a packet is held up for longer than a second between check and set"
REPLICATES = "it writes to several servers without asking most of them"


class NonAtomicStore(Store):
    """By the methods that all caches have. A token is the text that was read."""

    way = "Whoever swaps adds a guard beside the entry by `cache.add`, for the moment of the swap."

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return True

    def __init__(self, alias: str, cache: BaseCache) -> None:
        super().__init__(alias, cache)
        self._removed = ""  # the last guard

    def _batches(self, keys: Sequence[str]) -> list[Sequence[str]]:
        return [[key] for key in keys]

    def weakness(self) -> str | None:
        replicates = any(kind.__module__.startswith("django_bmemcached.") for kind in type(self.cache).__mro__)
        return REPLICATES if replicates and len(self.cache._servers) > 1 else WEAKNESS

    def _read(self, keys: Sequence[str]) -> Reading:
        found = answered(self.cache.get_many(keys=list(keys)))
        return Reading([found_in(found.get(key)) for key in keys], host_clock)

    def _swap(self, changes: Sequence[Change], now: int) -> Swapped:
        (change,) = changes
        secret = token_hex(8)
        for pause in _pauses():
            began, removed = time.monotonic(), self._removed
            added = answered(self.cache.add(key=change.key + BESIDE, value=secret, timeout=HELD))
            found, guard = self._look(change.key)
            gone = added and guard is None and not _is_late(began)
            if found.text == secret or gone or guard == removed:
                raise OSError("it does not keep, or does not remove, or takes two keys for one")
            if guard == secret:
                return self._swap_guarded(change, found, secret, began, now)
            if found.token != change.token:
                return Swapped(False, [found])
            time.sleep(pause)
        raise TimeoutError(f"others have held the entry for {WAIT:g} s")

    def _swap_guarded(self, change: Change, found: Found, secret: str, began: float, now: int) -> Swapped:
        stale = is_stale(now)
        won = not stale and found.token == change.token and not _is_late(began) and self._write(change)
        found, guard = self._look(change.key)
        if guard == secret and not _is_late(began):
            answered(self.cache.delete(key=change.key + BESIDE))
            self._removed = secret
        if won and (found.text, guard) != (change.text, secret):
            raise OSError("it did not keep what was written, or others wrote meanwhile")
        return written([change]) if won else Swapped(False, [found], stale=stale)

    def _look(self, key: str) -> tuple[Found, Any]:
        """What stands there, and in its guard."""
        found, guard = self._read([key, key + BESIDE]).found
        return found, guard.text

    def _write(self, change: Change) -> bool:
        """Whether it was done. What is absent is added: some caches find nothing where they could not look."""
        life = None if change.life is None else max(change.life, 1) + 1
        if change.text is None:
            answered(self.cache.delete(key=change.key))
        elif change.token is None:
            return bool(answered(self.cache.add(key=change.key, value=change.text, timeout=life)))
        else:
            answered(self.cache.set(key=change.key, value=change.text, timeout=life))
        return True


def _is_late(began: float) -> bool:
    return time.monotonic() - began > HASTE


def _pauses() -> Iterator[float]:
    """Seconds between tries, longer and longer, until the longest wait is over."""
    deadline, pause = time.monotonic() + WAIT, 0.002
    while time.monotonic() < deadline:
        yield pause * random.uniform(0.5, 1)  # noqa: S311
        pause = min(pause * 1.5, 0.1)

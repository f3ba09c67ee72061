"""How many failures, locks and refusals each scope has seen in the last day, in steps of five minutes: for the charts
of those who help people. Only where `LOCKOUT_JOURNAL` is on.

Counting must cost little. A failure makes one call to the cache at most, by what this process saw there last; what is
lost to others waits in memory for the next one. Refusals wait for a failure, or for ten seconds; so does a lock, whose
one call is the journal's. A scope has a few entries, each shared by few processes, that seldom come between each other.
"""

import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from socket import gethostname
from threading import Lock
from zlib import crc32

from ..conf import conf
from ..exceptions import StoreError
from ..logs import extra
from ..stores import ABSENT, UNKNOWN, Change, Found, store_for
from .tally import STEP, STEPS, Course, Tally, around, joined, parse, spell

logger: logging.Logger = logging.getLogger("lockout_decorators")

ENTRIES = 8  # of a scope: a process has one of them
KEPT = (STEPS + 1) * STEP // 1000  # seconds for which an entry is kept after it was written
REST = 10.0  # seconds for which refusals wait, and all counts after the cache has failed


class Unwritten:
    """What this process has counted at one cache, and not written; and what it saw there last.

    Attributes:
        courses: By scope, the one that waits longest first.
    """

    def __init__(self, alias: str) -> None:
        self.alias: str = alias
        self.courses: dict[str, Course] = {}
        self._seen: dict[str, tuple[Found, Course]] = {}
        self._counting, self._writing = Lock(), Lock()
        self._due = time.monotonic() + REST
        self._rests = False

    def count(self, tallies: Mapping[str, Tally], now: int) -> None:
        """Write it too, where that is due."""
        with self._counting:
            for scope, tally in tallies.items():
                self.courses[scope] = joined(self.courses.get(scope, {}), {now // STEP: tally})
            recent = {scope: around(course, now) for scope, course in self.courses.items()}
            self.courses = {scope: course for scope, course in recent.items() if course}
        told = tallies.values()
        failed = any(one.failures for one in told) and not any(one.locks for one in told) and not self._rests
        if (failed or time.monotonic() > self._due) and self._writing.acquire(blocking=False):
            try:
                self._write(now)
            finally:
                self._writing.release()

    def _write(self, now: int) -> None:
        """As much as one call can. A cache that fails is told in the log, and left alone for a while."""
        self._due, self._rests = time.monotonic() + REST, False
        try:
            self._swap(now)
        except StoreError as error:
            self._rests = True
            facts = extra("numbers_late", alias=error.alias)
            logger.error("cache %a failed, charts lag behind: %.300a", error.alias, error.error, extra=facts)

    def _swap(self, now: int) -> None:
        with self._counting:
            courses = {**self.courses}
        if not courses:  # another thread has written what this one has counted
            return
        store = store_for(self.alias)
        scopes = {key_of(scope, own_number()): scope for scope in courses}
        batch = store.batches(list(scopes))[0]
        if any(self._found(key).token is UNKNOWN for key in batch):
            self._see(batch, store.read(batch).found)
            return
        waiting = {key: courses[scopes[key]] for key in batch}
        merged = {key: around(joined(self._seen.get(key, (ABSENT, {}))[1], waiting[key]), now) for key in batch}
        texts = {key: spell(course) for key, course in merged.items()}
        swapped = store.swap([Change(key, self._found(key).token, texts[key], KEPT) for key in batch], now)
        if swapped.won or [one.text for one in swapped.found] == list(texts.values()):
            self._seen |= {key: (one, merged[key]) for key, one in zip(batch, swapped.found, strict=True)}
            self._forget({scopes[key]: course for key, course in waiting.items()})
        else:
            self._see(batch, swapped.found)

    def _found(self, key: str) -> Found:
        return self._seen.get(key, (ABSENT, {}))[0]

    def _see(self, keys: Iterable[str], found: Sequence[Found]) -> None:
        self._seen |= {key: (one, _parsed(key, one)) for key, one in zip(keys, found, strict=True)}

    def _forget(self, written: Mapping[str, Course]) -> None:
        """What has been counted meanwhile stays, and waits behind the others."""
        with self._counting:
            for scope, course in written.items():
                counted = self.courses.pop(scope, {})
                if left := joined(counted, {step: course[step] for step in course if step in counted}, -1):
                    self.courses[scope] = left


_unwritten: dict[tuple[str, str], Unwritten] = {}  # by the cache, and the prefix of its keys


def count(alias: str, tallies: Mapping[str, Tally], now: int) -> None:
    """Count what has come under some scopes at the moment `now`, by the clock of the cache. Never fails."""
    _unwritten.setdefault((alias, conf.cache_prefix), Unwritten(alias)).count(tallies, now)


def read(alias: str, scopes: Sequence[str]) -> tuple[dict[str, Course], int]:
    """The courses of some scopes, with what this process has yet to write; and what time it is. Raises StoreError."""
    keys = [key_of(scope, number) for scope in scopes for number in range(ENTRIES)]
    found, clock = store_for(alias).read(keys)
    courses = [_parsed(key, one) for key, one in zip(keys, found, strict=True)]
    known = _unwritten.get((alias, conf.cache_prefix)) or Unwritten(alias)
    told: dict[str, Course] = {}
    for number, scope in enumerate(scopes):
        told[scope] = known.courses.get(scope, {})
        for course in courses[number * ENTRIES : (number + 1) * ENTRIES]:
            told[scope] = joined(told[scope], course)
    return told, clock()


def own_number() -> int:
    """Of this process: its neighbours on a host have others, and so mostly have those in other containers."""
    return os.getpid() + crc32(gethostname().encode())


def key_of(scope: str, number: int) -> str:
    """Of the entry that the process with this number has."""
    digest = sha256(scope.encode()).hexdigest()[:20]
    return f"{conf.cache_prefix}:{{tallies}}:{digest}:{number % ENTRIES}"


def _parsed(key: str, found: Found) -> Course:
    """What holds no numbers has been put there by somebody else, and counts as absent."""
    try:
        return parse(found.text) if found.text is not None else {}
    except Exception:  # noqa: BLE001  # whatever it is
        facts = extra("numbers_damaged")
        logger.error("%s holds no numbers for charts, and counts as absent: %.80a", key, found.text, extra=facts)
        return {}

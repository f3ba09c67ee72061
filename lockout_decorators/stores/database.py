"""Database caches: a row is changed only while its value is what was read, in the database of the write router.

One statement in autocommit is atomic by itself; several are one short transaction. Never read by the cache's own `get`,
which deletes what a peer may just have renewed. The hosts keep the time.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from django.core.cache import BaseCache
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, connections, router, transaction

from ..exceptions import StoreError
from .dialects import table_of
from .store import Change, Found, Reading, Store, Swapped, host_clock, is_stale
from .tables import Table

T = TypeVar("T")

REPEATING = 5.0  # seconds for which what failed because others came between is tried again
PAUSE, LONGEST = 0.002, 0.05  # seconds between two tries: the first, doubled each time
TURN = 1.0  # seconds for which threads stand in line for SQLite
SWEEP, MOST = 50, 100  # one of so many swaps removes rows that have expired, at most so many
LATE = 60_000  # milliseconds after their time, so that a peer whose clock is behind still finds its own

# What a database says when others came between: by the standard, MySQL and MariaDB, Oracle; and SQLite's busy, locked.
CONFLICTS = ("40001", "40P01", 1213, 1205, 1020, 60, 8177)
BUSY = (5, 6)

_line = Lock()

ADVICE = "a rollback would undo what is counted there: verify outside of it, or set LOCKOUT_CACHE to a cache elsewhere"


class Lost(Exception):
    """Undoes what was written before the change that was lost."""


class DatabaseStore(Store):
    """Whatever keeps its entries in a table."""

    way = "A statement changes a row only while its value is what was read, in the write router's database."

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return hasattr(cache, "cache_model_class")

    def expect_durable(self) -> None:
        try:
            expect_no_transaction(self._connection())
        except Exception as error:
            raise StoreError(self.alias, error) from error

    def _read(self, keys: Sequence[str]) -> Reading:
        table = self._table()
        return Reading(repeated(table, partial(table.read, keys=keys, now=host_clock())), host_clock)

    def _swap(self, changes: Sequence[Change], now: int) -> Swapped:
        table = self._table()
        if not (table.connection.in_atomic_block or random.randrange(SWEEP)):  # noqa: S311
            repeated(table, partial(table.sweep, before=host_clock() - LATE, most=MOST))
        if write(table, changes, now):
            return Swapped(True, [Found(change.text, table.raw(change.text)) for change in changes])
        return Swapped(False, self._read([change.key for change in changes]).found, stale=is_stale(now))

    def _table(self) -> Table:
        return table_of(self.cache, self._connection())

    def _connection(self) -> Any:
        return connections[router.db_for_write(self.cache.cache_model_class)]  # this thread's


def write(table: Table, changes: Sequence[Change], now: int) -> bool:
    """All or none; whether they were made."""
    several = table.holds or len(changes) > 1

    def swap(cursor: Any) -> None:
        if is_stale(now) or not table.swap(cursor, sorted(changes), now) or (several and is_stale(now)):
            raise Lost

    try:
        repeated(table, swap, several)
    except (Lost, IntegrityError):
        return False
    return True


def repeated(table: Table, operation: Callable[[Any], T], several: bool = False) -> T:
    """What `operation` makes of a cursor, once nobody comes between. Within somebody else's transaction that can't be
    said."""
    connection, pause = table.connection, PAUSE
    deadline = time.monotonic() + REPEATING
    while True:
        with in_turn(connection):
            began = time.monotonic()
            try:
                with together(connection, several), connection.cursor() as cursor:
                    return operation(cursor)
            except DatabaseError as error:
                in_vain = time.monotonic() > deadline or has_waited(connection, began)
                if in_vain or connection.in_atomic_block or not is_conflict(error):
                    raise
        time.sleep(random.uniform(0, pause))  # noqa: S311
        pause = min(2 * pause, LONGEST)


def together(connection: Any, several: bool) -> AbstractContextManager[Any]:
    """A transaction for several statements; within somebody else's a savepoint, so that an error does not end that."""
    needed = several or connection.in_atomic_block
    return transaction.atomic(connection.alias) if needed else nullcontext()


@contextmanager
def in_turn(connection: Any) -> Iterator[None]:
    """Whoever waits for SQLite sleeps and looks again, and may never be the first to come; so threads stand in line.

    Not for long: somebody else's transaction may hold up the first of them.
    """
    stands = connection.vendor == "sqlite" and not connection.in_atomic_block
    first = stands and _line.acquire(timeout=TURN)
    try:
        yield
    finally:
        if first:
            _line.release()


def has_waited(connection: Any, began: float) -> bool:
    """Whether SQLite's driver has waited for its turn as long as it was told to: to ask again is to wait again."""
    patience: float = connection.settings_dict["OPTIONS"].get("timeout", 5)
    return connection.vendor == "sqlite" and time.monotonic() - began >= 0.9 * patience


def is_conflict(error: Exception) -> bool:
    """Whether the database gave up for others' sake, and nothing has been changed."""
    cause = error.__cause__ or error
    codes = [getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None), *cause.args[:1]]
    busy = getattr(cause, "sqlite_errorcode", 0) & 0xFF in BUSY
    return busy or any(getattr(code, "code", code) in CONFLICTS for code in codes)


def expect_no_transaction(connection: Any) -> None:
    """Inside one others don't see the slots, and a rollback frees them. That Django's TestCase opens is none."""
    if not connection.in_atomic_block:
        if not connection.get_autocommit():
            raise ImproperlyConfigured(f"AUTOCOMMIT is off on {connection.alias!r}: {ADVICE}")
        return
    try:
        with transaction.atomic(connection.alias, savepoint=False, durable=True):
            pass
    except RuntimeError as error:
        raise ImproperlyConfigured(f"inside transaction.atomic() on {connection.alias!r} {ADVICE}") from error

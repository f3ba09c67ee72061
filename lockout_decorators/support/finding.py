"""Finds what stands about a client: by the reference of a lock, among the recent ones, or by a description."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from ..attempts.seats import books_of
from ..conf import conf
from ..exceptions import StoreError
from ..journal import entries
from ..journal.lock import Lock, parse_reference
from ..policy import known_policies
from ..terms.terms import Terms
from .client import Described
from .standing import Standing, of_counter, of_lock

EPOCH = datetime.fromtimestamp(0, UTC)


def aliases() -> list[str]:
    """The caches that count here."""
    used = [policy.cache for several in known_policies().values() for policy in several]
    return list(dict.fromkeys([*used, str(conf.cache)]))


def by_reference(reference: str, among: Sequence[str] = ()) -> Standing | None:
    """The lock of a reference, standing or over, in all caches that count or those that are named; None if nothing is
    on file. Raises ValueError for what is no reference, and StoreError."""
    code, failed = parse_reference(reference), None
    for alias in among or aliases():
        try:
            if lock := entries.find(alias, code):
                return _stand(alias, [lock])[0]
        except StoreError as error:  # it may be on file in another one
            failed = error
    if failed:
        raise failed
    return None


def recent(scope: str | None = None) -> list[Standing]:
    """The locks of late, the last one first, those that are over included. Raises StoreError."""
    found: list[Standing] = []
    for alias in aliases():
        found += _stand(alias, [lock for lock in entries.recent(alias) if scope in (None, lock.scope)])
    return sorted(found, key=lambda one: one.since or EPOCH, reverse=True)


def by_description(client: Described, policies: Iterable[Terms]) -> list[Standing]:
    """The counters that a description leads to under `policies`. Raises StoreError."""
    found: dict[str, Standing] = {}
    for policy in policies:
        for book in books_of(client.counters(policy)):
            book.read()
            for seat in book.seats:
                told = (client.ip or "", client.username)
                found[seat.counter.key] = of_counter(seat.counter, seat.record, book.clock(), *told)
    return list(found.values())


def _stand(alias: str, locks: list[Lock]) -> list[Standing]:
    records, now = entries.records(alias, locks)
    return [of_lock(alias, lock, record, now) for lock, record in zip(locks, records, strict=True)]

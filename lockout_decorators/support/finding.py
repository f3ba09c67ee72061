"""Finds what stands about a client: by the reference of a lock, among the recent ones, or by a description."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..attempts.seats import books_of
from ..conf import conf
from ..exceptions import StoreError
from ..journal import entries
from ..journal.lock import Lock, parse_reference
from ..policy import known_policies
from ..terms.terms import Terms
from .client import Described
from .standing import Standing, of_counter, of_lock


class PassedOver(NamedTuple):
    """A policy that was not looked at: the parts that its key needs as well; None: it is code."""

    scope: str
    lacks: tuple[str, ...] | None


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


def listed(scope: str | None = None) -> list[tuple[str, Lock]]:
    """The locks of late as they fell, each with the alias of its cache; the last one first. Raises StoreError."""
    found = [(alias, lock) for alias in aliases() for lock in entries.recent(alias) if scope in (None, lock.scope)]
    return sorted(found, key=lambda one: one[1].began, reverse=True)


def stand(locks: Sequence[tuple[str, Lock]]) -> list[Standing]:
    """How locks of `listed()` stand now, in their order. Raises StoreError."""
    standings: dict[Lock, Standing] = {}
    for alias in dict.fromkeys([alias for alias, _ in locks]):
        mine = [lock for where, lock in locks if where == alias]
        standings |= zip(mine, _stand(alias, mine), strict=True)
    return [standings[lock] for _, lock in locks]


def recent(scope: str | None = None) -> list[Standing]:
    """The locks of late, the last one first, those that are over included. Raises StoreError."""
    return stand(listed(scope))


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


def unasked(client: Described, policies: Iterable[Terms]) -> list[str]:
    """The parts of a description that no policy asks for."""
    asked = {part.lower() for policy in policies for part in policy.key.parts}
    asked |= {"ip"} if any(one.ceiling for policy in policies for one in policy.kinds) else set()
    return [part for part in client.parts if part.lower() not in asked]


def passed_over(client: Described, policies: Iterable[Terms]) -> list[PassedOver]:
    """The policies for which a description is not enough."""
    lacking = [(policy.scope, client.lacks(policy)) for policy in policies]
    several = [PassedOver(scope, None if lacks is None else tuple(lacks)) for scope, lacks in lacking if lacks != []]
    return list(dict.fromkeys(several))


def _stand(alias: str, locks: list[Lock]) -> list[Standing]:
    records, now = entries.records(alias, locks)
    return [of_lock(alias, lock, record, now) for lock, record in zip(locks, records, strict=True)]

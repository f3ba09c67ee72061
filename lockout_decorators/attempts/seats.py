"""What a guess knows of its counters: a seat for each, with the moves it makes there, and a book for those that lie in
one store."""

import logging
import os
from collections.abc import Iterable, Sequence, Set
from typing import Any

from ..exceptions import StoreError
from ..journal.lock import new_code
from ..logs import extra
from ..records import moves
from ..records.moves import Refusal
from ..records.record import EMPTY, FOREVER, STAMP, Record, Slot, parse, spell
from ..stores import ABSENT, UNKNOWN, Change, Clock, Found, Store, host_clock, store_for
from .counters import Counter

logger: logging.Logger = logging.getLogger("lockout_decorators")

UNREAD = Found(None, UNKNOWN)
MARGIN = 2  # seconds by which an entry outlives its record
UNCHANGED = 10  # swaps lost in a row, though nothing has changed: others may undo what they did, but not so often


class Seat:
    """A counter, what stood on its record when it was last seen, and the guess's slot there.

    Attributes:
        slot: What the guess occupies, or will.
        taken: Whether it does.
        solved: Whether the challenge of the policy is, if it has one.
        moved: What a move has made of the record, to be written; None: nothing.
        reference: The code of the lock, if the guess's failure writes one; empty before it failed.
        filed: Whether that lock is in the journal.
    """

    slot: Slot
    found: Found = UNREAD
    record: Record = EMPTY
    moved: Record | None = None
    reference: str = ""
    taken: bool = False
    solved: bool = False
    filed: bool = False

    def __init__(self, counter: Counter) -> None:
        self.counter: Counter = counter

    def see(self, found: Found) -> None:
        """Take in what stands there. What is no record counts as absent."""
        known, self.found = self.found, found
        if known is UNREAD or found.text != known.text:
            self.record = EMPTY if found.text is None else self._parsed(found.text)

    def _parsed(self, text: Any) -> Record:
        try:
            return parse(text)
        except Exception:  # noqa: BLE001  # whatever somebody else has put there
            facts = extra("record_damaged", scope=self.counter.terms.scope, alias=self.counter.terms.cache)
            logger.error("%s holds no record, and counts as absent: %.80a", self.counter.key, text, extra=facts)
            return EMPTY

    @property
    def holds(self) -> bool:
        """Whether `slot` is on the record as it was last seen."""
        return self.record.slot_of(self.slot.occupancy) is not None

    def admit(self, now: int, own: Set[str]) -> Refusal | None:
        """Have the guess's slot written, unless it is refused; nobody waits for slots of its `own` request."""
        came = moves.admit(self.record, self.counter.rule, now, self.slot, own, self.solved)
        self.moved, refused = (None, came) if isinstance(came, Refusal) else (came, None)
        return refused

    def release(self, now: int) -> Record:
        return moves.release(self.record, self.counter.rule, now, self.slot.occupancy)

    def abandon(self, now: int) -> Record:
        return moves.abandon(self.record, self.counter.rule, now, self.slot.occupancy)

    def succeed(self, now: int) -> Record:
        return moves.succeed(self.record, self.counter.rule, now, self.slot.occupancy, self.slot.tag)

    def fail(self, now: int) -> Record:
        self.reference = self.reference or new_code()
        return moves.fail(self.record, self.counter.rule, now, self.slot, self.reference)

    def change(self, now: int) -> Change | None:
        """How to write what the record has moved to; None if it stands there already."""
        record, found = self.moved, self.found
        if record == EMPTY:
            return None if found.text is None else Change(self.counter.key, found.token, None, 0)
        if record is None or record == self.record:
            return None
        text, end = spell(record, os.urandom(STAMP // 2).hex()), moves.lasts_until(record, self.counter.rule)
        life = None if end >= FOREVER else -((now - end) // 1000) + MARGIN
        return Change(self.counter.key, found.token, text, life)


class Book:
    """The seats that lie in one store.

    Attributes:
        groups: The seats that can be swapped at once.
        clock: What the records are judged by; of this host until they are `known`.
        now: When it was last decided on them.
    """

    now: int

    def __init__(self, store: Store, seats: Sequence[Seat]) -> None:
        self.store: Store = store
        self.seats: Sequence[Seat] = seats
        self.clock: Clock = host_clock
        self.known: bool = False
        self.groups: Sequence[Sequence[Seat]] = [seats] if len(seats) == 1 else self._groups()
        self._unchanged = 0

    def _groups(self) -> Sequence[Sequence[Seat]]:
        by_key = {seat.counter.key: seat for seat in self.seats}
        return [[by_key[key] for key in batch] for batch in self.store.batches(list(by_key))]

    def read(self, seats: Sequence[Seat] = ()) -> None:
        """All of them, unless `seats` says which. Raises StoreError."""
        seats = seats or self.seats
        reading = self.store.read([seat.counter.key for seat in seats])
        self.clock, self.known = reading.clock, True
        for seat, found in zip(seats, reading.found, strict=True):
            seat.see(found)

    def presume_absent(self) -> bool:
        """Go by it that nothing is on record, as of most clients, where the store tells by a swap if that is wrong."""
        if len(self.groups) > 1 or (clock := self.store.clock) is None:
            return False
        self.clock, self.known = clock, True
        for seat in self.seats:
            seat.see(ABSENT)
        return True

    def swap(self, seats: Sequence[Seat], now: int) -> bool:
        """Write what the records have moved to, all or none. Who finds there what it wanted to write has won: a reply
        may be lost, and the command sent again. Raises StoreError."""
        changed: list[Seat] = []
        changes: list[Change] = []
        for seat in seats:
            if change := seat.change(now):
                changed.append(seat)
                changes.append(change)
        if not changes:
            return True
        won, found, clock, stale = self.store.swap(changes, now)
        won = won or [one.text for one in found] == [change.text for change in changes]
        if won:
            self._unchanged = 0
        elif not stale:
            self._suspect([seat.found for seat in changed] == list(found))
        for seat, one in zip(changed, found, strict=True):
            if won and seat.moved is not None:
                seat.found, seat.record = one, seat.moved
            else:
                seat.see(one)
        self.clock = clock or self.clock
        return won

    def _suspect(self, unchanged: bool) -> None:
        """A store that neither swaps nor says what came between."""
        self._unchanged = self._unchanged + 1 if unchanged else 0
        if self._unchanged >= UNCHANGED:
            raise StoreError(self.store.alias, OSError("it stores nothing"))


def books_of(counters: Iterable[Counter]) -> list[Book]:
    """Raises StoreError."""
    by_alias: dict[str, list[Seat]] = {}
    for counter in counters:
        by_alias.setdefault(counter.terms.cache, []).append(Seat(counter))
    return [Book(store_for(alias), held) for alias, held in by_alias.items()]

"""Carries moves out: reads the records of a guess's counters, decides, and swaps until nobody came between.

A guess takes a slot of every counter or of none. Records that the store can swap at once are; others are swapped one
after another, ceiling first, and what was taken before one refused is released.
"""

import random
import time
from collections.abc import Sequence, Set
from contextlib import suppress
from typing import NamedTuple

from ..exceptions import StoreError
from ..records import moves
from ..records.moves import Refusal
from ..records.record import NOBODY
from ..terms.terms import Terms
from .seats import Book, Seat
from .settling import settle
from .waiting import Wait

PAUSE, GROWTH = 0.01, 1.22  # seconds between the first two looks of a waiting guess, and how they grow: 25 in 5 s
LOSING = 1.0  # seconds for which a claim may go on losing, with less patience than that too


class Refused(NamedTuple):
    """No guess: why, by which record, and at which moment of its store's clock."""

    seat: Seat
    refusal: Refusal
    now: int


def look(books: Sequence[Book]) -> Refused | None:
    """Read all records; why they refuse every guess, if they do. Raises StoreError."""
    refused = []
    for book in books:
        book.read()
        now = book.clock()
        for seat in book.seats:
            if (one := refusal_of(seat, now)) and not one.refusal.waits and seat.counter.terms.enforce:
                refused.append(one)
    return longest(refused) if refused else None


def refusal_of(seat: Seat, now: int, who: str = NOBODY, solved: bool = True) -> Refused | None:
    rule = seat.counter.rule
    why = moves.refusal(moves.prune(seat.record, rule, now), rule, now, who=who, solved=solved)
    return why and Refused(seat, why, now)


def longest(refused: Sequence[Refused]) -> Refused | None:
    """One that no challenge lifts; of two that last as long, the one that nobody may wait for."""
    return max(
        refused,
        key=lambda one: (not one.refusal.unsolved, one.refusal.until - one.now, not one.refusal.waits),
        default=None,
    )


class Claim:
    """A guess on its way to its slots; `own` are the occupancies that its request holds already.

    Attributes:
        refused: Why the last step came to nothing.
        passed: What would have refused it under policies that are not enforced.
    """

    def __init__(self, books: Sequence[Book], own: Set[str]) -> None:
        self.books: Sequence[Book] = books
        self.own: Set[str] = own
        self.passed: list[Refused] = []
        self._began: float = time.monotonic()
        self._pauses: int = 0
        self.refused: Refused | None = None

    def step(self) -> Refused | Wait | None:
        """Take a slot of each counter: None; or why not. Raises StoreError."""
        for book in self.books:
            if self._pauses or not (book.known or (len(self.books) == 1 and book.presume_absent())):
                book.read()
        try:
            self.refused = self._take()
        except StoreError as error:
            with suppress(StoreError):  # of several servers, one may have failed
                self.release([book for book in self.books if book.store.alias == error.alias])
            raise
        if self.refused:
            self.release(self.books)
        return self.refused and (self._wait(self.refused) or self.refused)

    def solve(self, terms: Terms) -> None:
        """Their challenge is solved, so all slots are open. To ask took time: patience begins anew."""
        for book in self.books:
            for seat in book.seats:
                if seat.counter.terms is terms:
                    seat.solved = True
        self._began = time.monotonic()

    def release(self, books: Sequence[Book]) -> None:
        """Give back what was taken there. Raises StoreError."""
        settle(books, Seat.release)
        for book in books:
            for seat in book.seats:
                seat.taken = False

    def _take(self) -> Refused | None:
        """Decide and swap until that has come to something."""
        while True:
            if refused := self._decide():
                return longest(refused)
            if self._swap():
                return None
            if time.monotonic() > self._began + LOSING and not self._may_lose_on():
                return self._lose()

    def _decide(self) -> list[Refused]:
        refused: list[Refused] = []
        self.passed = []
        for book in self.books:
            book.now = book.clock()
            for seat in book.seats:
                if seat.taken:
                    continue
                if why := seat.admit(book.now, self.own):
                    (refused if seat.counter.terms.enforce else self.passed).append(Refused(seat, why, book.now))
        return refused

    def _swap(self) -> bool:
        for book in self.books:
            for group in book.groups:
                taking = [seat for seat in group if seat.moved is not None and not seat.taken]
                won = not taking or book.swap(taking, book.now)
                for seat in taking:
                    seat.taken = won or seat.holds  # the reply may be lost, and others have built on what was written
                if not won:
                    return False
        return True

    def _may_lose_on(self) -> bool:
        patience = max([seat.counter.terms.patience for book in self.books for seat in book.seats])
        return time.monotonic() <= self._began + patience

    def _lose(self) -> Refused | None:
        """Others came between for too long. That is no reason where nothing is enforced."""
        enforced = [(book, seat) for book in self.books for seat in book.seats if seat.counter.terms.enforce]
        if not enforced:
            return None
        book, seat = enforced[-1]
        now = book.clock()
        return Refused(seat, Refusal(now + 1000), now)

    def _wait(self, refused: Refused) -> Wait | None:
        """Whoever holds slots by failures has the less patience for the others."""
        terms, rule = refused.seat.counter.terms, refused.seat.counter.rule
        record = moves.prune(refused.seat.record, rule, refused.now)
        patience = terms.patience * (1 - moves.share(record, rule, not refused.refusal.unsolved))
        left = self._began + patience - time.monotonic()
        if left <= 0 or not refused.refusal.waits:
            return None
        pause = PAUSE * GROWTH**self._pauses * random.uniform(0.5, 1)  # noqa: S311
        self._pauses += 1
        return Wait(min(pause, left))

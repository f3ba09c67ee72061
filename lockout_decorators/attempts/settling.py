"""Settles: makes a move on records, and swaps until nobody came between."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..exceptions import StoreError
from ..records.record import Record
from ..stores import UNKNOWN
from .seats import Book, Seat

SETTLING = 30.0  # seconds for which a settlement may go on losing


class Settled(NamedTuple):
    """What a move has made of a record, at which moment."""

    seat: Seat
    before: Record
    after: Record
    now: int

    @property
    def fell(self) -> bool:
        """Whether the lock that stands after it is the one of this guess's failure."""
        return self.after.locked and self.after.reference == self.seat.reference


Move = Callable[[Seat, int], Record]
File = Callable[[Book, "Sequence[Settled]"], None]


def settle(books: Sequence[Book], move: Move, all_seats: bool = False, file: File | None = None) -> list[Settled]:
    """Make a move on the records of which the guess has a slot, or on all; `file` is told before it is written. Raises
    StoreError."""
    settled: list[Settled] = []
    for book in books:
        seats = book.seats if all_seats else [seat for seat in book.seats if seat.taken]
        if unknown := [seat for seat in seats if seat.found.token is UNKNOWN]:
            book.read(unknown)
        for group in book.groups if len(seats) > 1 else [seats]:
            settled += _move(book, [seat for seat in group if seat in seats], move, file)
    return settled


def _move(book: Book, seats: Sequence[Seat], move: Move, file: File | None) -> list[Settled]:
    deadline = time.monotonic() + SETTLING
    while True:
        now, settled = book.clock(), []
        for seat in seats:
            seat.moved = move(seat, now)
            settled.append(Settled(seat, seat.record, seat.moved, now))
        if file:
            file(book, settled)
        if book.swap(seats, now):
            return settled
        if time.monotonic() > deadline:
            raise StoreError(book.store.alias, TimeoutError(f"others came between for {SETTLING:g} s"))

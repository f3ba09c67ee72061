"""Where a guess sits: the records of its counters, and what it will write there."""

import os
from collections.abc import Collection

from ..records import moves
from ..records.record import OCCUPANCY, Record, Slot
from .counters import Client, Counter, who
from .guess import Guess
from .seats import Book, Seat, books_of

# The letter of a reference that each random byte stands for: nothing that is taken for something else.
LETTERS = (b"23456789abcdefghjkmnpqrstuvwxyz" * 9)[:256]


def find(guess: Guess, client: Client, down: Collection[str]) -> list[Book]:
    """The records of a guess, without those of caches that are `down`, and those that the guess it joins has already.
    Raises StoreError."""
    known = [seat.counter.key for seat in guess.joins.seats] if guess.joins else ()
    counted: list[Counter] = []
    for party in guess.parties:
        if not down or party.terms.cache not in down:
            counted += client.counters(party.terms, party.identity)
    books = books_of([counter for counter in counted if counter.key not in known] if known else counted)
    for book in books:
        book.store.expect_durable()
    return books


def sit(guess: Guess) -> None:
    """Make out what the guess will write in each record."""
    occupancy = os.urandom(OCCUPANCY // 2).hex()
    for party in guess.parties:
        slot = Slot(False, 0, occupancy, who(party.identity), party.tag)
        for book in guess.books:
            for seat in book.seats:
                if seat.counter.terms is party.terms:
                    seat.slot = slot


def succeed(seat: Seat, now: int) -> Record:
    return moves.succeed(seat.record, seat.counter.rule, now, seat.slot.occupancy, seat.slot.tag)


def fail(seat: Seat, now: int) -> Record:
    seat.reference = seat.reference or os.urandom(8).translate(LETTERS).decode()
    return moves.fail(seat.record, seat.counter.rule, now, seat.slot, seat.reference)

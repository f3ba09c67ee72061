"""What is asked about a client, or done for it, outside of any guess: status, reset, forgive."""

from typing import Any

from ..clients.asgi import Requestlike, request_from
from ..clients.identities import fold
from ..exceptions import LockoutStatus
from ..records import moves
from ..records.record import Record
from ..terms.terms import Terms
from .counters import Client
from .driver import Move, refusal_of, settle
from .reports import Report, refused_status, status_of
from .seats import Book, Seat, books_of


def status(terms: Terms, request: Requestlike, username: Any) -> LockoutStatus:
    """Of the counter that refuses longest, else of the key's. Raises StoreError, and ValueError."""
    (book,) = _books(terms, request, username)
    book.read()
    now = book.clock()
    refused = [found for seat in book.seats if (found := refusal_of(seat, now))]
    if refused:
        return refused_status(max(refused, key=lambda one: one.refusal.until))
    seat = book.seats[-1]
    return status_of(seat.counter, moves.prune(seat.record, seat.counter.rule, now), now, None)


def reset(terms: Terms, request: Requestlike, username: Any) -> None:
    """Raises StoreError, and ValueError."""
    _move(terms, request, username, lambda seat, now: moves.reset())


def forgive(terms: Terms, request: Requestlike, username: Any) -> None:
    """Raises StoreError, and ValueError."""
    client = Client(request_from(request))
    tag, alone = client.tag(username, ()), terms.key.parts == ("username",)

    def move(seat: Seat, now: int) -> Record:
        lift = alone and not seat.counter.ceiling
        return moves.forgive(seat.record, seat.counter.rule, now, tag, lift)

    _move(terms, request, username, move)


def _move(terms: Terms, request: Requestlike, username: Any, move: Move) -> None:
    books = _books(terms, request, username)
    for book in books:
        book.read()
    settled = settle(books, move, all_seats=True)
    client = Client(request_from(request))
    Report(terms, client.request, client.address, username).reset(settled[-1])


def _books(terms: Terms, request: Requestlike, username: Any) -> list[Book]:
    if username is None and "username" in terms.key.parts:
        raise ValueError(f"policy {terms.scope!r} counts by user name: pass username=.")
    return books_of(Client(request_from(request)).counters(terms, fold(username)))

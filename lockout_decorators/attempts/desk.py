"""What is asked about a client, or done for it, outside of any guess: status, reset, forgive."""

from typing import Any

from ..clients.asgi import Requestlike, request_from
from ..clients.credentials import account_in, fields
from ..clients.identities import fold
from ..exceptions import LockoutStatus
from ..records import moves
from ..records.record import Record
from ..terms.terms import Terms
from .browsers import browser_of
from .counters import Client
from .driver import Move, longest, refusal_of, settle
from .reports import Report, refused_status, status_of
from .seats import Book, Seat, books_of
from .watch import watching


def status(terms: Terms, request: Requestlike, username: Any) -> LockoutStatus:
    """Of the counter that refuses longest, else of the key's; the failures at hand included. Raises StoreError."""
    client, username = _client(terms, request, username)
    for block in watching(client.request):
        block.settle_failures()
    browser = browser_of(terms, client, username)
    (book,) = books_of(client.counters(terms, fold(username), browser))
    book.read()
    now = book.clock()
    who = client.who(fold(username))
    if refused := longest([found for seat in book.seats if (found := refusal_of(seat, now, who, solved=False))]):
        return refused_status(refused)
    seat = book.seats[-1]
    return status_of(seat.counter, moves.prune(seat.record, seat.counter.rule, now), now, None)


def reset(terms: Terms, request: Requestlike, username: Any) -> None:
    """Raises StoreError, and as _client() does."""
    client, username = _client(terms, request, username)
    _move(terms, client, username, lambda seat, now: moves.reset())


def forgive(terms: Terms, request: Requestlike, username: Any, owner: bool = False) -> None:
    """Of the `owner` also the lock of the account as seen from there. Raises StoreError, and as _client() does."""
    client, username = _client(terms, request, username)
    tags = [client.tag(username, (), field) for field in (None, *fields())]
    alone = terms.key.parts == ("username",) or (owner and "username" in terms.key.parts)

    def move(seat: Seat, now: int) -> Record:
        lift = seat.counter.browser or (alone and not seat.counter.ceiling)
        return moves.forgive(seat.record, seat.counter.rule, now, tags, lift)

    _move(terms, client, username, move)


def _client(terms: Terms, request: Requestlike, username: Any) -> tuple[Client, Any]:
    """Who is meant; the name as the policy computes it. Raises TypeError for what is no request, and ValueError where
    the key needs a name."""
    found = request_from(request)
    if not hasattr(found, "META"):
        raise TypeError(f"policy {terms.scope!r}: request is {request!r}; it must be a request, or an ASGI scope.")
    if username is None and "username" in terms.key.parts:
        raise ValueError(f"policy {terms.scope!r} counts by user name: pass username=.")
    if username is not None and callable(terms.username):
        _, username = account_in({"username": username}, terms.username, found)
    return Client(found), username


def _books(terms: Terms, client: Client, username: Any) -> list[Book]:
    """Of all its counters, those of a known browser too. Raises StoreError."""
    counters = client.counters(terms, fold(username))
    if browser := browser_of(terms, client, username):
        counters = client.counters(terms, None, browser) + counters
    return books_of(counters)


def _move(terms: Terms, client: Client, username: Any, move: Move) -> None:
    settled = settle(_books(terms, client, username), move, all_seats=True)
    Report(terms, client.request, client.address, username).reset(settled[-1])

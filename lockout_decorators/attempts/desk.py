"""What is asked about a client, or done for it, outside of any guess: status, reset, forgive."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..clients.asgi import Requestlike, expected_request, request_from
from ..clients.credentials import fields
from ..clients.identities import fold
from ..exceptions import LockoutStatus
from ..records import moves
from ..records.record import Record
from ..terms.registry import everyone, registered
from ..terms.terms import Terms
from .browsers import browser_of, may_be_known
from .counters import Client, Counter, named
from .driver import longest, refusal_of
from .reports import Report, refused_status, status_of
from .seats import Seat, books_of
from .settling import Move, settle
from .standing import Place, standing
from .watch import watching


def status(terms: Terms, request: Requestlike, username: Any) -> LockoutStatus:
    """Of the counter that refuses longest, else of the key's; the failures at hand included. Raises StoreError."""
    client, name = _client(terms, request, username)
    for block in watching(client.request):
        block.settle_failures()
    browser = "".join(_browsers(terms, client, username, registered.get(terms.scope, ()))[:1])
    (book,) = books_of(client.counters(terms, fold(name), browser))
    book.read()
    now = book.clock()
    who = client.who(fold(name))
    if refused := longest([found for seat in book.seats if (found := refusal_of(seat, now, who, solved=False))]):
        return refused_status(refused)
    seat = book.seats[-1]
    return status_of(seat.counter, moves.prune(seat.record, seat.counter.rule, now), now, None)


def status_at(policies: Sequence[Terms], request: Requestlike, name_of: Callable[[Terms], Any]) -> LockoutStatus | None:
    """Of a whole door, in one look: how the next guess would fare there, the failures at hand included. `name_of` gives
    the user name as a policy sees it, or None; without one no more is told than what an address alone bounds, if that
    refuses. None where nothing can be told, and of whoever is exempt. Raises StoreError."""
    client = Client(request_from(request))
    for block in watching(client.request):
        block.settle_failures()
    policies = [terms for terms in policies if terms.enforce and not terms.exempts(client.request)]
    said = [name_of(terms) for terms in policies]
    names = [*map(fold, said)]
    asking = any([terms.known_browsers for terms in policies])
    if asking and None in names and may_be_known(policies, client.request):
        return None
    browser = browser_of([*zip(policies, said, strict=True)], client) if asking else ""
    counted: dict[str, tuple[Counter, str, bool]] = {}
    for terms, name in zip(policies, names, strict=True):
        for counter in client.counters(terms, name, browser):
            if (certain := name is not None or not terms.key.needs_identity) or counter.ceiling:
                counted[counter.key] = counter, client.who(name), certain
    return _standing(counted)


def _standing(counted: Mapping[str, tuple[Counter, str, bool]]) -> LockoutStatus | None:
    places = []
    for book in books_of([counter for counter, _, _ in counted.values()]):
        book.read()
        now = book.clock()
        places += [Place(seat, now, *counted[seat.counter.key][1:]) for seat in book.seats]
    return standing(places)


def reset(terms: Terms, request: Requestlike, username: Any) -> None:
    """Raises StoreError, and as _client() does."""
    client, name = _client(terms, request, username)
    counters = [*_known(terms, client, username), *client.counters(terms, fold(name))]
    _move(terms, client, name, counters, lambda seat, now: moves.reset())


def forgive(terms: Terms, request: Requestlike, username: Any) -> None:
    """Raises StoreError, and as _client() does."""
    client, name = _client(terms, request, username)
    counters = [*_known(terms, client, username), *client.counters(terms, fold(name))]
    _forgive(terms, client, name, counters, terms.key.parts == ("username",))


def free_owner(terms: Terms, request: Requestlike, username: Any, alone: bool) -> None:
    """As forgive(), and the lock of the account as seen from there, if it has that name `alone`; under a key without a
    name, of the owner's browser only."""
    by_name = "username" in terms.key.parts
    client, name = _client(terms, request, username if by_name else None)
    counters = [*_known(terms, client, username), *(client.counters(terms, fold(name)) if by_name else ())]
    if counters:
        _forgive(terms, client, name if by_name else username, counters, by_name and alone)


def _client(terms: Terms, request: Requestlike, username: Any) -> tuple[Client, Any]:
    """Who is meant; the name as the policy computes it. Raises TypeError for what is no request, and ValueError where
    the key needs a name."""
    found = expected_request(request, terms.scope)
    if username is None and "username" in terms.key.parts:
        raise ValueError(f"policy {terms.scope!r} counts by user name: pass username=.")
    return Client(found), named(terms, found, username)


def _known(terms: Terms, client: Client, username: Any) -> list[Counter]:
    """The counters of a known browser."""
    names = _browsers(terms, client, username, everyone())
    return [counter for name in names for counter in client.counters(terms, None, name)]


def _browsers(terms: Terms, client: Client, username: Any, policies: Iterable[Terms]) -> list[str]:
    """What a known browser is called, which is one client at all policies of a door: by the policy itself if it asks,
    else by those of `policies` that do."""
    asking = [terms] if terms.known_browsers else [one for one in policies if one.known_browsers]
    names: dict[str, None] = {}
    for one in asking:
        with suppress(LookupError):  # of a policy that computes the user name from another credential
            names[browser_of([(one, named(one, client.request, username))], client)] = None
    return [name for name in names if name]


def _forgive(terms: Terms, client: Client, username: Any, counters: Sequence[Counter], alone: bool) -> None:
    """Lift the locks of browsers, too, and of the key's counter if that is about the account `alone`."""
    tags = [client.tag(username, (), field) for field in (None, *fields())]

    def move(seat: Seat, now: int) -> Record:
        lift = seat.counter.browser or (alone and not seat.counter.ceiling)
        return moves.forgive(seat.record, seat.counter.rule, now, tags, lift)

    _move(terms, client, username, counters, move)


def _move(terms: Terms, client: Client, username: Any, counters: Sequence[Counter], move: Move) -> None:
    settled = settle(books_of(counters), move, all_seats=True)
    Report(terms, client.request, client.address, username).reset(settled[-1])

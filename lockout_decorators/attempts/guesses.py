"""Refuses and settles: what becomes of the guesses of one block, and what is told of it."""

import os
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from django.http import HttpRequest

from ..clients.identities import fold
from ..conf import conf
from ..exceptions import LockedOut, LockoutStatus, StoreError, StoreUnavailable, flavoured
from ..records import moves
from ..records.record import OCCUPANCY, Record, Slot
from ..terms.terms import Terms
from .counters import Client, who
from .driver import Refused, Settled, look, settle
from .guess import Guess, Party
from .reports import Report, refused_status, report_outage
from .seats import Book, Seat, books_of
from .watch import Call

OUTAGE_RETRY = 30  # seconds after which a refused client is told to come back when the cache is down
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # of references: nothing that is taken for something else

_lock = Lock()  # held for a moment only: a block may be shared by threads that were given a copy of the context


class Guesses:
    """The guesses of one block.

    Attributes:
        made: Those that hold, or held, slots.
        refused: What the first refusal raised; after it everything is refused at once.
        refuser: The policy that did.
        outage: A cache failed; none is asked again.
        own: The occupancies that they hold; grows while other guesses of this request wait.
        named: Who was tried, call by call.
        unasked: Failures of no known guess, to be counted on leaving.
    """

    def __init__(self, request: HttpRequest) -> None:
        self.request: HttpRequest = request
        self.made: list[Guess] = []
        self.refused: LockedOut | None = None
        self.refuser: Terms | None = None
        self.outage: bool = False
        self.named: dict[Call, Sequence[Party]] = {}
        self.unasked: list[Sequence[Party]] = []
        self._client: Client | None = None
        self._early: tuple[list[Terms], list[Book]] | None = None
        self.own: set[str] = set()

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client(self.request)
        return self._client

    def party(self, terms: Terms, username: Any, further: Sequence[Any] | None = ()) -> Party:
        return Party(terms, username, fold(username), self.client.tag(username, further))

    def look(self, policies: Sequence[Terms]) -> None:
        """One early look at whether the client is locked; what it reads serves the first claim. Raises LockedOut."""
        guess = Guess([Party(terms) for terms in policies])
        try:
            self._seat(guess)
            refused = look(guess.books)
        except StoreError as error:
            self.fail_store(guess, error, refuse=True)
        else:
            self._early = list(policies), guess.books
            if refused:
                self._refuse(guess, refused)

    def joined(self, take: Callable[[Guess], bool]) -> Guess | None:
        """The guess that a call belongs to; one thread at a time asks them."""
        with _lock:
            return next((guess for guess in self.made if take(guess)), None)

    def begin(self, guess: Guess) -> None:
        """Find the records of a new guess. Raises LockedOut, and StoreError."""
        if self.refused:
            raise type(self.refused)(self.refused.status)
        for made in self.made:
            if made.verdict is False:
                self.settle(made)
        if self.outage:
            self.refuse_without_store(guess)
        else:
            self._seat(guess)

    def admit(self, guess: Guess, passed: Sequence[Refused], refused: Refused | None) -> None:
        """The guess may be made. Raises LockedOut if it may not."""
        for one in passed:
            self._report(guess, one.seat.counter.terms).refused(one)
        if refused:
            self._refuse(guess, refused)
        self.own |= {seat.slot.occupancy for seat in guess.seats if seat.taken}
        self.made.append(guess)

    def settle(self, guess: Guess) -> None:
        """Free or mark the slots of a guess, once. A store that fails now takes nothing back from a good guess."""
        with _lock:
            settled, guess.settled = guess.settled, True
        if settled or self.outage or (guess.unknown and guess.verdict is None):
            return
        try:
            if guess.verdict:
                settle(guess.books, _succeed)
            else:
                self._tell(guess, settle(guess.books, _fail))
        except StoreError as error:
            self.fail_store(guess, error)

    def count(self, parties: Sequence[Party]) -> None:
        """A failure that nobody asked about beforehand: counted whether or not a slot is left."""
        guess = Guess(parties)
        try:
            if not self.outage:
                self._seat(guess)
                look(guess.books)
                self._tell(guess, settle(guess.books, _fail, all_seats=True))
        except StoreError as error:
            self.fail_store(guess, error)

    def _seat(self, guess: Guess) -> None:
        """Find the records of a guess; those of an early look, if they do not hang on who is tried. Raises StoreError."""
        early, self._early = self._early, None
        policies = [party.terms for party in guess.parties]
        if early and early[0] == policies and not any([terms.key.needs_identity for terms in policies]):
            guess.books = early[1]
        else:
            counted = [one for party in guess.parties for one in self.client.counters(party.terms, party.identity)]
            guess.books = books_of(counted)
            for book in guess.books:
                book.store.expect_durable()
        occupancy = os.urandom(OCCUPANCY // 2).hex()
        for party in guess.parties:
            slot = Slot(False, 0, occupancy, who(party.identity), party.tag)
            for seat in guess.seats:
                if seat.counter.terms is party.terms:
                    seat.slot = slot

    def _tell(self, guess: Guess, settled: Sequence[Settled]) -> None:
        for party in guess.parties:
            mine = [one for one in settled if one.seat.counter.terms is party.terms]
            self._report(guess, party.terms).failed(mine)

    def _report(self, guess: Guess, terms: Terms) -> Report:
        username = next(party.username for party in guess.parties if party.terms is terms)
        return Report(terms, self.request, self.client.address, username)

    def _refuse(self, guess: Guess, refused: Refused) -> None:
        self._report(guess, refused.seat.counter.terms).refused(refused)
        self.refuser = refused.seat.counter.terms
        self.refused = flavoured(LockedOut)(refused_status(refused))
        raise self.refused

    def fail_store(self, guess: Guess, error: StoreError, refuse: bool = False) -> None:
        """Tell of an outage, for each policy whose cache it is; and to `refuse` the guess, raise LockedOut."""
        self.outage = True
        for party in guess.parties:
            if party.terms.cache == error.alias:
                report_outage(party.terms, self.request, error)
        if refuse:
            self.refuse_without_store(guess)

    def refuse_without_store(self, guess: Guess) -> None:
        """Unless guesses pass then."""
        if not conf.fail_open and any([party.terms.enforce for party in guess.parties]):
            terms = guess.parties[-1].terms
            self.refused = flavoured(StoreUnavailable)(LockoutStatus(terms.scope, False, 0, terms.max, OUTAGE_RETRY))
            raise self.refused


def _succeed(seat: Seat, now: int) -> Record:
    return moves.succeed(seat.record, seat.counter.rule, now, seat.slot.occupancy, seat.slot.tag)


def _fail(seat: Seat, now: int) -> Record:
    reference = "".join([ALPHABET[byte % len(ALPHABET)] for byte in os.urandom(8)])
    return moves.fail(seat.record, seat.counter.rule, now, seat.slot, reference)

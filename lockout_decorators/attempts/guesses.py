"""Claims, refuses and settles: what the guesses of one block do to the records, and what is told of it."""

import os
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any, NamedTuple

from django.http import HttpRequest

from ..conf import conf
from ..exceptions import LockedOut, LockoutStatus, StoreError, StoreUnavailable, flavoured
from ..records import moves
from ..records.record import OCCUPANCY, UNTAGGED, Record, Slot
from ..terms.terms import Terms
from .counters import Client, who
from .driver import Claim, Refused, Settled, look, settle
from .reports import Report, refused_status, report_outage
from .seats import Book, Seat, books_of
from .waiting import Wait

OUTAGE_RETRY = 30  # seconds after which a refused client is told to come back when the cache is down
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # of references: nothing that is taken for something else


class Party(NamedTuple):
    """One policy's part in a guess: who is tried, as the policy sees it, and the tag of that."""

    terms: Terms
    username: Any = None
    tag: str = UNTAGGED


class Guess:
    """One guess: who is tried, the slots it holds, the calls that verify it, and the verdict.

    Attributes:
        verdict: Whether it was right; None while nobody knows.
        unknown: A backend broke down: nobody will ever know, and the slots stay taken.
        settled: Nothing more is written for it.
    """

    __slots__ = ("books", "calls", "parties", "secrets", "settled", "unknown", "verdict")

    def __init__(self, parties: Sequence[Party]) -> None:
        self.parties: Sequence[Party] = parties
        self.books: list[Book] = []
        self.secrets: bytes = b""
        self.calls: list[tuple[Any, set[str]]] = []
        self.verdict: bool | None = None
        self.unknown: bool = False
        self.settled: bool = False

    def takes(self, secrets: bytes, named: Any, backend: str, limit: int) -> bool:
        """Whether a call belongs to this guess: the same secrets, and not more than `limit` calls.

        Another account, or a backend that was asked before, makes it a further call.
        """
        if self.settled or self.verdict or self.secrets not in (b"", secrets):
            return False
        self.secrets = secrets
        if self.calls and self.calls[-1][0] == named and backend not in self.calls[-1][1]:
            self.calls[-1][1].add(backend)
        elif len(self.calls) < limit:
            self.calls.append((named, {backend}))
        else:
            return False
        return True

    def name(self, parties: Sequence[Party], proven: bool = False) -> None:
        """Another call of this guess names who is tried. Forgiving needs one account that is named in one way: of several
        it could prove the wrong one, unless this is the call that proved it."""
        for seat in self.seats:
            tag = next(party.tag for party in parties if party.terms is seat.counter.terms)
            if tag != seat.slot.tag:
                seat.slot = seat.slot._replace(tag=tag if proven else UNTAGGED)

    @property
    def seats(self) -> Iterator[Seat]:
        return (seat for book in self.books for seat in book.seats)

    def withdraw(self) -> None:
        """There was no guess: free its slots, prove nothing."""
        self.verdict = True
        for seat in self.seats:
            seat.slot = seat.slot._replace(tag=UNTAGGED)


class Guesses:
    """The guesses of one block.

    Attributes:
        made: Those that hold, or held, slots.
        refused: What the first refusal raised; after it everything is refused at once.
        refuser: The policy that did.
        outage: A cache failed; none is asked again.
    """

    def __init__(self, request: HttpRequest) -> None:
        self.request: HttpRequest = request
        self.made: list[Guess] = []
        self.refused: LockedOut | None = None
        self.refuser: Terms | None = None
        self.outage: bool = False
        self._lock = Lock()  # a block may be shared by threads that were given a copy of the context
        self._client: Client | None = None
        self._early: tuple[list[Terms], list[Book]] | None = None
        self._own: set[str] = set()  # grows while other guesses of this request wait

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client(self.request)
        return self._client

    def party(self, terms: Terms, username: Any, further: Sequence[Any] | None = ()) -> Party:
        return Party(terms, username, self.client.tag(username, further))

    def look(self, policies: Sequence[Terms]) -> None:
        """One early look at whether the client is locked; what it reads serves the first claim. Raises LockedOut."""
        guess = Guess([Party(terms) for terms in policies])
        try:
            self._seat(guess)
            refused = look(guess.books)
        except StoreError as error:
            self._fail_store(guess, error)
            self._refuse_without_store(guess)
        else:
            self._early = list(policies), guess.books
            if refused:
                self._refuse(guess, refused)

    def joined(self, take: Callable[[Guess], bool]) -> Guess | None:
        """The guess that a call belongs to; one thread at a time asks them."""
        with self._lock:
            return next((guess for guess in self.made if take(guess)), None)

    def begin(self, guess: Guess) -> Claim | None:
        """On the way to the slots of a new guess; None if a cache is down, and it passes. Raises LockedOut."""
        if self.refused:
            raise type(self.refused)(self.refused.status)
        for made in self.made:
            if made.verdict is False:
                self.settle(made)
        if not self.outage:
            try:
                self._seat(guess)
                return Claim(guess.books, self._own)
            except StoreError as error:
                self._fail_store(guess, error)
        self._refuse_without_store(guess)
        return None

    def step(self, guess: Guess, claim: Claim) -> Refused | Wait | None:
        """See Claim.step(). Raises LockedOut if a cache fails, unless guesses pass then."""
        try:
            return claim.step()
        except StoreError as error:
            self._fail_store(guess, error)
        self._refuse_without_store(guess)
        return None

    def admit(self, guess: Guess, claim: Claim | None = None, refused: Refused | None = None) -> None:
        """The guess may be made. Raises LockedOut if it may not."""
        for passed in claim.passed if claim else ():
            self._report(guess, passed.seat.counter.terms).refused(passed)
        if refused:
            self._refuse(guess, refused)
        self._own |= {seat.slot.occupancy for seat in guess.seats if seat.taken}
        self.made.append(guess)

    def settle(self, guess: Guess) -> None:
        """Free or mark the slots of a guess, once. A store that fails now takes nothing back from a good guess."""
        with self._lock:
            settled, guess.settled = guess.settled, True
        if settled or self.outage or (guess.unknown and guess.verdict is None):
            return
        try:
            if guess.verdict:
                settle(guess.books, _succeed)
            else:
                self._tell(guess, settle(guess.books, _fail))
        except StoreError as error:
            self._fail_store(guess, error)

    def count(self, parties: Sequence[Party]) -> None:
        """A failure that nobody asked about beforehand: counted whether or not a slot is left."""
        guess = Guess(parties)
        try:
            if not self.outage:
                self._seat(guess)
                look(guess.books)
                self._tell(guess, settle(guess.books, _fail, all_seats=True))
        except StoreError as error:
            self._fail_store(guess, error)

    def _seat(self, guess: Guess) -> None:
        """Find the records of a guess; those of an early look, if they do not hang on who is tried. Raises StoreError."""
        early, self._early = self._early, None
        policies = [party.terms for party in guess.parties]
        if early and early[0] == policies and not any([terms.key.needs_identity for terms in policies]):
            guess.books = early[1]
        else:
            counted = [one for party in guess.parties for one in self.client.counters(party.terms, party.username)]
            guess.books = books_of(counted)
            for book in guess.books:
                book.store.expect_durable()
        occupancy = os.urandom(OCCUPANCY // 2).hex()
        for party in guess.parties:
            slot = Slot(False, 0, occupancy, who(party.username), party.tag)
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

    def _fail_store(self, guess: Guess, error: StoreError) -> None:
        """Once a request for each policy whose cache it is."""
        self.outage = True
        for party in guess.parties:
            if party.terms.cache == error.alias:
                report_outage(party.terms, self.request, error)

    def _refuse_without_store(self, guess: Guess) -> None:
        if not conf.fail_open and any(party.terms.enforce for party in guess.parties):
            terms = guess.parties[-1].terms
            self.refused = flavoured(StoreUnavailable)(LockoutStatus(terms.scope, False, 0, terms.max, OUTAGE_RETRY))
            raise self.refused


class Claiming:
    """A call on its way to its guess, and that to its slots: for run(), arun() and aclaim().

    `find` gives the guess: one that was made already, a new one, or None.
    """

    def __init__(self, guesses: Guesses, find: Callable[[], Guess | None]) -> None:
        self._guesses, self._find = guesses, find
        self._guess: Guess | None = None
        self._claim: Claim | None = None
        self._new: bool = False

    def step(self) -> Guess | Wait | None:
        if self._claim is None:
            self._guess = self._find()
            if self._guess is None or self._guess in self._guesses.made:
                return self._guess
            self._new = True
            self._claim = self._guesses.begin(self._guess)
        came = self._claim and self._guesses.step(self._guess, self._claim)
        return came if isinstance(came, Wait) else self._end(came)

    def give_up(self) -> Guess | None:
        return self._end(self._claim.give_up())

    def undo(self) -> None:
        """Nobody was asked."""
        if self._new:
            self._guess.withdraw()
            self._guesses.settle(self._guess)

    def _end(self, refused: Refused | None) -> Guess:
        self._guesses.admit(self._guess, self._claim, refused)
        return self._guess


def _succeed(seat: Seat, now: int) -> Record:
    return moves.succeed(seat.record, seat.counter.rule, now, seat.slot.occupancy, seat.slot.tag)


def _fail(seat: Seat, now: int) -> Record:
    reference = "".join([ALPHABET[byte % len(ALPHABET)] for byte in os.urandom(8)])
    return moves.fail(seat.record, seat.counter.rule, now, seat.slot, reference)

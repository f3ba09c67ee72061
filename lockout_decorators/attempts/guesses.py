"""Refuses and settles: what becomes of the guesses of one block, and what is told of it."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from threading import Lock
from typing import TypeVar

from django.http import HttpRequest

from ..conf import conf
from ..exceptions import ChallengeRequired, LockedOut, LockoutStatus, StoreError, StoreUnavailable, flavoured
from ..terms.terms import Terms
from .browsers import Parties
from .counters import Client
from .driver import Refused, look
from .filing import file_locks
from .guess import Guess, Party
from .reports import Report, after_failures, refused_status, report_outage
from .seats import Book, Seat
from .settling import Move, Settled, settle
from .tallying import tally_failure, tally_refusal
from .watch import OWN, Call, home

OUTAGE_RETRY = 30  # seconds after which a refused client is told to come back when the cache is down

T = TypeVar("T")

_settled, _verdict = attrgetter("settled"), attrgetter("verdict")
_lock = Lock()  # held for a moment only: a block may be shared by threads that were given a copy of the context


class Guesses(Parties):
    """The guesses of one block.

    Attributes:
        made: Those that hold, or held, slots.
        refused: What the first refusal raised; after it everything is refused at once.
        refuser: The policy that did.
        down: The caches that have failed; they are not asked again.
        own: The occupancies that the request holds; grows while other guesses of it wait.
        named: Who was tried, call by call.
        unasked: Failures of no known guess, to be counted on leaving.
        counted: Whether there were any.
        met: The records of the last guess, or of the early look, as they were last seen.
    """

    def __init__(self, request: HttpRequest) -> None:
        self.request: HttpRequest = request
        self.made: list[Guess] = []
        self.refused: LockedOut | None = None
        self.refuser: Terms | None = None
        self.down: set[str] = set()
        self.named: dict[Call, Sequence[Party]] = {}
        self.unasked: list[Sequence[Party]] = []
        self.counted: bool = False
        self.met: Sequence[Book] = ()
        self.client: Client = Client(request)
        self._early: tuple[list[Terms], list[Book]] | None = None
        self.own: set[str] = home(request).setdefault(OWN, set())

    def look(self, policies: Sequence[Terms]) -> None:
        """One early look at whether the client is locked; what it reads serves the first claim. Raises LockedOut."""
        guess = Guess([Party(terms) for terms in policies])
        refused = self.without_outage(guess, lambda one: look(self._find(one)))
        if not any([terms.key.needs_identity for terms in policies]):
            self._early = list(policies), guess.books
        if refused:
            self._refuse(guess, refused)

    def joined(self, take: Callable[[Guess], bool]) -> Guess | None:
        """The guess that a call belongs to; one thread at a time asks them."""
        with _lock:
            return next(filter(take, self.made), None)

    def begin(self, guess: Guess) -> None:
        """Find the records of a new guess, and make out what it will write there. Raises LockedOut, and StoreError."""
        if self.refused:
            raise type(self.refused)(self.refused.status)
        self.settle_all(failures_only=True, but=guess.joins)
        self._refuse_without_store(guess)
        self._find(guess)
        guess.sit(self.client)

    def admit(self, guess: Guess, passed: Sequence[Refused], refused: Refused | None) -> None:
        """The guess may be made. Raises LockedOut if it may not."""
        for one in passed:
            self._tell_refused(guess, one)
        if refused:
            self._refuse(guess, refused)
        self.own.update([seat.slot.occupancy for seat in guess.seats if seat.taken])
        if guess.joins:
            guess.joins.books += guess.books
            guess.joins.parties = [*guess.joins.parties, *guess.parties]
        else:
            self.made.append(guess)

    def settle(self, guess: Guess) -> None:
        """Free or mark the slots of a guess, once. A store that fails now takes nothing back from a good guess."""
        with _lock:
            settled, guess.settled = guess.settled, True
        if settled:
            return
        unknown = guess.unknown and guess.verdict is None
        written = self._settle(guess, Seat.abandon if unknown else Seat.succeed if guess.verdict else Seat.fail)
        if guess.verdict:
            self._tell(guess, () if guess.withdrawn else after_failures([*written, *guess.passed]), Report.succeeded)
        elif not unknown:
            self._tell(guess, written, Report.failed)

    @property
    def failing(self) -> bool:
        """Whether a failure was counted, or will be."""
        return self.counted or bool(self.unasked) or not all(map(_verdict, self.made))

    @property
    def unsettled(self) -> bool:
        return bool(self.unasked) or not all(map(_settled, self.made))

    def settle_all(self, failures_only: bool = False, but: Guess | None = None) -> None:
        for guess in self.made:
            if guess is not but and not guess.settled and (guess.verdict is False or not failures_only):
                self.settle(guess)
        while self.unasked:
            self.count(self.unasked.pop(0))

    def count(self, parties: Sequence[Party]) -> None:
        """A failure that nobody asked about beforehand: counted whether or not a slot is left."""
        self.counted = True
        guess = Guess(self.browsers.recognise(parties) if self.browsers else parties)
        try:
            self._find(guess)
            guess.sit(self.client)
        except StoreError as error:
            self._note_outage(guess, error)
        self._tell(guess, self._settle(guess, Seat.fail, all_seats=True), Report.failed)

    def _settle(self, guess: Guess, move: Move, all_seats: bool = False) -> list[Settled]:
        settled: list[Settled] = []
        file = partial(file_locks, guess, self.client) if move is Seat.fail and conf.journal is not None else None
        for book in list(guess.books):
            try:
                settled += settle([book], move, all_seats, file)
            except StoreError as error:
                self._note_outage(guess, error)
        tally_failure(settled if move is Seat.fail else ())
        return settled

    def _find(self, guess: Guess) -> list[Book]:
        """Its records: those of an early look, if they do not hang on who is tried. Raises StoreError."""
        early, self._early = self._early, None
        if early and early[0] == [party.terms for party in guess.parties]:
            guess.books = early[1]
        else:
            guess.find(self.client, self.down)
        self.met = guess.books
        return guess.books

    def _tell(self, guess: Guess, settled: Sequence[Settled], tell: Callable[..., None]) -> None:
        for party in guess.parties if settled else ():
            if told := [one for one in settled if one.seat.counter.terms is party.terms]:
                tell(Report(party.terms, self.request, self.client.address, party.username), told)

    def _tell_refused(self, guess: Guess, refused: Refused) -> None:
        terms = refused.seat.counter.terms
        Report(terms, self.request, self.client.address, guess.name_at(terms)).refused(refused)
        tally_refusal(refused)

    def _refuse(self, guess: Guess, refused: Refused) -> None:
        self.refuser = refused.seat.counter.terms
        kind = ChallengeRequired if refused.refusal.unsolved else LockedOut
        self.refused = locked_out = flavoured(kind)(refused_status(refused))  # whoever is told may guess again
        self._tell_refused(guess, refused)
        raise locked_out

    def without_outage(self, guess: Guess, step: Callable[[Guess], T]) -> T:
        """What `step` comes to, without the records of a cache that fails. Raises LockedOut unless guesses pass."""
        while True:
            try:
                return step(guess)
            except StoreError as error:
                self._note_outage(guess, error)
                self._refuse_without_store(guess)

    def _note_outage(self, guess: Guess, error: StoreError) -> None:
        """Tell of it, for each policy whose cache it is; and ask that cache no more."""
        self.down.add(error.alias)
        guess.books[:] = [book for book in guess.books if book.store.alias != error.alias]
        for party in guess.parties:
            if party.terms.cache == error.alias:
                report_outage(party.terms, self.request, error)

    def _refuse_without_store(self, guess: Guess) -> None:
        parties = guess.parties if self.down and not conf.fail_open else ()
        if uncounted := [one.terms for one in parties if one.terms.enforce and one.terms.cache in self.down]:
            guess.withdraw()
            self.settle(guess)
            status = LockoutStatus(uncounted[-1].scope, False, 0, uncounted[-1].max, OUTAGE_RETRY)
            self.refused = flavoured(StoreUnavailable)(status)
            raise self.refused

"""One guess: who is tried, the slots it holds, the calls that verify it, and the verdict."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..records.record import OCCUPANCY, UNTAGGED, Slot
from ..terms.terms import Terms
from .counters import Client, Counter
from .seats import Book, Seat, books_of
from .settling import Settled


class Party(NamedTuple):
    """One policy's part in a guess: who is tried, as the policy sees it: as it was sent, folded, and the tag. Where the
    policy asks for known browsers, what names the account; and the one that is known there."""

    terms: Terms
    username: Any = None
    identity: str | None = None
    tag: str = UNTAGGED
    account: tuple[str, ...] = ()
    browser: str = ""


@dataclass(slots=True, eq=False, repr=False)
class Guess:
    """Secrets that are tried at accounts, by one call or several.

    Attributes:
        verdict: Whether it was right; None while nobody knows.
        unknown: A backend broke down: nobody will ever know, and the slots stay taken.
        settled: Nothing more is written for it.
        contradicted: A failure was signalled of it; once more is the same one.
        withdrawn: There was no guess.
        denied: The backend that was asked last did not know it.
        joins: The guess that this one is a part of: the same secrets, tried at another account.
        said: The view's own code has given the verdict: no call joins it any more.
    """

    parties: Sequence[Party]
    books: list[Book] = field(default_factory=list)
    secrets: tuple[Any, ...] = ()
    calls: list[tuple[Any, set[str]]] = field(default_factory=list)
    verdict: bool | None = None
    unknown: bool = False
    settled: bool = False
    contradicted: bool = False
    joins: "Guess | None" = None
    said: bool = False
    withdrawn: bool = False
    denied: bool = False

    def find(self, client: Client, down: Collection[str]) -> None:
        """Its records, without those of caches that are `down`, and those that the guess it joins has already. Raises
        StoreError."""
        counted: list[Counter] = []
        for party in self.parties:
            if not down or party.terms.cache not in down:
                counted += client.counters(party.terms, party.identity, party.browser)
        if self.joins:
            known = [seat.counter.key for seat in self.joins.seats]
            counted = [counter for counter in counted if counter.key not in known]
        self.books = books_of(counted)
        for book in self.books:
            book.store.expect_durable()

    def sit(self, client: Client) -> None:
        """Make out what it will write in each record."""
        occupancy = os.urandom(OCCUPANCY // 2).hex()
        for party in self.parties:
            slot = Slot(False, 0, occupancy, client.who(party.identity), party.tag)
            for book in self.books:
                for seat in book.seats:
                    if seat.counter.terms is party.terms:
                        seat.slot = slot

    def takes(self, secrets: tuple[Any, ...], named: Any, backend: str, limit: int) -> bool:
        """Whether a call belongs to this guess: the same secrets, and not more than `limit` calls.

        Another account, or a backend that was asked before, makes it a further call.
        """
        if self.settled or self.verdict or self.said or self.secrets not in ((), secrets):
            return False
        self.secrets = secrets
        if self.calls and self.calls[-1][0] == named and backend not in self.calls[-1][1]:
            self.calls[-1][1].add(backend)
        elif len(self.calls) < limit:
            self.calls.append((named, {backend}))
        else:
            return False
        self.denied = False
        return True

    def tries(self, party: Party) -> bool:
        """Whether it has slots at that account, and of that browser."""
        by_name = party.terms.key.needs_identity
        same = [known for known in self.parties if known.terms is party.terms and known.browser == party.browser]
        return any([not by_name or party.identity == known.identity for known in same])

    def name(self, parties: Sequence[Party], proven: bool = False) -> None:
        """Another call of this guess names who is tried. Forgiving needs one account that is named in one way: of
        several it could prove the wrong one, unless this is the call that proved it."""
        for seat in self.seats:
            for party in parties:
                if party.terms is seat.counter.terms and party.tag != seat.slot.tag:
                    seat.slot = seat.slot.tagged(party.tag if proven else UNTAGGED)

    def name_at(self, terms: Terms) -> Any:
        """Who is tried, as one of the policies sees it."""
        return next((party.username for party in self.parties if party.terms is terms), None)

    @property
    def seats(self) -> list[Seat]:
        return [seat for book in self.books for seat in book.seats]

    @property
    def passed(self) -> list[Settled]:
        """What it left as it is: records that would have refused it, under policies that are not enforced."""
        asked = [(book, seat) for book in self.books for seat in book.seats if not seat.taken]
        return [Settled(seat, seat.record, seat.record, book.now) for book, seat in asked]

    def withdraw(self) -> None:
        """There was no guess: free its slots, prove nothing."""
        self.verdict = self.withdrawn = True
        for seat in self.seats:
            if seat.taken:
                seat.slot = seat.slot.tagged(UNTAGGED)

"""What the hook into django.contrib.auth asks of an open block: whose guess a call is, and what came of it."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.http import HttpRequest

from ..clients.credentials import Comparison, account_in, is_blank
from ..exceptions import LockedOut
from ..records.record import UNTAGGED
from ..terms.terms import Terms
from .claiming import Claiming
from .counters import further, named
from .guess import Guess, Party
from .guesses import Guesses
from .seats import Book
from .watch import Call

Response = TypeVar("Response")


class Watched:
    """The calls of one block.

    Attributes:
        policies: Those that it counts under.
        open: Whether it watches.
        response: What the view answered or raised, for policies with `failure`; None: no verdict.
    """

    open: bool = False
    response: Any = None
    _held: Guess | None = None  # the one that `attempt()` has made
    _comparison: Comparison | None = None  # made by the first call

    policies: Sequence[Terms]
    given: Sequence[Terms] = ()
    request: HttpRequest
    username: Any = None
    _made: Guesses | None = None  # most requests guess nothing

    @property
    def _guesses(self) -> Guesses:
        return self._made or vars(self).setdefault("_made", Guesses(self.request))  # one, whatever threads ask at once

    @property
    def refused(self) -> LockedOut | None:
        """What was raised when a guess was refused."""
        return self._made.refused if self._made else None

    @property
    def met(self) -> Sequence[Book]:
        """The records of its last guess, or of its early look, as they were last seen."""
        return self._made.met if self._made else ()

    @property
    def answer(self) -> Any:
        """The `response` of the policy that refused, else of the first one that has any."""
        refuser = self._made.refuser if self._made else None
        responses = [terms.response for terms in (refuser, *(self.given or self.policies)) if terms is not None]
        return next((response for response in responses if response is not None), None)

    def succeed(self) -> None:
        """The secret was right: on leaving, the slot becomes free and failures of the same `username` are forgiven."""
        self._say(True)

    def fail(self) -> None:
        """The secret was wrong; the same as saying nothing."""
        self._say(False)

    def cancel(self) -> None:
        """Nothing was verified: on leaving, the slot is given back, and nothing is forgiven."""
        if self._held and self._held.verdict is None:
            self._held.withdraw()

    def _say(self, verdict: bool) -> None:
        if self._held:
            if verdict and self._held.verdict is None and self._guesses.browsers:
                self._guesses.browsers.prove(self._held.parties)
            self._judge(self._held, verdict)
            self._held.said = True

    def remember(self, response: Response) -> Response:
        """Have `response` set the cookie that makes the browser known, if the policy has `known_browsers` and a guess
        in this block was right; return it. In the block, or after it. A decorated view's own response needs no word.
        """
        if self.open:
            self.response = response
        elif self._made and self._made.browsers:
            self._made.browsers.mark(response)
        return response

    def asking(self, call: Call, policies: Sequence[Terms]) -> Claiming:
        """Before a backend sees credentials: the guess they belong to, with its slots."""
        return Claiming(self._guesses, self._find, call, policies)

    def withdraw(self, guess: Guess, call: Call) -> None:
        """The call is not made after all; if it was the guess's only one, there was no guess. A slot that the view's
        own code may have used stays taken."""
        only = [asked for _, asked in guess.calls] == [{call.backend}]
        if only and guess is not self._held and guess.verdict is None:
            guess.withdraw()
            self._guesses.settle(guess)

    def succeed_at(self, guess: Guess, call: Call) -> None:
        """Settle at once: a slot is for the verification, not for the rest of the view. One that `attempt()` holds is
        given back by a word only."""
        if self.open and not guess.settled and guess is not self._held:
            guess.verdict = True
            guesses = self._guesses
            parties = guesses.named[call]
            guess.name(parties, proven=True)
            guesses.settle(guess)
            if guesses.browsers:
                guesses.browsers.prove(parties)

    def fail_at(self, guess: Guess | None, call: Call, policies: Sequence[Terms]) -> None:
        """Take note. A failure of no known guess is that of the one which `attempt()` has made; else it is counted on
        leaving, without a tag. So is one that is told of a guess that was right, as a wrong second factor in the same
        form."""
        guess = guess or self._held
        self._judge(guess, False)
        if guess is None or (guess.verdict and not guess.contradicted):
            self._guesses.unasked.append([party._replace(tag=UNTAGGED) for party in self._parties(call, policies)[1]])
            if guess is not None:
                guess.contradicted = True

    def settle_failures(self) -> None:
        """Without waiting for the end: what stands on record is asked for. Where the view asks backends by itself, the
        last one has spoken."""
        for guess in self._guesses.made:
            if guess.denied and guess is not self._held:
                self._judge(guess, False)
        self._guesses.settle_all(failures_only=True)

    def _new(self) -> Guess:
        guesses = self._guesses
        parties: Sequence[Party] = [
            guesses.party(terms, named(terms, self.request, self.username)) for terms in self.policies
        ]
        return Guess(guesses.browsers.recognise(parties) if guesses.browsers else parties)

    def _judge(self, guess: Guess | None, verdict: bool) -> None:
        """The first verdict on a guess stands."""
        if guess and guess.verdict is None:
            guess.verdict = verdict

    def _find(self, call: Call, policies: Sequence[Terms]) -> Guess | None:
        if is_blank(call.credentials) and not self._presented(policies):
            return None
        field, parties = self._parties(call, policies)
        guesses = self._guesses
        if guesses.browsers:
            parties = guesses.browsers.recognise(parties)
        guesses.named[call] = parties
        self._comparison = self._comparison or Comparison()
        secrets = (*map(id, policies), self._comparison.digest(call.credentials, field))
        limit = min([terms.calls for terms in policies])
        named = (field, call.credentials.get(field or ""))
        guess = guesses.made and guesses.joined(lambda guess: guess.takes(secrets, named, call.backend, limit))
        if not guess:
            guess = Guess(parties, secrets=secrets, calls=[(named, {call.backend})])
        elif guess is not self._held:  # that proves what its own code has verified
            guess.name(parties)
            if others := [one for one in parties if not guess.tries(one)]:
                part = Guess(others)
                part.joins = guess
                return part
        return guess

    def _presented(self, policies: Sequence[Terms]) -> bool:
        """Whether a call without values has a secret all the same: a backend may read it from the request."""
        return any([terms.is_presented(self.request) for terms in policies])

    def _parties(self, call: Call, policies: Sequence[Terms]) -> tuple[str | None, Sequence[Party]]:
        """Who is tried, as each policy sees it; and the credential that names the account."""
        field, guesses = None, self._guesses
        parties: list[Party] = []
        for terms in policies:
            field, value = account_in(call.credentials, terms.username, self.request)
            parties.append(guesses.party(terms, value, further(terms, field, call.credentials), field))
        return field, parties

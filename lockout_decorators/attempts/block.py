"""The context manager that everything rests on: it opens, decides and settles. Sync and async doors side by side."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from django.http import HttpRequest

from ..clients.asgi import Requestlike, request_from
from ..clients.identities import Comparison, account_in, is_blank
from ..conf import conf
from ..exceptions import LockedOut
from ..records.record import UNTAGGED
from ..terms.terms import Terms
from . import watch
from .claiming import Claiming
from .counters import further
from .guess import Guess, Party
from .guesses import Guesses
from .waiting import aclaim, hop, run
from .watch import Call


class Block:
    """Watches the guesses made inside it; made by `LockoutPolicy.observe()` and `LockoutPolicy.attempt()`.

    For `with` and `async with`. Raises LockedOut on entering if the client is known to be locked then, and on leaving
    settles what has not been settled yet.

    Attributes:
        policies: Those that it counts under; what an open block of the request counts already is left to that.
        response: What the view answered, for policies with `failure`.
        guessed: Whether anything was verified; then the response is no verdict.
    """

    open: bool = False
    guessed: bool = False
    response: Any = None
    _early: bool = False
    _held: Guess | None = None
    _comparison: Comparison | None = None  # made by the first call

    def __init__(
        self, policies: Sequence[Terms], request: Requestlike, username: Any = None, eager: bool = False
    ) -> None:
        self.policies: Sequence[Terms] = policies
        self.request: HttpRequest = request_from(request)
        self.username: Any = username
        self.eager: bool = eager
        self._guesses = Guesses(self.request)

    @property
    def refused(self) -> LockedOut | None:
        """What was raised when a guess was refused."""
        return self._guesses.refused

    @property
    def answer(self) -> Any:
        """The `response` of the policy that refused, else of the first one that has any."""
        responses = [terms.response for terms in (self._guesses.refuser, *self.policies) if terms is not None]
        return next((response for response in responses if response is not None), None)

    def succeed(self) -> None:
        """The secret was right: on leaving, the slot becomes free and failures of the same `username` are forgiven."""
        self._judge(self._held, True)

    def fail(self) -> None:
        """The secret was wrong; the same as saying nothing."""
        self._judge(self._held, False)

    def cancel(self) -> None:
        """Nothing was verified: on leaving, the slot is given back, and nothing is forgiven."""
        if self._held and self._held.verdict is None:
            self._held.withdraw()

    def _judge(self, guess: Guess | None, verdict: bool) -> None:
        """The first verdict on a guess stands."""
        if guess and guess.verdict is None:
            guess.verdict = verdict

    def __enter__(self) -> Self:
        if self._opens() and (not self._asks_first() or self._begin()):
            if self.eager:
                self._held = run(self._claiming(self._new))
            self._watch()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._leaves():
            self._settle()

    async def __aenter__(self) -> Self:
        if self._opens() and (not self._asks_first() or await hop(self._begin)):
            if self.eager:
                self._held = await aclaim(self._claiming(self._new))
            self._watch()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._leaves():
            await asyncio.shield(hop(self._settle))  # a client that hangs up just now has guessed all the same

    def _opens(self) -> bool:
        """Whether there is something to watch."""
        watch.hide_post(self.request)
        if not conf.enabled:
            return False
        if not self.eager:
            self.policies = watch.uncounted(self.policies, self.request)
        return bool(self.policies)

    def _asks_first(self) -> bool:
        """Whether there is something to ask before the view runs, or the cache."""
        self._early = not self.eager
        asks = False
        for terms in self.policies:
            self._early = self._early and terms.looks_early(self.request)
            asks = asks or terms.exempt is not None
        return asks or self._early

    def _begin(self) -> bool:
        """Let through who is exempt, refuse who is locked out; returns whether there is something left to watch."""
        self.policies = [one for one in self.policies if not (one.exempt and one.exempt(self.request))]
        if self.policies and self._early:
            self._guesses.look(self.policies)
        return bool(self.policies)

    def _watch(self) -> None:
        self.open = True
        watch.enter(self, self.request)

    def _leaves(self) -> bool:
        """Close the block; whether there is anything to settle."""
        if not self.open:
            return False
        self.open = False
        watch.leave(self, self.request)
        if self._guesses.made or self._guesses.unasked:
            self.guessed = True
            for peer in watch.peers(self, self.request):
                peer.guessed = True
        return self.guessed or bool(self._judges())

    def _judges(self) -> list[Terms]:
        """The policies whose verdict is the response."""
        judging = self.response is not None and not self.guessed
        return [terms for terms in self.policies if judging and terms.failure is not None]

    def _settle(self) -> None:
        if failed := [Party(terms) for terms in self._judges() if terms.is_failure(self.request, self.response)]:
            self._guesses.unasked.append(failed)
        for guess in self._guesses.made:
            self._guesses.settle(guess)
        for parties in self._guesses.unasked:
            self._guesses.count(parties)

    def _new(self) -> Guess:
        return Guess([self._guesses.party(terms, self.username) for terms in self.policies])

    def _claiming(self, find: Callable[[], Guess | None]) -> Claiming:
        return Claiming(self._guesses, find)

    # What the hook into django.contrib.auth asks of an open block

    def asking(self, call: Call, policies: Sequence[Terms]) -> Claiming:
        """Before a backend sees credentials: the guess they belong to, with its slots."""
        return self._claiming(partial(self._find, call, policies))

    def _find(self, call: Call, policies: Sequence[Terms]) -> Guess | None:
        if is_blank(call.credentials):
            return None
        field, parties = self._parties(call, policies)
        self._guesses.named[call] = parties
        self._comparison = self._comparison or Comparison()
        secrets, named = self._comparison.digest(call.credentials, field), (field, call.credentials.get(field or ""))
        limit = min([terms.calls for terms in policies])
        belongs = partial(Guess.takes, secrets=secrets, named=named, backend=call.backend, limit=limit)
        if guess := self._guesses.joined(belongs):
            guess.name(parties)
            return guess
        belongs(guess := Guess(parties))
        return guess

    def _parties(self, call: Call, policies: Sequence[Terms]) -> tuple[str | None, list[Party]]:
        """Who is tried, as each policy sees it; and the credential that names the account."""
        field, parties = None, []
        for terms in policies:
            field, value = account_in(call.credentials, terms.username, self.request)
            parties.append(self._guesses.party(terms, value, further(terms, field, call.credentials)))
        return field, parties

    def withdraw(self, guess: Guess, call: Call) -> None:
        """The call is not made after all; if it was the guess's only one, there was no guess. A slot that the view's own
        code may have used stays taken."""
        if guess is not self._held and guess.verdict is None and [asked for _, asked in guess.calls] == [{call.backend}]:
            guess.withdraw()
            self._guesses.settle(guess)

    def succeed_at(self, guess: Guess, call: Call) -> None:
        """Settle at once: a slot is for the verification, not for the rest of the view."""
        if self.open and not guess.settled:
            guess.verdict = True
            guess.name(self._guesses.named[call], proven=True)
            self._guesses.settle(guess)

    def fail_at(self, guess: Guess | None, call: Call, policies: Sequence[Terms]) -> None:
        """Take note; a failure of no known guess is counted on leaving."""
        self._judge(guess, False)
        if guess is None:
            self._guesses.unasked.append([party._replace(tag=UNTAGGED) for party in self._parties(call, policies)[1]])

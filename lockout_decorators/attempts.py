"""The context manager that everything rests on: it opens, decides and settles. One brain, with sync and async doors."""

import asyncio
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from django.http import HttpRequest

from . import authentication
from .asgi import Requestlike
from .authentication import Call
from .conf import conf
from .counting import Attempt, Attempts
from .exceptions import LockedOut
from .identities import Comparison, account_in, is_blank
from .keys import NOBODY, Account, account_named
from .store import Work, arun, run

if TYPE_CHECKING:
    from .policy import LockoutPolicy


class Block:
    """Watches the guesses made inside it; made by `LockoutPolicy.observe()` and `LockoutPolicy.attempt()`.

    For `with` and `async with`. Raises LockedOut on entering if the client is known to be locked then, and on leaving
    settles what has not been settled yet.

    Attributes:
        response: What the view answered, for policies with `failure`.
        guessed: Whether anything was verified; then the response is no verdict.
    """

    def __init__(
        self, policy: "LockoutPolicy", request: Requestlike, username: Any = None, eager: bool = False
    ) -> None:
        self.policy: LockoutPolicy = policy
        self.username: Any = username
        self.eager: bool = eager
        self.open: bool = False
        self.guessed: bool = False
        self.response: Any = None
        self._attempts = Attempts(policy, request)
        self.request: HttpRequest = self._attempts.request
        self._held: Attempt | None = None
        self._unasked: list[Account] = []
        self._accounts: dict[Call, Account] = {}
        self._comparison: Comparison | None = None  # made by the first call

    @property
    def refused(self) -> LockedOut | None:
        """What was raised when a guess was refused."""
        return self._attempts.refused

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

    def _judge(self, attempt: Attempt | None, verdict: bool) -> None:
        """The first verdict on a guess stands."""
        if attempt and attempt.verdict is None:
            attempt.verdict = verdict

    def __enter__(self) -> Self:
        if run(self._opening()):
            self._watch()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._leaves(error):
            run(self._settling())

    async def __aenter__(self) -> Self:
        if await arun(self._opening()):
            self._watch()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._leaves(error):
            await asyncio.shield(arun(self._settling()))  # a client that hangs up just now has guessed all the same

    def _opening(self) -> Work[bool]:
        """Refuse who is locked out; returns whether there is something to watch."""
        policy = self.policy
        authentication.hide_post(self.request)
        if not conf.enabled or (not self.eager and authentication.is_watched(self, self.request)):
            return False
        if policy.exempt and (yield partial(policy.exempt, self.request)):
            return False
        if self.eager:
            self._held = yield from self._attempts.claim(account_named(self.username))
        elif policy.looks_early(self.request):
            yield from self._attempts.look()
        return True

    def _watch(self) -> None:
        self.open = True
        authentication.enter(self, self.request)

    def _leaves(self, error: BaseException | None) -> bool:
        """Close the block; whether there is anything to settle."""
        was_open, self.open = self.open, False
        if was_open:
            authentication.leave(self, self.request)
            if isinstance(error, LockedOut) and self._held and not self._held.calls:
                self.cancel()  # another policy refused this guess
            self.guessed = self.guessed or bool(self._attempts.made or self._unasked)
            for peer in authentication.peers(self, self.request) if self.guessed else ():
                peer.guessed = True
        return was_open and (self.guessed or self._judges)

    @property
    def _judges(self) -> bool:
        return self.policy.failure is not None and self.response is not None and not self.guessed

    def _settling(self) -> Work[None]:
        if self._judges and (yield partial(self.policy.is_failure, self.request, self.response)):
            self._unasked.append(NOBODY)
        for attempt in self._attempts.made:
            yield from self._attempts.settle(attempt)
        for account in self._unasked:
            yield from self._attempts.count(account)

    # What the hook into django.contrib.auth asks of an open block

    def ask(self, call: Call) -> Work[Attempt | None]:
        """Before a backend sees credentials: the attempt they belong to, with its slot. Raises LockedOut."""
        if is_blank(call.credentials):
            return None
        field, value = account_in(call.credentials, self.policy.username, self.request)
        account = self._accounts[call] = account_named(value)
        self._comparison = self._comparison or Comparison()
        secrets, named = self._comparison.digest(call.credentials, field), (field, call.credentials.get(field or ""))
        belongs = partial(Attempt.takes, secrets=secrets, named=named, backend=call.backend, limit=self.policy.calls)
        attempt = self._attempts.joined(belongs) or (yield from self._attempts.claim(account, belongs))
        attempt.tags.add(account.tag)
        return attempt

    def withdraw(self, attempt: Attempt, call: Call) -> Work[None]:
        """The call is not made after all; if it was the guess's only one, there was no guess."""
        if attempt.verdict is None and [asked for _, asked in attempt.calls] == [{call.backend}]:
            attempt.withdraw()
            yield from self._attempts.settle(attempt)

    def succeed_at(self, attempt: Attempt, call: Call) -> Work[None]:
        """Settle at once: a slot is for the verification, not for the rest of the view."""
        if self.open and not attempt.settled:
            attempt.verdict, attempt.tags = True, {self._accounts[call].tag}
            yield from self._attempts.settle(attempt)

    def fail_at(self, attempt: Attempt | None, call: Call) -> None:
        """Take note; a failure of no known guess is counted on leaving."""
        self._judge(attempt, False)
        if attempt is None:
            self._unasked.append(account_named(account_in(call.credentials, self.policy.username, self.request)[1]))

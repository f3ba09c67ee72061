"""The context manager that everything rests on: it opens, decides and settles. Sync and async doors side by side."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self

from ..clients.asgi import Requestlike, request_from
from ..conf import conf
from ..exceptions import LockedOut
from ..terms.terms import Terms
from . import watch
from .guess import Guess, Party
from .verdicts import response_to
from .waiting import aclaim, hop, run
from .watched import Watched


class Block(Watched):
    """Watches the guesses made inside it; made by `LockoutPolicy.observe()` and `LockoutPolicy.attempt()`.

    For `with` and `async with`. Raises LockedOut on entering if the client is known to be locked then, and on leaving
    settles what has not been settled yet.

    Attributes:
        policies: Those that it counts under; what an open block of the request counts already is left to that.
        watched: Whether it was open, and may be resumed.
        response: What the view answered or raised, for policies with `failure`; None: no verdict.
        failed: Whether a failure was counted; then the response is none.
    """

    watched: bool = False
    failed: bool = False
    response: Any = None
    _early: bool = False
    _judges: bool = False  # by the response
    _peers: list[Any]  # all blocks of the request

    def __init__(
        self, policies: Sequence[Terms], request: Requestlike, username: Any = None, eager: bool = False
    ) -> None:
        self.policies = policies
        self.request = request_from(request)
        self.username: Any = username
        self.eager: bool = eager

    @property
    def refused(self) -> LockedOut | None:
        """What was raised when a guess was refused."""
        return self._made.refused if self._made else None

    @property
    def answer(self) -> Any:
        """The `response` of the policy that refused, else of the first one that has any."""
        refuser = self._made.refuser if self._made else None
        responses = [terms.response for terms in (refuser, *self.policies) if terms is not None]
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

    def __enter__(self) -> Self:
        if self._opens() and (not self._asks_first() or self._begin()):
            if self.eager:
                self._held = run(self._claiming(self._new))
            self._watch()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._leaves(error):
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
        if self._leaves(error):
            await asyncio.shield(hop(self._settle))  # a client that hangs up just now has guessed all the same

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Watch on, while what the view has left to be made later is made."""
        self._watch()
        try:
            yield
        except BaseException as error:
            self.__exit__(None, error, None)
            raise
        self.__exit__(None, None, None)

    @asynccontextmanager
    async def aresumed(self) -> AsyncIterator[None]:
        """See resumed()."""
        self._watch()
        try:
            yield
        except BaseException as error:
            await self.__aexit__(None, error, None)
            raise
        await self.__aexit__(None, None, None)

    def _opens(self) -> bool:
        """Whether there is something to watch."""
        self._peers = watch.blocks_of(self.request)
        if not conf.enabled:
            return False
        if not self.eager:
            self.policies = watch.uncounted(self.policies, self._peers)
        return bool(self.policies)

    def _asks_first(self) -> bool:
        """Whether there is something to ask before the view runs, or the cache."""
        self._early = not self.eager
        asks = False
        for terms in self.policies:
            self._early = self._early and terms.looks_early(self.request)
            self._judges = self._judges or terms.failure is not None
            asks = asks or terms.exempt is not None
        return asks or self._early

    def _begin(self) -> bool:
        """Let through who is exempt, refuse who is locked out; returns whether there is something left to watch."""
        self.policies = [one for one in self.policies if not (one.exempt and one.exempt(self.request))]
        if self.policies and self._early:
            self._guesses.look(self.policies)
        return bool(self.policies)

    def _new(self) -> Guess:
        return Guess([self._guesses.party(terms, self.username) for terms in self.policies])

    def _watch(self) -> None:
        self.open = self.watched = True
        watch.enter(self, self._peers)

    def _leaves(self, error: BaseException | None) -> bool:
        """Close the block; whether there is anything to settle."""
        if not self.open:
            return False
        self.open = False
        watch.leave(self, self._peers)
        if error is not None and self.response is None:
            self.response = response_to(error)
        if self._made and (self._judges or self._peers) and self._made.failing:
            self.failed = True
            for peer in watch.peers(self, self._peers):
                peer.failed = True
        return bool(self._made and self._made.unsettled) or self._is_judged()

    def _is_judged(self) -> bool:
        """Whether the response is a verdict. What `authenticate()` said in the same request excuses nothing."""
        return self._judges and self.response is not None and not self.failed

    def _settle(self) -> None:
        judging = [terms for terms in self.policies if terms.failure is not None] if self._is_judged() else ()
        if failed := [Party(terms) for terms in judging if terms.is_failure(self.request, self.response)]:
            self.failed = True
            self._guesses.unasked.append(failed)
        self.response = None
        self._guesses.settle_all()

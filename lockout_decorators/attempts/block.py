"""The context manager that everything rests on: it opens, decides and settles. Sync and async doors side by side."""

import asyncio
from collections.abc import Sequence
from operator import attrgetter
from types import TracebackType
from typing import Any, Self

from django.http import HttpRequest

from ..clients.asgi import Requestlike, request_from
from ..conf import conf
from ..terms.terms import Terms
from . import watch
from .browsers import may_be_known
from .claiming import Claiming
from .guess import Party
from .verdicts import is_unmade, response_to
from .waiting import aclaim, hop, run
from .watched import Watched

_exempt, _failure, _browsers = attrgetter("exempt"), attrgetter("failure"), attrgetter("known_browsers")


class Block(Watched):
    """Watches the guesses made inside it; made by `LockoutPolicy.observe()` and `LockoutPolicy.attempt()`.

    For `with` and `async with`. Raises LockedOut on entering if the client is known to be locked then, and on leaving
    settles what has not been settled yet.

    Attributes:
        policies: Those that it counts under; what an open block of the request counts already is left to that.
        given: All its policies, those that another block counts too.
    """

    open: bool  # these three are said once more for who checks types
    response: Any
    given: Sequence[Terms]
    site: bool = False
    told: bool = False
    _early: Sequence[Terms] = ()
    _judging: Sequence[Terms] = ()
    _peers: list[Any]  # all blocks of the request

    def __init__(
        self, policies: Sequence[Terms], request: Requestlike, username: Any = None, eager: bool = False
    ) -> None:
        self.policies: Sequence[Terms] = policies
        self.request: HttpRequest = request_from(request)
        self.username: Any = username
        self.eager: bool = eager

    def __enter__(self) -> Self:
        if self._opens():
            try:
                self._begin()
                if self.eager and self.policies:
                    self._held = run(Claiming(self._guesses, self._new))
            except BaseException:
                self._close()
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.open:
            try:
                self._finish(error)
            finally:
                self._close()

    async def __aenter__(self) -> Self:
        if self._opens():
            try:
                await hop(self._begin)
                if self.eager and self.policies:
                    self._held = await aclaim(Claiming(self._guesses, self._new))
            except BaseException:
                self._close()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self.open:
            try:
                if kind is asyncio.CancelledError:  # what the view has left in Django's thread may guess until it ends
                    await asyncio.shield(hop(self._finish, error))
                elif self._has_verdicts(error):
                    await asyncio.shield(hop(self._settle))  # who hangs up just now has guessed all the same
            finally:
                self._close()

    def _opens(self) -> bool:
        """Begin to watch; whether there is more to do first: to ask the project or the cache, or to claim a slot."""
        if self.open:
            raise RuntimeError("a block is entered once at a time: make another one by observe() or attempt()")
        self._peers = watch.blocks_of(self.request)
        watch.hide_post(self.request)
        if not (conf.enabled and self.policies):
            return False
        exempting = any(map(_exempt, self.policies))
        if not exempting:
            self._divide()
            if not (self.policies or self._judging):
                return False
        self._watch()
        return exempting or self.eager or bool(self._early)

    def _begin(self) -> None:
        """Let through who is exempt, refuse who is locked out; where nothing is left to watch, that is all."""
        if any(map(_exempt, self.policies)):  # the project is asked, and watched meanwhile
            self.policies = [one for one in self.policies if not one.exempts(self.request)]
            self._divide()
        if self._early:
            self._guesses.look(self._early)
        elif not (self.policies or self._judging):
            self._close()

    def _divide(self) -> None:
        """Leave to an open block what it counts already; but a verdict by the response is looked for all the same.
        There is an early look if all policies have one, and where nothing but that look would refuse."""
        self.given = given = self.policies
        if self.eager:
            return
        self.policies, self._judging = self._uncounted(), ()
        counted, early, late = [*map(id, self.policies)], [], False
        for terms in given:
            if terms.failure is not None:
                self._judging = (*self._judging, terms)
            elif id(terms) not in counted:
                continue
            if terms.looks_early(self.request):
                early.append(terms)
            else:
                late = True
        self._early = early if not late or any(map(_failure, early)) else ()
        if early and any(map(_browsers, given)) and may_be_known(self.policies, self.request):  # the guess tells whose
            self._early = [terms for terms in early if terms.failure is not None]

    def _uncounted(self) -> Sequence[Terms]:
        return watch.uncounted(self.given, [peer for peer in self._peers if peer is not self and not peer.site])

    def _watch(self) -> None:
        self.open = True
        watch.enter(self, self._peers)

    def watch_again(self) -> None:
        """Enter it once more: what another block counted then may be this one's by now."""
        self.policies = self._uncounted()
        self._watch()

    def _close(self) -> None:
        self.open = False
        self.response = None
        watch.leave(self, self._peers)
        if self._peers and self.failed:  # a failure that was counted here is none of theirs
            for peer in watch.peers(self, self._peers):
                peer.told = True

    def _has_verdicts(self, error: BaseException | None) -> bool:
        """Whether there may be anything to settle."""
        if error is not None:
            if self.response is None or is_unmade(self.response):
                self.response = response_to(error)
            if self._made and self._made.browsers:  # there will be no response; a seal may be what broke
                self._made.browsers.proven.clear()
        made = self._made and (self._made.unsettled or (self._made.browsers and self._made.browsers.proven))
        return bool(made or self._judging)

    @property
    def failed(self) -> bool:
        """Whether a failure was counted in it or in a peer, or will be."""
        return self.told or (self._made is not None and self._made.failing)

    def _judges(self) -> Sequence[Terms]:
        """The policies whose verdict is the response, once it is made; one of each that count alike. What
        `authenticate()` said in the same request excuses nothing, but no failure is counted twice."""
        if self.response is None or any([peer.failed for peer in (self, *watch.peers(self, self._peers))]):
            return ()
        unmade = is_unmade(self.response)
        return watch.uncounted([one for one in self._judging if not (unmade and callable(one.failure))], ())

    def _finish(self, error: BaseException | None) -> None:
        if self._has_verdicts(error):
            self._settle()

    def _settle(self) -> None:
        guesses = self._guesses
        if self._judging:
            judges = self._judges()
            if failed := [Party(terms) for terms in judges if terms.is_failure(self.request, self.response)]:
                guesses.unasked.append(failed)
        response, self.response = self.response, None
        while guesses.unsettled:  # whoever is told of it may guess again
            guesses.settle_all()
        if guesses.browsers:
            guesses.browsers.settle(response, self.failed)

"""What a worker does when it is told to. The oracle is how often a secret was verified."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from itertools import chain
from secrets import token_hex
from threading import Thread
from typing import Any, NamedTuple

from lockout_decorators.attempts.counters import Client
from lockout_decorators.attempts.seats import books_of
from lockout_decorators.clients.keys import digest
from lockout_decorators.exceptions import LockedOut
from lockout_decorators.stores import store_for

from .costs import Cost, Size, measure
from .strangers import Stranger

DWELL = 0.005  # seconds that a secret takes to be verified
REST = 0.003  # seconds that a refused guesser rests, at most

# Who is tried, and whether the secret is right.
WRONG, RIGHT, OTHER = ("bob", False), ("bob", True), ("alice", True)


class Verified(NamedTuple):
    """A secret was verified: when its guess began, when it was admitted, and whether it was right."""

    began: float
    admitted: float
    right: bool


class Heard(NamedTuple):
    """What came of a burst: how many guesses were made, and the seconds that the longest took."""

    asked: int
    verified: list[Verified]
    longest: float


class Burst(NamedTuple):
    """Every thread makes these guesses in turn, all beginning at the instant `at`: until the instant `until`, and from
    then on until it has made `most`, or was refused often enough."""

    stranger: Stranger
    guesses: Sequence[tuple[str, bool]]
    at: float = 0.0
    until: float = 0.0
    most: int = 20
    refusals: int = 3


def together(parts: Sequence[Heard]) -> Heard:
    asked, verified, longest = zip(*parts, strict=True)
    return Heard(sum(asked), [*chain(*verified)], max(longest))


def guess(stranger: Stranger, turn: int, username: str, right: bool) -> Verified | None:
    """One guess; None if it was refused."""
    began = time.time()
    try:
        with stranger.policy.attempt(stranger.request(turn), username) as block:
            admitted = time.time()
            time.sleep(DWELL)
            if right:
                block.succeed()
    except LockedOut:
        return None
    return Verified(began, admitted, right)


def enter(stranger: Stranger) -> None:
    with suppress(LockedOut):
        stranger.policy.attempt(stranger.request(), "bob").__enter__()


def guess_on(burst: Burst, first: int = 0) -> Heard:
    """The guesses of one thread."""
    stranger, guesses, at, until, most, refusals = burst
    time.sleep(max(0.0, at - time.time()))
    came: list[Verified | None] = []
    longest, mark = 0.0, None
    while mark is None or (came[mark:].count(None) < refusals and len(came) < mark + most):
        if mark is None and time.time() >= until:
            mark = len(came)
        began, turn = time.monotonic(), first + len(came)
        came.append(guess(stranger, turn, *guesses[turn % len(guesses)]))
        longest = max(longest, time.monotonic() - began)
        if came[-1] is None:
            time.sleep(random.uniform(0, REST))  # noqa: S311
    return Heard(len(came), [one for one in came if one], longest)


class Acts:
    """The acts of one process; `pool` has a thread for each guesser. What they are told may be lists of lists."""

    def __init__(self, pool: Executor, threads: int) -> None:
        self._pool, self._threads = pool, threads

    def do(self, act: str, *args: Any) -> Any:
        return ACTS[act](self, *args)

    def begin(self, alias: str) -> str:
        """Look whether the cache answers; gives what is the same in all processes that count together."""
        self._pool.submit(lambda: store_for(alias).read([f"lockout-prove:{token_hex(8)}"])).result()
        return digest("lockout prove")

    def burst(self, burst: Sequence[Any]) -> Heard:
        parts = self._pool.map(partial(guess_on, _burst(*burst)), range(self._threads))
        return together(list(parts))

    def seed(self, burst: Sequence[Any]) -> Heard:
        """By one thread."""
        return self._pool.submit(guess_on, _burst(*burst)).result()

    def hold(self, stranger: Sequence[Any]) -> Verified:
        """Begin a guess that is never finished."""
        began = time.time()
        thread = Thread(target=enter, args=[Stranger(*stranger)])  # of its own: the block stays open there
        thread.start()
        thread.join()
        return Verified(began, time.time(), False)

    def standing(self, stranger: Sequence[Any]) -> int:
        """How many entries it has."""
        return self._pool.submit(entries, Stranger(*stranger)).result()

    def measure(self, strangers: Sequence[Sequence[Any]]) -> tuple[list[Cost], list[Size]]:
        return self._pool.submit(measure, [Stranger(*one) for one in strangers]).result()

    def clean(self, strangers: Sequence[Sequence[Any]]) -> None:
        """Remove the records."""
        self._pool.submit(clean, [Stranger(*one) for one in strangers]).result()


ACTS: Mapping[str, Callable[..., Any]] = {
    act.__name__: act for act in (Acts.begin, Acts.burst, Acts.seed, Acts.hold, Acts.standing, Acts.measure, Acts.clean)
}


def _burst(stranger: Sequence[Any], *rest: Any) -> Burst:
    return Burst(Stranger(*stranger), *rest)


def entries(stranger: Stranger) -> int:
    (book,) = books_of(Client(stranger.request()).counters(stranger.policy, None))
    book.read()
    return sum(seat.found.text is not None for seat in book.seats)


def clean(strangers: Sequence[Stranger]) -> None:
    for stranger in strangers:
        for request in stranger.requests:
            stranger.policy.reset(request)

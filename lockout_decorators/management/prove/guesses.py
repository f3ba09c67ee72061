"""Real guesses at clients that are made up, and what they leave: all that a process of a proof is told to do."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import cache, partial
from itertools import chain
from typing import NamedTuple

from django.http import HttpRequest

from lockout_decorators.attempts.counters import Client
from lockout_decorators.attempts.seats import books_of
from lockout_decorators.exceptions import LockedOut
from lockout_decorators.policy import LockoutPolicy

ADDRESS = "192.0.2.1"  # of nobody
DWELL = 0.005  # seconds that a secret takes to be verified
REST = 0.003  # seconds that a refused guesser rests
EACH = 4  # guesses of a thread in a burst

Secret = tuple[str, bool]  # who is tried, and whether it is right
WRONG, RIGHT, OTHER = ("bob", False), ("bob", True), ("alice", True)


class Guess(NamedTuple):
    """Whether it was right, when it began, and when it was admitted; 0: it was refused."""

    right: bool
    began: float
    admitted: float = 0


def request(policy: LockoutPolicy, turn: int = 0) -> HttpRequest:
    """Of a policy's one client. Under a ceiling it makes up more keys than that, in turn."""
    found = HttpRequest()
    found.META = {"REMOTE_ADDR": ADDRESS, "HTTP_X_PROVE": str(turn % keys(policy))}
    return found


def keys(policy: LockoutPolicy) -> int:
    return 2 * (policy.ceiling or 0) or 1


def guess(policy: LockoutPolicy, secret: Secret, turn: int = 0, dwell: float = DWELL) -> Guess:
    username, right = secret
    made = Guess(right, time.time())
    with suppress(LockedOut), policy.attempt(request(policy, turn), username) as block:
        made = made._replace(admitted=time.time())
        time.sleep(dwell)
        if right:
            block.succeed()
    return made


def hold(policy: LockoutPolicy) -> Guess:
    """Begin a guess that is never finished."""
    began = time.time()
    with suppress(LockedOut):
        copy_context().run(policy.attempt(request(policy), "bob").__enter__)
    return Guess(False, began, time.time())


def burst(policy: LockoutPolicy, secrets: Sequence[Secret], threads: int, at: float, until: float) -> list[Guess]:
    """All threads guess from the instant `at` to the instant `until`, and each a few times more."""
    return [*chain(*_pool(threads).map(partial(_guess_on, policy, secrets, at, until), range(threads)))]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _guess_on(policy: LockoutPolicy, secrets: Sequence[Secret], at: float, until: float, turn: int) -> list[Guess]:
    time.sleep(max(0.0, at - time.time()))
    made: list[Guess] = []
    left = EACH
    while left:
        left -= time.time() >= until
        made.append(guess(policy, secrets[turn % len(secrets)], turn))
        turn += 1
        if not made[-1].admitted:
            time.sleep(REST)
    return made


def standing(policy: LockoutPolicy) -> list[str]:
    """The texts of a client's entries. Raises StoreError."""
    (book,) = books_of(Client(request(policy)).counters(policy, None))
    book.read()
    return [seat.found.text for seat in book.seats if seat.found.text is not None]


def clean(policies: Sequence[LockoutPolicy]) -> None:
    """Remove all entries. Raises StoreError."""
    for policy in policies:
        for turn in range(keys(policy)):
            policy.reset(request(policy, turn))

"""The trials of a proof: bursts at strangers by all guessers at once, and what has to come of each."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import cycle, pairwise
from secrets import token_hex
from typing import NamedTuple

from django.core.management.base import CommandError

from lockout_decorators.policy import LockoutPolicy
from lockout_decorators.terms.registry import registered

from .crew import Crew
from .worker import OTHER, RIGHT, WRONG, Guess, Secret, burst, clean, standing

MAX = 5
LONG = 600  # seconds: nothing of a trial ends meanwhile
START = 0.1  # seconds from the word to a burst
SOON = 0.5  # seconds that a trial takes which does not wait, about
EARLY, LATE = 0.4, 0.4  # seconds before and after an end, in which a burst is to begin and to go on
OUTLIVING = 2  # seconds by which an entry outlives its record
DOUBT = 0.05  # seconds by which the store's clock may seem to differ


class Trial(NamedTuple):
    """A burst at a new client; and perhaps another one.

    Attributes:
        limit: How many wrong guesses have to be verified in `gap` seconds, and no more.
        gap: Seconds until all that the first burst has left on record is over.
        again: Seconds after that when the second burst begins.
        killed: One of the guesses is held by a worker that dies: its slot stays taken until the window ends.
    """

    name: str
    secrets: Sequence[Secret] = (WRONG,)
    limit: int = MAX
    gap: float = LONG
    again: float | None = None
    killed: bool = False
    window: float = LONG
    patience: float = 5
    ceiling: int | None = None


LONGER = [
    Trial("wrong, after a worker's death", gap=3, again=-EARLY, killed=True, window=3, patience=0.5),
    Trial("wrong, as a lock ends", gap=3, again=-EARLY),
    *[Trial("wrong, as an entry expires", gap=1, again=OUTLIVING + late) for late in (-0.4, 0, 0.6)],
]
OTHERS = [
    Trial("wrong, at a new client"),
    Trial("wrong, among right ones", (OTHER, WRONG)),
    Trial("wrong, under a ceiling", limit=2 * MAX, ceiling=2),
    Trial("right, all at once", (RIGHT,), patience=60),
]


@dataclass
class Row:
    """What came of a trial, all its times together.

    Attributes:
        asked: Guesses, refused ones too.
        verified: Secrets that were verified, of the kind that the trial is about.
        allowed: How many had to be: no more and no less.
    """

    guesses: str
    asked: int = 0
    verified: int = 0
    allowed: int = 0
    exact: bool = True


class Trials:
    """Runs them, one burst at a time."""

    def __init__(self, crew: Crew, alias: str) -> None:
        self.rows: dict[str, Row] = {}
        self.complaints: list[str] = []
        self.failures: list[str] = []  # of the cache
        self._crew, self._alias = crew, alias
        self._strangers: list[LockoutPolicy] = []

    def run(self, seconds: float) -> None:
        """For about so long, and until each has run or something is wrong. Raises CommandError."""
        end, ran, others = time.time() + seconds, 0, cycle(OTHERS)
        due = [(0.0, number, self._bursts(trial)) for number, trial in enumerate(LONGER)]
        while self._exact and (due or ran < len(OTHERS) or time.time() < end):
            if due and due[0][0] < time.time() + SOON:
                _, number, bursts = heappop(due)
                if instant := next(bursts, None):
                    heappush(due, (instant, number, bursts))
            else:
                list(self._bursts(next(others)))
                ran += 1

    @property
    def _exact(self) -> bool:
        return not (self.failures or self.complaints) and all(row.exact for row in self.rows.values())

    def stranger(self, window: float = LONG, lockout: float = LONG, patience: float = 5, ceiling: int | None = None) -> LockoutPolicy:
        """The policy of a client that is made up: its scope is its own."""
        scope, key = f"lockout prove {token_hex(8)}", "header:X-Prove"
        policy = LockoutPolicy(
            scope=scope, key=key, max=MAX, cache=self._alias,
            window=window, lockout=lockout, patience=patience, ceiling=ceiling,
        )
        registered.pop(scope)  # it is none of the site's
        self._strangers.append(policy)
        return policy

    def clean(self) -> None:
        """Remove what was written."""
        try:
            self._crew.one(clean, self._strangers)
        except CommandError as error:
            self.complaints.append(f"its records could not be removed ({error})")

    def _bursts(self, trial: Trial) -> Iterator[float]:
        """A trial; between its bursts it gives the instant of the next one."""
        policy = self.stranger(trial.window, trial.gap, trial.patience, trial.ceiling)
        held = [self._crew.abandon(policy)] if trial.killed else []
        made = self._burst(trial, policy)
        if trial.again is not None:
            over = max([one.admitted or 0 for one in [*held, *made]]) + trial.gap
            yield over + trial.again
            made += self._burst(trial, policy, over + trial.again, over + LATE)
        self._judge(trial, held, made)
        if trial.secrets == (RIGHT,) and self._crew.one(standing, policy):
            self.complaints.append("right guesses have left something on record")

    def _burst(self, trial: Trial, policy: LockoutPolicy, at: float = 0, until: float = 0) -> list[Guess]:
        at = max(at, time.time() + START)
        parts = self._crew.all(burst, policy, trial.secrets, self._crew.threads, at, until)
        self.failures += [failure for _, failures in parts for failure in failures]
        return [Guess(*guess) for guesses, _ in parts for guess in guesses]

    def _judge(self, trial: Trial, held: Sequence[Guess], made: Sequence[Guess]) -> None:
        """By how many secrets were verified, and when."""
        right = trial.secrets == (RIGHT,)
        verified = [guess for guess in made if guess.admitted and guess.right is right]
        due = len(made) if right else trial.limit * (1 if trial.again is None else 2) - len(held)
        exact = len(verified) >= due and (right or not too_many([*held, *verified], trial.limit, trial.gap))
        row = self.rows.setdefault(trial.name, Row(trial.name))
        row.asked += len(made)
        row.verified += len(verified)
        row.allowed += len(verified) if exact else due  # of a machine so slow that more time has passed, more
        row.exact = row.exact and exact


def too_many(verified: Sequence[Guess], limit: int, gap: float) -> bool:
    """Whether more than `limit` of these were admitted within `gap` seconds, by the guessers' own clock. A guess is admitted
    after it began, and before it knows."""
    admitted = sorted(verified, key=lambda guess: guess.admitted or 0)
    return any((later.admitted or 0) - first.began < gap - DOUBT for first, later in pairwise(admitted[::limit]))

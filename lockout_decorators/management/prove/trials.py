"""The trials of a proof: bursts at new clients by all guessers at once, and what has to come of each."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice
from secrets import token_hex
from typing import Any, NamedTuple

from django.core.management.base import CommandError

from lockout_decorators.policy import LockoutPolicy
from lockout_decorators.terms.registry import registered

from .crew import Crew
from .guesses import OTHER, RIGHT, WRONG, Guess, Secret, burst, clean, standing

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
        gap: Seconds of a lock, and until all is over that the first burst has left on record.
        again: Seconds after that when the second burst begins.
        killed: One of the guesses is held by a process that dies: its slot stays taken until the window ends.
        terms: Further terms of the policy.
    """

    name: str
    secrets: Sequence[Secret] = (WRONG,)
    gap: float = LONG
    again: float | None = None
    killed: bool = False
    terms: Mapping[str, Any] = {}


LONGER = [
    Trial("wrong, after a death", gap=3, again=-EARLY, killed=True, terms={"patience": 0.5}),
    Trial("wrong, as a lock ends", gap=3, again=-EARLY),
    *[Trial("wrong, as an entry expires", gap=1, again=OUTLIVING + late) for late in (-0.4, 0, 0.6)],
]
OTHERS = [
    Trial("wrong, at a new client"),
    Trial("wrong, among right ones", (OTHER, WRONG)),
    Trial("wrong, under a ceiling", terms={"ceiling": 2}),
    Trial("right, all at once", (RIGHT,), terms={"patience": 60}),
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
        self._crew, self._alias = crew, alias
        self._strangers: list[LockoutPolicy] = []

    def run(self, seconds: float) -> None:
        """For about so long, and until each has run or something is wrong. Raises CommandError."""
        end, ran, others = time.time() + seconds, 0, cycle(OTHERS)
        due = [(0.0, number, self._bursts(trial)) for number, trial in enumerate(LONGER)]
        while self._exact and (due or ran < len(OTHERS) or time.time() < end):
            if due and due[0][0] < time.time() + SOON:
                _, number, bursts = due.pop(0)
                due = sorted([*due, *[(instant, number, bursts) for instant in islice(bursts, 1)]])
            else:
                next(self._bursts(next(others)), None)
                ran += 1

    @property
    def _exact(self) -> bool:
        return not (self._crew.failures or self.complaints) and all(row.exact for row in self.rows.values())

    def stranger(self, **terms: Any) -> LockoutPolicy:
        """The policy of a client that is made up."""
        terms = {"window": LONG, "lockout": LONG, "ceiling": None, **terms}
        scope = f"lockout prove {token_hex(8)}"
        policy = LockoutPolicy(scope=scope, key="header:X-Prove", max=MAX, cache=self._alias, **terms)
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
        policy = self.stranger(window=trial.gap if trial.killed else LONG, lockout=trial.gap, **trial.terms)
        held = [self._crew.abandon(policy)] if trial.killed else []
        made = self._burst(trial, policy)
        if trial.again is not None:
            over = max(one.admitted for one in [*held, *made]) + trial.gap
            yield over + trial.again
            made += self._burst(trial, policy, over + trial.again, over + LATE)
        self._judge(trial, MAX * (policy.ceiling or 1), held, made)
        if trial.secrets == (RIGHT,) and self._crew.one(standing, policy):
            self.complaints.append("right guesses have left something on record")

    def _burst(self, trial: Trial, policy: LockoutPolicy, at: float = 0, until: float = 0) -> list[Guess]:
        at = max(at, time.time() + START)
        return [*chain(*self._crew.all(burst, policy, trial.secrets, self._crew.threads, at, until))]

    def _judge(self, trial: Trial, limit: int, held: Sequence[Guess], made: Sequence[Guess]) -> None:
        """By how many secrets were verified, and when."""
        right = trial.secrets == (RIGHT,)
        verified = [guess for guess in made if guess.admitted and guess.right is right]
        due = len(made) if right else limit * (1 if trial.again is None else 2) - len(held)
        if len(verified) >= due and not right:  # more, where a machine is so slow that another lock has ended
            due = len(verified) - too_soon([*held, *verified], limit, trial.gap)
        row = self.rows.setdefault(trial.name, Row(trial.name))
        row.asked += len(made)
        row.verified += len(verified)
        row.allowed += due
        row.exact = row.exact and len(verified) == due


def too_soon(verified: Sequence[Guess], limit: int, gap: float) -> int:
    """How many were admitted though `limit` others had been in the last `gap` seconds, by the guessers' own clock: each
    after it began, and before it knew."""
    admitted = sorted(verified, key=lambda guess: guess.admitted)
    first = [admitted[number // limit * limit].began for number in range(len(admitted) - limit)]
    return sum(later.admitted - began < gap - DOUBT for began, later in zip(first, admitted[limit:], strict=True))

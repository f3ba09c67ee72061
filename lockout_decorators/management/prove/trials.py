"""The trials of a proof: bursts at strangers, by all guessers at once, and what must have come of each."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from django.core.management.base import CommandError

from .acts import OTHER, RIGHT, WRONG, Burst, Heard, Verified, together
from .crew import Crew
from .replay import too_many
from .strangers import MAX, Stranger

START = 0.1  # seconds from the word to the burst
SOON = 0.2  # seconds before which no other trial is begun; more if they turn out to take longer
LOCK, OUTLIVING = 1.0, 2.0  # seconds: of a short lock, and for how long its entry stays after it
WINDOW = 4.0  # seconds: of a short window
EARLY, LATE = 0.4, 0.4  # seconds before and after an end, in which a burst is to begin and to go on
EACH = 3  # right guesses of each guesser

Timed = Iterator[float]  # a trial that waits: the instants at which it wants to go on


@dataclass
class Row:
    """What came of a trial, all its times together.

    Attributes:
        asked: Guesses, refused ones too.
        verified: Secrets that were verified, of the kind that the trial is about.
        allowed: How many had to be: no more and no less.
        longest: Seconds that the longest guess took.
        exact: Whether they were, each time.
    """

    name: str
    asked: int = 0
    verified: int = 0
    allowed: int = 0
    longest: float = 0.0
    exact: bool = True

    def add(self, heard: Heard, verified: int, allowed: int) -> None:
        self.asked += heard.asked
        self.verified += verified
        self.allowed += allowed
        self.longest = round(max(self.longest, heard.longest), 3)
        self.exact = self.exact and verified == allowed


class Trials:
    """Runs them, one at a time; those that wait for an end take turns with the others."""

    def __init__(self, crew: Crew, alias: str) -> None:
        self.crew: Crew = crew
        self.rows: dict[str, Row] = {}
        self.complaints: list[str] = []
        self._alias = alias
        self._strangers: list[Stranger] = []

    @property
    def exact(self) -> bool:
        return not self.complaints and all(row.exact for row in self.rows.values())

    def run(self, seconds: float) -> None:
        """For about so many seconds, and until each has run or one has failed. Raises CommandError."""
        end, soon, ran = time.time() + seconds, SOON, 0
        due: dict[Timed, float] = {}
        for timed in self._timed():
            _go_on(due, timed)
        others: Sequence[Callable[[], None]] = [self._new, self._right, self._mixed, self._forgiven, self._ceiling]
        while time.time() < end or (self.exact and (due or ran < len(others))):
            first = min(due, key=due.__getitem__, default=None)
            if first and due[first] < time.time() + soon:
                time.sleep(max(0.0, due[first] - time.time()))
                _go_on(due, first)
            else:
                began = time.monotonic()
                others[ran % len(others)]()
                ran, soon = ran + 1, max(soon, time.monotonic() - began)

    def clean(self) -> None:
        """Remove what was written."""
        try:
            self.crew.one("clean", self._strangers)
        except CommandError as error:
            self.complaints.append(f"its records could not be removed ({error})")

    def stranger(self, **terms: Any) -> Stranger:
        stranger = Stranger(f"lockout prove {token_hex(8)}", self._alias, **terms)
        self._strangers.append(stranger)
        return stranger

    def _new(self) -> None:
        stranger = self.stranger()
        self._count("wrong, at a new client", stranger, self._burst(stranger, [WRONG]), MAX)

    def _right(self) -> None:
        stranger = self.stranger(patience=10)
        heard = self._burst(stranger, [RIGHT], most=EACH, refusals=1)
        self._add("right, all at once", heard, len(heard.verified), heard.asked)
        if left := self.crew.one("standing", stranger):
            self.complaints.append(f"entries that right guesses left: {left}")

    def _mixed(self) -> None:
        """Another account's successes forgive nobody."""
        stranger = self.stranger()
        self._count("wrong, among right ones", stranger, self._burst(stranger, [OTHER, WRONG]), MAX)

    def _forgiven(self) -> None:
        """A success forgives its own account: all its failures, and none that come after it."""
        stranger = self.stranger()
        before = self._seed(stranger, [WRONG] * (MAX - 1) + [RIGHT])
        heard = together([before, self._burst(stranger, [WRONG])])
        wrong = sum(not one.right for one in heard.verified)
        self._add("wrong, before and after a right one", heard, wrong, 2 * MAX - 1)

    def _ceiling(self) -> None:
        stranger = self.stranger(ceiling=2, keys=4)
        self._count("wrong, under a ceiling", stranger, self._burst(stranger, [WRONG]), 2 * MAX)

    def _timed(self) -> Sequence[Timed]:
        entries = [self._entry_ends(after) for after in (-0.4, 0.0, 0.6)]
        return [self._death(), self._lock_ends(), self._lock_stands(), *entries]

    def _lock_ends(self) -> Timed:
        """All guess on and on as the lock ends."""
        stranger = self.stranger(lockout=LOCK)
        before = self._seed(stranger)
        ends = _last(before) + LOCK
        yield ends - EARLY
        after = self._burst(stranger, [WRONG], until=ends + LATE)
        self._count("wrong, as a lock ends", stranger, together([before, after]), 2 * MAX)

    def _lock_stands(self) -> Timed:
        """Nothing is forgotten before its time."""
        stranger = self.stranger()
        heard = [self._burst(stranger, [WRONG])]
        for after in (1.0, 2.5):
            yield _last(heard[0]) + after
            heard.append(self._burst(stranger, [WRONG]))
        self._count("wrong, while a lock stands", stranger, together(heard), MAX)

    def _entry_ends(self, after: float) -> Timed:
        """A lock is over, and its entry goes about now."""
        stranger = self.stranger(lockout=LOCK)
        before = self._seed(stranger)
        yield _last(before) + LOCK + OUTLIVING + after
        heard = together([before, self._burst(stranger, [WRONG])])
        self._count("wrong, as an entry expires", stranger, heard, 2 * MAX)

    def _death(self) -> Timed:
        """The slot of a worker that was killed stays taken until the window ends; nobody waits for it for ever."""
        stranger = self.stranger(window=WINDOW, patience=0.5)
        held = Verified(*self.crew.dies(stranger))
        heard = [self._burst(stranger, [WRONG])]
        yield held.admitted + WINDOW / 2
        heard.append(self._burst(stranger, [WRONG]))
        due = 2 * MAX - 1 if time.time() < held.began + WINDOW else 0  # who is slow may be in the next window already
        ends = held.admitted + WINDOW
        yield ends - EARLY
        heard.append(self._burst(stranger, [WRONG], until=ends + LATE))
        self._count("wrong, after a worker's death", stranger, together(heard), due, held)

    def _seed(self, stranger: Stranger, guesses: Sequence[Any] = (WRONG,) * MAX) -> Heard:
        """These guesses, one after another."""
        return _heard(*self.crew.one("seed", Burst(stranger, guesses, most=len(guesses))))

    def _burst(self, stranger: Stranger, guesses: Sequence[Any], until: float = 0, **bounds: int) -> Heard:
        parts = self.crew.all("burst", Burst(stranger, guesses, time.time() + START, until, **bounds))
        return together([_heard(*part) for part in parts])

    def _count(self, name: str, stranger: Stranger, heard: Heard, due: int, held: Verified | None = None) -> None:
        """`due` had to be verified; more only if the guessers were so slow that it can have been another window."""
        wrong = [one for one in heard.verified if not one.right]
        self._add(name, heard, len(wrong), max(due, len(wrong) - too_many(wrong, stranger, held)))

    def _add(self, name: str, heard: Heard, verified: int, allowed: int) -> None:
        self.rows.setdefault(name, Row(name)).add(heard, verified, allowed)


def _go_on(due: dict[Timed, float], timed: Timed) -> None:
    """With a trial, until it waits again or is over."""
    try:
        due[timed] = next(timed)
    except StopIteration:
        del due[timed]


def _last(heard: Heard) -> float:
    return max([one.admitted for one in heard.verified], default=time.time())


def _heard(asked: int, verified: Sequence[Any], longest: float) -> Heard:
    """As it was before it came over a pipe."""
    return Heard(asked, [Verified(*one) for one in verified], longest)

"""Guesses whose every operation on a store can be held up: the lives that tests/explorer.py interleaves.

The driver is the real one. What a guess does next follows from what it was told so far, its *memory*: it is run again
from its beginning with the answers that it had, and where they end it says what it wants of the store, by `Asking`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

from lockout_decorators.attempts import driver, seats
from lockout_decorators.attempts.driver import Claim, look
from lockout_decorators.attempts.seats import Book, Seat
from lockout_decorators.attempts.settling import settle
from lockout_decorators.attempts.waiting import Wait
from lockout_decorators.exceptions import StoreError
from lockout_decorators.records import moves
from lockout_decorators.records.record import OCCUPANCY, STAMP, UNTAGGED, WHO, Record, Slot, spell
from lockout_decorators.records.rule import Rule
from lockout_decorators.stores import Change, Reading, Swapped

WINDOW, LOCK = 300_000, 600_000
FIXED = Rule(0, WINDOW, (LOCK,))  # but for the maximum
DEAD = "the store does not answer"


class Plan(NamedTuple):
    """What one guess is going to be: wrong, right, undone (nobody was asked); or a reset. Its tag tells its name."""

    what: str
    tag: str = UNTAGGED
    key: str = "K"  # of its counter, beside that of the ceiling, which is everybody's
    early: bool = False  # looks before it claims
    patience: float = 1e9
    solves: bool = False  # the challenge, if there is one


class Read(NamedTuple):
    keys: tuple[str, ...]


class Swap(NamedTuple):
    changes: tuple[Change, ...]
    now: int


class Guard(NamedTuple):
    """Set the guard of a store that excludes others by one, for a swap; or remove it, after that."""

    held: bool
    swap: Swap | Swapped


class Gap(NamedTuple):
    """Nothing of the store: the request comes, its body is read (early), or the secret verified."""

    what: str


class Done(NamedTuple):
    """How a guess ended: as planned, or refused, crashed, dead (for want of a store), unsettled; and the locks it tells
    of."""

    how: str
    told: tuple[str, ...] = ()


class Asking(BaseException):
    """The answers are used up."""

    def __init__(self, operation: Any) -> None:
        self.operation = operation


class Memory:
    """All that a guess knows: when it began, and the answers it had, each with the time at which it thinks about it.

    Those that have led to the same state of mind are taken for one, which has the answers of any of them.
    """

    def __init__(self, began: int, last: "tuple[Memory, int, Any] | None" = None) -> None:
        self.began, self.last = began, last
        self.then: dict[Any, Memory] = {}
        self.next: Any = None  # what it wants, or how it has ended
        self.mind: Any = None

    def told(self, time: int, answer: Any) -> "Memory":
        return Memory(self.began, (self, time, answer))

    def dawdled(self, time: int) -> "Memory":
        """It decides later on what it was told."""
        before, _, answer = self.last
        return before.told(time, answer)

    @property
    def answers(self) -> list[tuple[int, Any]]:
        return [*self.last[0].answers, self.last[1:]] if self.last else []


@dataclass(frozen=True)
class Scenario:
    plans: tuple[Plan, ...]
    max: int = 2
    unsolved: int = 0  # slots that are open to who does not solve the challenge
    ceiling: int = 0
    spread: int = 0
    kind: str = "atomic"  # or single: each key by itself, and tokens only by reading; or guarded
    rule: Rule = FIXED
    ticks: tuple[int, ...] = ()  # what time may pass, in this order
    resets: int = 0
    crashes: int = 0
    losses: int = 0  # commands that are sent twice, their first reply lost
    outages: int = 0  # operations that raise, done or not
    seeded: tuple[str, ...] = ()  # tags of the failures on record at the start
    aliases: bool = False  # each counter in a cache of its own
    fail_open: bool = False  # guesses pass when a store is down

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """Of each key; that of the ceiling, if there is one, is C."""
        wide = self.rule._replace(max=self.ceiling or self.max, spread=self.spread)
        own = self.rule._replace(max=self.max, spread=0 if self.ceiling else self.spread, unsolved=self.unsolved)
        keys = {plan.key: own for plan in self.plans}
        return {"C": wide, **keys} if self.ceiling else keys

    def keys(self, number: int) -> tuple[str, ...]:
        """Of a guess."""
        return tuple(key for key in self.rules if key in ("C", self.plans[number].key))

    @property
    def calm(self) -> bool:
        """Nothing happens but guesses; and commands that are sent twice."""
        resets = self.resets or any(plan.what == "reset" for plan in self.plans)
        return not (self.ticks or resets or self.crashes or self.outages)


class FakeStore:
    """The store that one guess sees: asks for an answer at each operation."""

    def __init__(self, scenario: Scenario, alias: str, ask: Callable[[Any], Any], clock: Callable[[], int]) -> None:
        self.scenario, self.alias, self._ask, self._clock = scenario, alias, ask, clock
        self.clock = clock if scenario.kind == "atomic" else None

    def ask(self, operation: Any) -> Any:
        answer = self._ask(operation)
        if answer == DEAD:
            raise StoreError(self.alias, OSError(DEAD))
        return answer

    def batches(self, keys: list[str]) -> list[list[str]]:
        return [[key] for key in keys] if self.scenario.kind == "single" else [keys]

    def read(self, keys: list[str]) -> Reading:
        return Reading(self.ask(Read(tuple(keys))), self._clock)

    def swap(self, changes: list[Change], now: int) -> Swapped:
        swap = Swap(tuple(changes), now)
        if self.scenario.kind == "guarded":
            self.ask(Guard(True, swap))
        swapped = self.ask(swap)
        if self.scenario.kind == "guarded":
            self.ask(Guard(False, swapped))
        if self.scenario.kind == "single" and not swapped.won:  # a reply says no more than that
            swapped = swapped._replace(found=self.ask(Read(tuple(change.key for change in changes))))
        return swapped


def occupancy(number: int) -> str:
    return f"{number:0{OCCUPANCY}x}"


def name_of(tag: str) -> str:
    return tag[:WHO]


class Life:
    """A guess, run on the answers that it had; its clock stands still between them."""

    current: "Life"

    def __init__(self, scenario: Scenario, number: int, memory: Memory) -> None:
        self.scenario, self.number, self.plan = scenario, number, scenario.plans[number]
        self.answers, self.time = iter(memory.answers), memory.began
        self.phase, self.since = "claim", memory.began
        self.seats = [self.seat(key, scenario.rules[key]) for key in scenario.keys(number)]
        stores: dict[str, list[Seat]] = {}
        for seat in self.seats:
            stores.setdefault(seat.counter.key if scenario.aliases else "default", []).append(seat)
        self.books = [Book(FakeStore(scenario, alias, self.ask, self.clock), held) for alias, held in stores.items()]

    def seat(self, key: str, rule: Rule) -> Seat:
        terms = SimpleNamespace(scope="s", cache="default", patience=self.plan.patience, enforce=True)
        seat = Seat(SimpleNamespace(key=key, rule=rule, terms=terms))
        seat.slot = Slot(False, 0, self.occupancy, name_of(self.plan.tag), self.plan.tag)
        return seat

    def clock(self) -> int:
        return self.time

    def ask(self, operation: Any) -> Any:
        told = next(self.answers, None)
        if told is None:
            raise Asking(operation)
        self.time, answer = told
        return answer

    def enter(self, phase: str) -> None:
        self.phase, self.since = phase, self.time

    def run(self, memory: Memory) -> None:
        """Find out what it wants next, or how it has ended; and all that matters to what it will do then."""
        Life.current = self
        try:
            memory.next = self.live()
        except Asking as asking:
            memory.next = asking.operation
        wanted = "waits" if isinstance(memory.next, Wait) else memory.next
        known = tuple((seat.found, seat.taken, seat.solved) for seat in self.seats)
        books = tuple((book.store.alias, book._unchanged) for book in self.books)
        times = (memory.began, self.since, self.time) if self.scenario.ticks else ()
        memory.mind = self.number, wanted, self.phase, known, books, times

    def live(self) -> Done:
        try:
            return self.reset() if self.plan.what == "reset" else self.guess()
        except StoreError:
            return Done("unsettled" if self.phase == "settle" else "dead")

    def reset(self) -> Done:
        settle(self.books, lambda seat, now: moves.reset(), all_seats=True)
        return Done("reset")

    def guess(self) -> Done:
        if self.plan.early:
            if self.without_outage(lambda: look(self.books)):
                return Done("refused")
            self.ask(Gap("body"))
        elif self.scenario.ticks:
            self.ask(Gap("arrival"))
        claim = Claim(self.books, frozenset())
        while isinstance(came := self.without_outage(lambda: self.step(claim)), Wait):
            self.enter("waited")
            self.ask(came)
        if came:
            return Done("refused")
        if self.plan.what == "undone":
            self.enter("undo")
            claim.release(claim.books)
            return Done("undone")
        self.ask(Gap("secret"))
        self.enter("settle")
        settled = settle(self.books, self.verdict)
        told = [one.seat.counter.key for one in settled if one.after.locked and one.after.reference == self.reference]
        return Done(self.plan.what, tuple(told))

    def step(self, claim: Claim) -> Any:
        """As attempts/claiming.py does it."""
        came = claim.step()
        while self.plan.solves and claim.refused and claim.refused.refusal.unsolved:
            claim.solve(claim.refused.seat.counter.terms)
            came = claim.step()
        return came

    def without_outage(self, step: Callable[[], Any]) -> Any:
        """Either nobody asks that store again, or the slots in the others are given back. Raises StoreError."""
        while True:
            try:
                return step()
            except StoreError as error:
                self.books[:] = [book for book in self.books if book.store.alias != error.alias]
                if not self.scenario.fail_open:
                    self.enter("dead")
                    settle(
                        self.books, lambda seat, now: moves.release(seat.record, seat.counter.rule, now, self.occupancy)
                    )
                    raise

    @property
    def occupancy(self) -> str:
        return occupancy(self.number)

    @property
    def reference(self) -> str:
        return f"ref{self.number}"

    def verdict(self, seat: Seat, now: int) -> Record:
        if self.plan.what == "right":
            return moves.succeed(seat.record, seat.counter.rule, now, self.occupancy, self.plan.tag)
        return moves.fail(seat.record, seat.counter.rule, now, seat.slot, self.reference)


class StandIn:
    """Instead of the modules that the driver asks for the time and for chance."""

    @staticmethod
    def monotonic() -> float:
        return Life.current.time / 1000

    @staticmethod
    def uniform(low: float, high: float) -> float:
        return high


def signed(record: Record, stamp: str) -> str:
    """As `spell`, but the same record by the same guess is the same text."""
    return spell(record, f"{Life.current.number:0{STAMP}x}")


@contextmanager
def standing_in() -> Iterator[None]:
    with mock.patch.multiple(driver, time=StandIn, random=StandIn), mock.patch.object(seats, "spell", signed):
        yield

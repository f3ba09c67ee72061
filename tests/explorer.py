"""Steps guesses through every possible interleaving of their store operations, and checks the rules at each step.

The driver is the real one. What a guess does next follows from what it was told so far, its *memory*: it is run again
from its beginning with the answers that it had, and where they end it says what it wants of the store, by `Asking`. A
world is the store, its clock and the memories of its guesses. Worlds that were seen before are not entered twice, so
the search is exhaustive and ends.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

from lockout_decorators.attempts import driver, seats
from lockout_decorators.attempts.driver import Claim, look, settle
from lockout_decorators.attempts.seats import Book, Seat
from lockout_decorators.attempts.waiting import Wait
from lockout_decorators.exceptions import StoreError
from lockout_decorators.records import moves
from lockout_decorators.records.record import EMPTY, OCCUPANCY, STAMP, UNTAGGED, Record, Slot, parse, spell
from lockout_decorators.records.rule import Rule
from lockout_decorators.stores import UNKNOWN, Change, Found, Reading, Swapped

NOW = 1_800_000_000_000
WINDOW, LOCK = 300_000, 600_000
DRIFT = 2_000  # a decision older than this loses
GUARD = 2_000  # how long a guard outlives whoever set it
BOB, EVE = "b0bb0bb0", "e7ee7ee7"  # tags


class Plan(NamedTuple):
    """What one guess is going to do."""

    tag: str = UNTAGGED
    right: bool = False
    early: bool = False  # looks before it claims
    undo: bool = False  # gives its slot back, since nobody was asked
    patience: float = 1e9


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
    """Nothing of the store: the body of the request is read (early), or the secret verified."""

    what: str


class Done(NamedTuple):
    """How a guess ended: right, wrong, refused, undone, crashed, dead (no store), unsettled; and the locks it tells of."""

    how: str
    told: tuple[str, ...] = ()


class Asking(BaseException):
    """The answers are used up."""

    def __init__(self, operation: Any) -> None:
        self.operation = operation


DEAD = "the store does not answer"


class Memory:
    """All that a guess knows: when it began, and the answers it had, each with the time at which it thinks about it.

    Those that have led to the same state of mind are one (see `World.proceed`), with the answers of any of them.
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
    ceiling: int = 0
    kind: str = "atomic"  # or single: each key by itself, and tokens only by reading; or guarded
    rule: Rule = Rule(2, WINDOW, (LOCK,))
    ticks: tuple[int, ...] = ()  # what time may pass, in this order
    resets: int = 0
    crashes: int = 0
    losses: int = 0  # commands that are sent twice, their first reply lost
    outages: int = 0  # operations that raise, done or not
    seeded: tuple[str, ...] = ()  # tags of the failures on record at the start
    aliases: bool = False  # each counter in a cache of its own

    @property
    def rules(self) -> dict[str, Rule]:
        """Of each key."""
        key = {"K": self.rule._replace(max=self.max)}
        return {"C": self.rule._replace(max=self.ceiling), **key} if self.ceiling else key

    @property
    def calm(self) -> bool:
        """Nothing happens but guesses; and commands that are sent twice."""
        return not (self.ticks or self.resets or self.crashes or self.outages)


class FakeStore:
    """The store that one guess sees: asks for an answer at each operation."""

    def __init__(self, scenario: Scenario, alias: str, ask: Callable[[Any], Any], clock: Callable[[], int]) -> None:
        self.scenario, self.alias, self._ask, self.clock = scenario, alias, ask, clock

    def ask(self, operation: Any) -> Any:
        answer = self._ask(operation)
        if answer == DEAD:
            raise StoreError(self.alias, OSError(DEAD))
        return answer

    def batches(self, keys: list[str]) -> list[list[str]]:
        return [[key] for key in keys] if self.scenario.kind == "single" else [keys]

    def read(self, keys: list[str]) -> Reading:
        return Reading(self.ask(Read(tuple(keys))), self.clock)

    def swap(self, changes: list[Change], now: int) -> Swapped:
        swap = Swap(tuple(changes), now)
        if self.scenario.kind == "guarded":
            self.ask(Guard(True, swap))
        swapped = self.ask(swap)
        if self.scenario.kind == "guarded":
            self.ask(Guard(False, swapped))
        return swapped


def occupancy(number: int) -> str:
    return f"{number:0{OCCUPANCY}x}"


class Life:
    """A guess, run on the answers that it had; its clock stands still between them."""

    current: "Life"

    def __init__(self, scenario: Scenario, number: int, memory: Memory) -> None:
        self.scenario, self.number, self.plan = scenario, number, scenario.plans[number]
        self.answers, self.time = iter(memory.answers), memory.began
        self.phase, self.since = "claim", memory.began
        self.seats = [self.seat(key, rule) for key, rule in scenario.rules.items()]
        stores: dict[str, list[Seat]] = {}
        for seat in self.seats:
            stores.setdefault(seat.counter.key if scenario.aliases else "default", []).append(seat)
        self.books = [Book(FakeStore(scenario, alias, self.ask, self.clock), held) for alias, held in stores.items()]

    def seat(self, key: str, rule: Rule) -> Seat:
        terms = SimpleNamespace(patience=self.plan.patience, enforce=True)
        seat = Seat(SimpleNamespace(key=key, rule=rule, terms=terms))
        seat.slot = Slot(False, 0, occupancy(self.number), tag=self.plan.tag)
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
            try:
                memory.next = self.live()
            except StoreError as error:
                memory.next = self.end(error)
        except StoreError:
            memory.next = Done("dead")
        except Asking as asking:
            memory.next = asking.operation
        waits = isinstance(memory.next, Wait)
        known = tuple((seat.found, seat.taken) for seat in self.seats)
        silent = tuple(book._unchanged for book in self.books)
        times = (memory.began, self.since, self.time) if self.scenario.ticks else ()
        memory.mind = self.number, "waits" if waits else memory.next, self.phase, known, silent, times

    def end(self, error: StoreError) -> Done:
        """What the guess does about an outage: gives its slots in other caches back."""
        if self.phase == "settle":
            return Done("unsettled")
        self.enter("dead")
        well = [book for book in self.books if book.store.alias != error.alias]
        settle(well, lambda seat, now: moves.succeed(seat.record, seat.counter.rule, now, seat.slot.occupancy))
        return Done("dead")

    def live(self) -> Done:
        if self.plan.early:
            if look(self.books):
                return Done("refused")
            self.ask(Gap("body"))
        claim = Claim(self.books, frozenset())
        while isinstance(came := claim.step(), Wait):
            self.enter("waited")
            self.ask(came)
        if came:
            return Done("refused")
        if self.plan.undo:
            self.enter("undo")
            claim.release()
            return Done("undone")
        self.ask(Gap("secret"))
        self.enter("settle")
        settled = settle(self.books, self.verdict)
        told = [one.seat.counter.key for one in settled if one.after.locked and one.after.reference == self.reference]
        return Done("right" if self.plan.right else "wrong", tuple(told))

    @property
    def reference(self) -> str:
        return f"ref{self.number}"

    def verdict(self, seat: Seat, now: int) -> Record:
        if self.plan.right:
            return moves.succeed(seat.record, seat.counter.rule, now, seat.slot.occupancy, seat.slot.tag)
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


@dataclass
class World:
    scenario: Scenario
    time: int
    entries: dict[str, tuple[str, float]]  # text and end
    guesses: tuple[Memory | Done, ...]
    left: tuple[int, ...]  # ticks, resets, crashes, losses, outages
    minds: dict[Any, Memory]  # all states of mind that were met
    asleep: frozenset[int] = frozenset()
    unseen: frozenset[int] = frozenset()  # guesses that have not looked since the last change
    lost: frozenset[int] = frozenset()  # guesses whose swap was made, but they will hear of the second one only
    guard: tuple[int, int] | None = None  # who holds it, until when
    # The ghost of the rules: what really happened
    windows: tuple[tuple[str, int], ...] = ()  # how many windows have opened under each key
    counted: frozenset[tuple[str, int, int]] = frozenset()  # key, window, guess: verified, and wrong or undecided
    places: frozenset[tuple[str, int, int]] = frozenset()  # key, window, guess: slots that were taken
    verified: tuple[tuple[int, int], ...] = ()  # guess, and when
    in_time: frozenset[tuple[str, int]] = frozenset()  # key and guess: failures that had a slot until they were entered
    died: frozenset[str] = frozenset()  # keys of operations that raised
    locks: frozenset[tuple[str, str]] = frozenset()  # key and reference of all that were written

    @classmethod
    def begin(cls, scenario: Scenario) -> "World":
        births = tuple(Memory(NOW) for _ in scenario.plans)
        left = (len(scenario.ticks), scenario.resets, scenario.crashes, scenario.losses, scenario.outages)
        world = cls(scenario, NOW, {}, births, left, {})
        for key, rule in scenario.rules.items() if scenario.seeded else ():
            slots = tuple(Slot(True, NOW - 1, f"{n:0{OCCUPANCY}d}"[::-1], tag=t) for n, t in enumerate(scenario.seeded, 1))
            world.entries[key] = spell(Record(0 if rule.rolling else NOW - 1 + WINDOW, slots=slots), "f" * STAMP), 1e15
            world.counted |= {(key, 0, -1 - n) for n in range(len(slots))}
        return world

    def copy(self) -> "World":
        world = object.__new__(World)
        world.__dict__.update(self.__dict__, entries=dict(self.entries))
        return world

    def key(self) -> Any:
        values = self.__dict__.copy()
        values["entries"] = tuple((key, self.text(key)) for key in self.scenario.rules)
        del values["scenario"], values["minds"]
        return tuple(values.values())

    def text(self, key: str) -> str | None:
        text, end = self.entries.get(key, (None, 0))
        return text if end > self.time else None

    def record(self, key: str) -> Record:
        """As it stands, unpruned."""
        text = self.text(key)
        return EMPTY if text is None else parse(text)

    def wants(self, number: int) -> Any:
        guess = self.guesses[number]
        if isinstance(guess, Memory) and guess.next is None:
            Life(self.scenario, number, guess).run(guess)
        return guess.next if isinstance(guess, Memory) else None

    def going(self) -> list[int]:
        return [number for number, guess in enumerate(self.guesses) if isinstance(guess, Memory)]

    def began(self, number: int) -> bool:
        return isinstance(self.guesses[number], Done) or self.guesses[number].last is not None

    def awake(self) -> Iterator[int]:
        """Who can do something; of guesses that are alike, the first one begins first."""
        for number in self.going():
            unborn = number > 0 and not self.began(number) and not self.began(number - 1)
            unborn = unborn and self.scenario.plans[number - 1] == self.scenario.plans[number]
            guarded = self.guard and self.guard[0] != number and self.guard[1] > self.time and isinstance(self.wants(number), Guard)
            if number not in self.asleep and not unborn and not guarded:
                yield number

    def successors(self) -> "Iterator[tuple[Any, World]]":
        ticks, resets, crashes, losses, outages = self.left
        awake = list(self.awake())
        for number in awake:
            yield self.after(None, World.step, number)
            swaps = isinstance(self.wants(number), Swap)
            if losses and swaps and number not in self.lost and self.scenario.kind != "guarded":
                yield self.after(3, World.lose, number)
            if outages and isinstance(self.wants(number), Swap | Read):
                yield self.after(4, World.die, number)
            if outages and swaps:
                yield self.after(4, World.die, number, True)
            if crashes and self.guesses[number].last:
                yield self.after(2, World.crash, number)
        if resets and self.going():
            for keys in {tuple(self.scenario.rules), *((key,) for key in self.scenario.rules)}:
                yield self.after(1, World.reset, keys)
        if ticks and self.going() and not (self.guard and self.guard[0] in self.going()):
            thinking = [number for number in self.going() if isinstance(self.wants(number), Swap)]
            for late in product((False, True), repeat=len(thinking)):
                yield self.after(0, World.tick, tuple(number for number, is_late in zip(thinking, late) if is_late))

    def after(self, which: int | None, event: Callable[..., None], *arguments: Any) -> "tuple[Any, World]":
        world = self.copy()
        world.left = tuple(n - (i == which) for i, n in enumerate(self.left))
        event(world, *arguments)
        return (event.__name__, *arguments), world

    # Events

    def tick(self, dawdling: tuple[int, ...]) -> None:
        self.time += self.scenario.ticks[-self.left[0] - 1]
        for number in dawdling:
            self.become(number, self.known(number, self.guesses[number].dawdled(self.time)))
        self.changed()

    def reset(self, keys: tuple[str, ...]) -> None:
        self.entries = {key: entry for key, entry in self.entries.items() if key not in keys}
        self.changed()

    def crash(self, number: int) -> None:
        self.become(number, Done("crashed"))

    def lose(self, number: int) -> None:
        self.swap(number, self.wants(number))
        self.lost |= {number}

    def die(self, number: int, done: bool = False) -> None:
        wanted = self.wants(number)
        if done:
            self.swap(number, wanted)
        self.died |= set(wanted.keys) if isinstance(wanted, Read) else {change.key for change in wanted.changes}
        self.proceed(number, DEAD)

    # Steps

    def become(self, number: int, guess: Memory | Done) -> None:
        self.guesses = (*self.guesses[:number], guess, *self.guesses[number + 1 :])

    def changed(self) -> None:
        self.asleep = frozenset()
        self.unseen = frozenset(range(len(self.guesses)))

    def step(self, number: int) -> None:
        """One operation, and what the guess then does on its own: that meets nobody, whenever it is."""
        if self.guesses[number].last is None:
            self.become(number, self.known(number, Memory(self.time)))
        answer: Any = None
        match self.wants(number):
            case Read(keys):
                self.unseen -= {number}
                answer = tuple(Found(self.text(key), self.text(key)) for key in keys)
            case Swap() as swap:
                answer = self.swap(number, swap)
                self.lost -= {number}
            case Guard(held, _):
                self.guard = (number, self.time + GUARD) if held else None
            case Gap("secret"):
                self.verify(number)
        self.proceed(number, answer)

    def known(self, number: int, memory: Memory) -> Memory:
        """The memory that stands for all of the same state of mind."""
        Life(self.scenario, number, memory).run(memory)
        return self.minds.setdefault(memory.mind, memory)

    def proceed(self, number: int, answer: Any) -> None:
        memory = self.guesses[number]
        if (self.time, answer) not in memory.then:
            memory.then[self.time, answer] = self.known(number, memory.told(self.time, answer))
        self.become(number, memory.then[self.time, answer])
        wanted = self.wants(number)
        if isinstance(wanted, Done):
            self.become(number, wanted)
        elif isinstance(wanted, Wait) and number not in self.unseen:
            self.asleep |= {number}
        elif isinstance(wanted, Gap) and not self.scenario.ticks:
            self.step(number)  # only time could come between

    def swap(self, number: int, swap: Swap) -> Swapped:
        stale = abs(self.time - swap.now) > DRIFT
        if stale or any(self.text(change.key) != change.token for change in swap.changes):
            return Swapped(False, tuple(Found(self.text(c.key), self.text(c.key)) for c in swap.changes), stale=stale)
        for change in swap.changes:
            self.write(number, change, swap.now)
        token = (lambda text: UNKNOWN) if self.scenario.kind == "single" else (lambda text: text)
        return Swapped(True, tuple(Found(change.text, change.text and token(change.text)) for change in swap.changes))

    # The rules

    def verify(self, number: int) -> None:
        """The password is checked: what everything is about."""
        self.verified += ((number, self.time),)
        for key, rule in self.scenario.rules.items():
            window = max((window for k, window, guess in self.places if (k, guess) == (key, number)), default=None)
            assert window is not None, "verified without a slot"
            self.counted |= {(key, window, number)}
            outstanding = sum(1 for k, w, _ in self.counted if (k, w) == (key, window))
            assert rule.rolling or outstanding <= rule.max, "more than max wrong or undecided guesses in a window"

    def write(self, number: int, change: Change, now: int) -> None:
        key, rule = change.key, self.scenario.rules[change.key]
        before, after = self.record(key), EMPTY if change.text is None else parse(change.text)
        standing = moves.prune(before, rule, now)
        self.lock(number, key, rule, standing, after)
        self.slots(number, key, rule, standing, after)
        self.entries.pop(key, None)
        if change.text is not None:
            end = moves.lasts_until(after, rule)
            assert end > now, "a record whose end has passed"
            assert after != EMPTY, "an entry for nothing"
            self.entries[key] = change.text, self.time + 1000 * (1e12 if change.life is None else change.life)
            assert self.entries[key][1] >= end + DRIFT, "an entry that ends before its record"
        self.changed()

    def lock(self, number: int, key: str, rule: Rule, standing: Record, after: Record) -> None:
        if standing.locked:
            assert standing[1:5] == after[1:5], "a lock was lost, or changed"
        elif after.locked:
            failures = standing.failures + 1
            assert failures >= rule.max, "a lock before max failures"
            assert not self.scenario.plans[number].right, "a right guess has locked"
            assert number in dict(self.verified), "a lock by a guess that was not made"
            assert self.scenario.resets or (key, after.reference) not in self.locks, "the same lock twice"
            self.locks |= {(key, after.reference)}

    def slots(self, number: int, key: str, rule: Rule, standing: Record, after: Record) -> None:
        plan, own = self.scenario.plans[number], occupancy(number)
        locks = after.locked and not standing.locked and not rule.rolling
        old, new = ({slot.occupancy: slot for slot in record.slots} for record in (standing, after))
        if not (standing.window or standing.slots) and new:
            opened = dict(self.windows).get(key, 0) + 1
            self.windows = tuple(sorted({**dict(self.windows), key: opened}.items()))
        window = dict(self.windows).get(key, 0)
        for gone in old.keys() - new.keys() - {own}:
            proven = plan.right and old[gone].failed and old[gone].tag == plan.tag != UNTAGGED
            assert locks or proven, "took the slot of another guess"
            if proven:
                self.counted -= {(key, window, int(gone, 16)), (key, window, -int(gone[::-1]))}
        if own in old and own not in new and not locks:
            assert plan.right or plan.undo or number not in dict(self.verified), "a failure was lost"
            self.counted = frozenset(one for one in self.counted if (one[0], one[2]) != (key, number))
        for other in new.keys() - {own}:
            assert old.get(other) == new[other], "wrote the slot of another guess"
        if own in new:
            assert not (new[own].failed and plan.right), "a right guess was counted as failed"
            assert not new[own].failed or number in dict(self.verified), "a failure without a guess"
            self.places |= {(key, window, number)}
            if new[own].failed and own in old:
                self.in_time |= {(key, number)}


@contextmanager
def standing_in() -> Iterator[None]:
    with mock.patch.multiple(driver, time=StandIn, random=StandIn), mock.patch.object(seats, "spell", signed):
        yield


def explore(scenario: Scenario, at_the_end: Callable[[World], None]) -> tuple[int, int]:
    """Visit every world; call `at_the_end` in each final one. Returns how many worlds, and how many final ones."""
    seen: set[Any] = set()
    trail: list[Any] = []
    ends = 0
    todo: list[tuple[int, Any, World]] = [(0, None, World.begin(scenario))]
    try:
        with standing_in():
            while todo:
                depth, name, world = todo.pop()
                trail[depth:] = [name]
                if (state := hash(world.key())) in seen:
                    continue
                seen.add(state)
                successors = list(world.successors())
                todo += [(depth + 1, name, successor) for name, successor in successors]
                if not successors:
                    ends += 1
                    at_the_end(world)
    except AssertionError as error:
        error.add_note(f"{scenario} after {trail}")
        raise
    return len(seen), ends

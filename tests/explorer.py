"""Steps guesses through every possible interleaving of their store operations, and checks the rules at each step.

A world is a store, its clock and the memories of its guesses (see tests/lives.py). Worlds that were seen before are
not entered twice, so the search is exhaustive and ends.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress, product
from math import inf
from typing import Any

from lockout_decorators.attempts.waiting import Wait
from lockout_decorators.records import moves
from lockout_decorators.records.record import EMPTY, STAMP, Record, Slot, parse, spell
from lockout_decorators.records.rule import Rule
from lockout_decorators.stores import UNKNOWN, Change, Found, Swapped
from tests.lives import (
    DEAD,
    WINDOW,
    Done,
    Gap,
    Guard,
    Life,
    Memory,
    Read,
    Scenario,
    Swap,
    name_of,
    occupancy,
    standing_in,
)
from tests.sizes import untraced

NOW = 1_800_000_000_000
DRIFT = 2_000  # a decision older than this loses
GUARD = 2_000  # how long a guard outlives whoever set it
SEEDS = 100  # the number of the first failure that is on record at the start

parsed = lru_cache(1 << 16)(parse)


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
    verified: frozenset[tuple[int, int]] = frozenset()  # guess, and when
    in_time: frozenset[tuple[str, int]] = frozenset()  # key and guess: failures that had a slot until they were entered
    died: frozenset[str] = frozenset()  # keys of operations that raised
    locks: frozenset[tuple[str, str]] = frozenset()  # key and reference of all that were written

    @classmethod
    def begin(cls, scenario: Scenario) -> "World":
        births = tuple(Memory(NOW) for _ in scenario.plans)
        left = (len(scenario.ticks), scenario.resets, scenario.crashes, scenario.losses, scenario.outages)
        world = cls(scenario, NOW, {}, births, left, {})
        for key, rule in scenario.rules.items() if scenario.seeded else ():
            seeds = enumerate(scenario.seeded, SEEDS)
            slots = tuple(Slot(True, NOW - 1, occupancy(n), name_of(tag), tag) for n, tag in seeds)
            world.entries[key] = spell(Record(0 if rule.rolling else NOW - 1 + WINDOW, slots=slots), "f" * STAMP), 1e15
            world.counted |= {(key, 0, SEEDS + n) for n in range(len(slots))}
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
        return EMPTY if text is None else parsed(text)

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
            guarded = (
                self.guard
                and self.guard[0] != number
                and self.guard[1] > self.time
                and isinstance(self.wants(number), Guard)
            )
            if number not in self.asleep and not unborn and not guarded:
                yield number

    def successors(self) -> "Iterator[tuple[Any, World]]":
        ticks, resets, crashes, losses, outages = self.left
        awake = list(self.awake())
        for number in awake:
            yield self.after(None, World.step, number)
            swaps = isinstance(self.wants(number), Swap)
            if losses and swaps and number not in self.lost:
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
            for late in product((None, True), repeat=len(thinking)):
                yield self.after(0, World.tick, tuple(compress(thinking, late)))

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
                if keys == self.scenario.keys(number)[: 1 if self.scenario.aliases else None]:  # a look at all begins
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
        self.verified |= {(number, self.time)}
        for key in self.scenario.keys(number):
            rule = self.scenario.rules[key]
            window = max((window for k, window, guess in self.places if (k, guess) == (key, number)), default=None)
            if window is None and self.scenario.fail_open and key in self.died:
                continue
            assert window is not None, "verified without a slot"
            self.counted |= {(key, window, number)}
            outstanding = [guess for k, w, guess in self.counted if (k, w) == (key, window)]
            assert rule.rolling or len(outstanding) <= rule.max, "more than max wrong or undecided guesses in a window"
            unsolved = [guess for guess in outstanding if not self.solved(guess)]
            assert not rule.unsolved or len(unsolved) <= rule.unsolved, "more than the first slots without a solution"
            names = {self.name(guess) for guess in outstanding}
            assert rule.rolling or not rule.spread or len(names) <= rule.spread, "at more names than the spread allows"

    def solved(self, number: int) -> bool:
        return number < SEEDS and self.scenario.plans[number].solves

    def name(self, number: int) -> str:
        return name_of(self.scenario.seeded[number - SEEDS] if number >= SEEDS else self.scenario.plans[number].tag)

    def free(self, key: str, number: int) -> None:
        self.counted = frozenset(one for one in self.counted if (one[0], one[2]) != (key, number))

    def write(self, number: int, change: Change, now: int) -> None:
        key, rule = change.key, self.scenario.rules[change.key]
        before, after = self.record(key), EMPTY if change.text is None else parsed(change.text)
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
            reset = self.scenario.plans[number].what == "reset" and after == EMPTY
            assert reset or standing[1:5] == after[1:5], "a lock was lost, or changed"
        elif after.locked:
            names = {slot.who for slot in standing.slots if slot.failed}
            wide = rule.spread and self.name(number) not in names and len(names) + 1 >= rule.spread
            assert wide or standing.failures + 1 >= rule.max, "a lock before max failures"
            assert self.scenario.plans[number].what == "wrong", "locked by what is no failure"
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
            proven = plan.what == "right" and old[gone].failed and old[gone].tag == plan.tag
            assert locks or proven or plan.what == "reset", "took the slot of another guess"
            if not locks:
                self.free(key, int(gone, 16))
        if own in old and own not in new and not locks:
            assert plan.what != "wrong" or number not in dict(self.verified), "a failure was lost"
            self.free(key, number)
        for other in new.keys() - {own}:
            assert old.get(other) == new[other], "wrote the slot of another guess"
        if own in new:
            assert not new[own].failed or plan.what == "wrong", "counted as failed, though it was right"
            assert not new[own].failed or number in dict(self.verified), "a failure without a guess"
            self.places |= {(key, window, number)}
            if new[own].failed and own in old:
                self.in_time |= {(key, number)}


@untraced
def explore(scenario: Scenario, at_the_end: Callable[[World], None], most: float = inf) -> tuple[int, int]:
    """Visit every world, or `most`; call `at_the_end` in each final one. Returns how many worlds, and how many final
    ones."""
    seen: set[Any] = set()
    trail: list[Any] = []
    ends = 0
    todo: list[tuple[int, Any, World]] = [(0, None, World.begin(scenario))]
    try:
        with standing_in():
            while todo and len(seen) < most:
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

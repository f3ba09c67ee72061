"""Steps guesses through every possible interleaving against a model cache, and checks the rules at each step.

What a guess does next follows from what it was told so far, its *memory*; a world is its cache, its clock and the
memories of its guesses. Worlds that were seen before are not entered twice, so the search is exhaustive and ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from lockout_decorators.entries import Add, Claim, Counter, Delete, Read, Refused, Sleep, Steps, Write
from lockout_decorators.slots import MARGIN, Slots, SilentStoreError

WINDOW, LOCKOUT = 300, 600
NAMES = "abcdef"


class Verify(NamedTuple):
    """The password is checked: the step that everything is about."""

    claim: Claim


class Done(NamedTuple):
    """How a guess ended: right, wrong, locked, busy, released or crashed; and the locks it announced."""

    how: str
    announced: tuple[str, ...] = ()


class Plan(NamedTuple):
    """What one guess is going to do."""

    tag: str
    right: bool = False
    patience: float = 10**6
    release: bool = False


class Memory(NamedTuple):
    """All that a guess knows: when it began, how many names it had drawn, and the answers since (with their time)."""

    began: float
    drawn: int = 0
    answers: tuple[tuple[float, Any], ...] = ()


@dataclass(frozen=True)
class Scenario:
    plans: tuple[Plan, ...]
    max: int = 2
    ceiling: int = 0
    expiries: int = 0  # how often the window may end
    resets: int = 0
    crashes: int = 0
    pauses: int = 0  # how often the world may stand still for longer than MARGIN
    torn: bool = False  # readings of several keys are not snapshots
    seeded: tuple[str, ...] = ()  # tags of the failures on record at the start

    @property
    def counters(self) -> tuple[Counter, ...]:
        key = Counter("K", self.max, WINDOW, LOCKOUT)
        return (Counter("C", self.ceiling, WINDOW, LOCKOUT), key) if self.ceiling else (key,)

    @property
    def calm(self) -> bool:
        return not (self.expiries or self.resets or self.crashes or self.pauses)


def course(plan: Plan, slots: Slots) -> Steps[Done]:
    """The life of a guess."""
    try:
        claim = yield from slots.claim(plan.tag, plan.patience)
    except SilentStoreError:
        return Done("outage")
    if isinstance(claim, Refused):
        return Done("locked" if claim.view.locked else "busy", tuple(view.counter.key for view in claim.fallen))
    if plan.release:
        yield from slots.release(claim)
        return Done("released")
    yield Verify(claim)
    if plan.right:
        yield from slots.succeed(claim, plan.tag)
        return Done("right")
    _, fallen = yield from slots.fail(claim, plan.tag)
    return Done("wrong", tuple(view.counter.key for view in fallen))


@lru_cache(maxsize=200_000)
def resume(scenario: Scenario, number: int, memory: Memory) -> tuple[Any, int]:
    """The next operation of a guess (or Done), and how many names it has drawn by then."""
    time, drawn = memory.began, memory.drawn

    def token() -> str:
        nonlocal drawn
        drawn += 1
        return f"{NAMES[number]}{drawn}"

    steps = course(scenario.plans[number], Slots(scenario.counters, lambda: time, lambda: time, token))
    try:
        operation = next(steps)
        for at, answer in memory.answers:
            time = at
            operation = steps.send(dict(answer) if isinstance(answer, frozenset) else answer)
    except StopIteration as stop:
        return stop.value, drawn
    return operation, drawn


@dataclass
class World:
    scenario: Scenario
    cache: dict[str, tuple[str, float]]
    time: float
    left: tuple[int, ...]  # expiries, resets, crashes, pauses
    guesses: tuple[Memory | Done, ...]
    asleep: frozenset[int] = frozenset()
    torn: tuple[tuple[tuple[str, str | None], ...], ...] = ()
    # The ghost of the rules: what really happened
    counted: frozenset[tuple[str, int]] = frozenset()  # (generation, guess): verified, and wrong or undecided
    marked: frozenset[tuple[str, int]] = frozenset()  # (slot, guess): slots ever marked failed and not forgiven
    ever: frozenset[str] = frozenset()  # slots ever marked failed
    unseen: frozenset[int] = frozenset()  # guesses that have not read since the cache changed
    locks: frozenset[str] = frozenset()  # counters that were ever locked
    born: dict[str, float] = field(default_factory=dict)  # generations: when they began
    verified: int = 0

    @classmethod
    def begin(cls, scenario: Scenario) -> "World":
        cache, counted, marked = {}, set(), set()
        for counter in scenario.counters if scenario.seeded else ():
            cache[counter.key] = ("window s", float(WINDOW))
            for number, tag in enumerate(scenario.seeded):
                key = counter.entry("s", number)
                cache[key] = (f"s{number} failed {tag}", WINDOW + MARGIN)
                counted.add((f"{counter.key}.s", -1 - number))
                marked.add((key, -1 - number))
        left = (scenario.expiries, scenario.resets, scenario.crashes, scenario.pauses)
        guesses = tuple(Memory(0.0) for _ in scenario.plans)
        torn: tuple[Any, ...] = ((),) * len(guesses)
        return cls(scenario, cache, 0.0, left, guesses, torn=torn, counted=frozenset(counted), marked=frozenset(marked))

    def copy(self) -> "World":
        return replace(self, cache=dict(self.cache))

    def key(self) -> Any:
        cache = frozenset((key, entry) for key, entry in self.cache.items() if entry[1] > self.time)
        return (cache, self.time, self.left, self.guesses, self.asleep, self.torn, self.counted, self.marked, self.ever)

    def going(self) -> list[int]:
        return [number for number, guess in enumerate(self.guesses) if isinstance(guess, Memory)]

    def successors(self) -> "list[tuple[Any, World]]":
        going = self.going()
        actions: list[tuple[Callable[[World], None], Any]] = [
            (lambda world, number=number: world.step(number), ("step", number))
            for number in going
            if number not in self.asleep
        ]
        for which, event in enumerate((World.expire, World.reset, None, World.pause)):
            if going and self.left[which]:
                for number in going if event is None else (0,):
                    actions.append(
                        ((lambda world, number=number: world.crash(number)) if event is None else event, (which, number))
                    )
        found = []
        for act, name in actions:
            world = self.copy()
            if name[0] != "step":
                world.left = tuple(n - (which == name[0]) for which, n in enumerate(self.left))
            act(world)
            found.append((name, world))
        return found

    # Events

    def expire(self) -> None:
        self.time += WINDOW
        self.changed()

    def pause(self) -> None:
        self.time += WINDOW + 2 * MARGIN
        self.changed()

    def reset(self) -> None:
        for counter in self.scenario.counters:
            self.cache.pop(counter.key, None)
        self.changed()

    def crash(self, number: int) -> None:
        self.become(number, Done("crashed"))

    # Steps

    def become(self, number: int, guess: Memory | Done) -> None:
        self.guesses = (*self.guesses[:number], guess, *self.guesses[number + 1 :])

    def changed(self) -> None:
        self.asleep = frozenset()
        self.unseen = frozenset(self.going())

    def step(self, number: int) -> None:
        memory = self.guesses[number]
        assert isinstance(memory, Memory)
        operation, drawn = resume(self.scenario, number, memory)
        answer: Any = None
        match operation:
            case Done():
                self.become(number, operation)
                return
            case Sleep():
                self.become(number, Memory(self.time, drawn))
                if number not in self.unseen:
                    self.asleep |= {number}
                return
            case Read(keys):
                if not self.torn[number]:
                    self.unseen -= {number}
                read = self.torn[number]
                read += tuple((k, self.get(k)) for k in keys[len(read) : len(read) + 1 if self.scenario.torn else None])
                done = len(read) == len(keys)
                self.torn = (*self.torn[:number], () if done else read, *self.torn[number + 1 :])
                if not done:
                    return
                answer = frozenset((key, value) for key, value in read if value is not None)
            case Add(key, value, timeout):
                answer = self.get(key) is None
                if answer:
                    self.put(key, value, timeout)
            case Write(entries, timeout):
                for key, value in entries.items():
                    self.write(number, key, value, timeout)
            case Delete(keys):
                for key in keys:
                    self.delete(number, key)
            case Verify(claim):
                self.verify(number, claim)
        self.become(number, memory._replace(answers=(*memory.answers, (self.time, answer))))

    def get(self, key: str) -> str | None:
        value, expires = self.cache.get(key, (None, 0))
        return value if expires > self.time else None

    def put(self, key: str, value: str, timeout: float | None) -> None:
        assert timeout is not None and timeout > 0, "rule 4: an entry without an end"
        self.cache[key] = (value, self.time + timeout)
        if value.startswith("window"):
            self.born = {**self.born, f"{key}.{value.split()[1]}": self.time}
        self.changed()

    def verify(self, number: int, claim: Claim) -> None:
        self.verified += 1
        for held in claim.held:
            generation = held.counter.entry(held.generation, "")[:-1]
            self.counted |= {(generation, number)}
            outstanding = sum(1 for where, _ in self.counted if where == generation)
            assert outstanding <= held.counter.max, "rule 1: more than max wrong or undecided guesses"

    def write(self, number: int, key: str, value: str, timeout: float | None) -> None:
        if value.startswith("locked"):
            limit = next(counter.max for counter in self.scenario.counters if counter.key == key)
            failures = sum(1 for slot, _ in self.marked if slot.startswith(f"{key}."))
            assert failures >= limit or not self.scenario.calm, "rule 3: a lock before max failures"
            self.locks |= {key}
        else:
            self.marked |= {(key, number)}
            self.ever |= {key}
        self.put(key, value, timeout)

    def delete(self, number: int, key: str) -> None:
        value = self.get(key)
        if value is None:
            return
        generation = key.rpartition(".")[0]
        del self.cache[key]
        self.changed()
        if self.time > self.born.get(generation, 0) + WINDOW + MARGIN:
            return  # nobody can count in this generation any more
        owner = next((guess for slot, guess in self.marked if slot == key), None)
        if owner is None:
            assert value.startswith(NAMES[number]), "rule 8: freed the slot of an undecided guess"
            self.counted -= {(generation, number)}
        else:
            plan = self.scenario.plans[number]
            assert plan.right and value.endswith(f" failed {plan.tag}"), "rule 8: freed what it did not prove"
            self.marked -= {(key, owner)}
            self.counted -= {(generation, owner)}


def explore(scenario: Scenario, at_the_end: Callable[[World], None]) -> tuple[int, int]:
    """Visit every world; call `at_the_end` in each final one. Returns how many worlds, and how many final ones."""
    seen: set[Any] = set()
    trail: list[Any] = []
    ends = 0
    todo: list[tuple[int, Any, World]] = [(0, None, World.begin(scenario))]
    try:
        while todo:
            depth, name, world = todo.pop()
            trail[depth:] = [name]
            if (state := hash(world.key())) in seen:
                continue
            seen.add(state)
            successors = world.successors()
            todo += [(depth + 1, name, successor) for name, successor in successors]
            if not successors:
                ends += 1
                at_the_end(world)
    except AssertionError as error:
        error.add_note(f"{scenario} after {trail}")
        raise
    resume.cache_clear()
    return len(seen), ends

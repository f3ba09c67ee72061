"""Steps guesses through every possible interleaving against a model cache, and checks the rules at each step.

What a guess does next follows from what it was told so far, its *memory*; a world is its cache, its clock and the
memories of its guesses. Worlds that were seen before are not entered twice, so the search is exhaustive and ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lockout_decorators.entries import Claim, Counter, Refused
from lockout_decorators.operations import Add, Delete, Read, Sleep, Steps, Write
from lockout_decorators.slots import MARGIN, SilentStoreError, Slots

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


class Memory:
    """All that a guess knows: when it began, how many names it had drawn, and the answers since (with their time).

    A tree: the same answers are the same object, so that memories are compared, and replayed, once.
    """

    def __init__(self, began: float, drawn: int, answers: tuple[tuple[float, Any], ...] = ()) -> None:
        self.began, self.drawn, self.answers = began, drawn, answers
        self.then: dict[Any, Memory] = {}
        self.next: tuple[Any, int] | None = None

    def told(self, time: float, answer: Any) -> "Memory":
        if (time, answer) not in self.then:
            self.then[time, answer] = Memory(self.began, self.drawn, (*self.answers, (time, answer)))
        return self.then[time, answer]


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


def resume(scenario: Scenario, number: int, memory: Memory) -> tuple[Any, int]:
    """The next operation of a guess (or Done), and how many names it has drawn by then."""
    if memory.next is None:
        memory.next = replay(scenario, number, memory)
    return memory.next


def replay(scenario: Scenario, number: int, memory: Memory) -> tuple[Any, int]:
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
    births: dict[Any, Memory]  # the roots of memories
    asleep: frozenset[int] = frozenset()
    torn: tuple[tuple[tuple[str, str | None], ...], ...] = ()
    # The ghost of the rules: what really happened
    counted: frozenset[tuple[str, int]] = frozenset()  # (generation, guess): verified, and wrong or undecided
    marked: frozenset[tuple[str, int]] = frozenset()  # (slot, guess): slots ever marked failed and not forgiven
    ever: frozenset[str] = frozenset()  # slots ever marked failed
    unseen: frozenset[int] = frozenset()  # guesses that began their round before the cache last changed
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
        guesses = tuple(Memory(0.0, 0) for _ in scenario.plans)
        torn: tuple[Any, ...] = ((),) * len(guesses)
        return cls(
            scenario, cache, 0.0, left, guesses, {}, torn=torn, counted=frozenset(counted), marked=frozenset(marked)
        )

    def copy(self) -> "World":
        world = object.__new__(World)
        world.__dict__.update(self.__dict__, cache=dict(self.cache))
        return world

    def key(self) -> Any:
        cache = frozenset((key, entry) for key, entry in self.cache.items() if entry[1] > self.time)
        return (
            cache,
            self.time,
            self.left,
            self.guesses,
            self.asleep,
            self.unseen,
            self.torn,
            self.counted,
            self.marked,
            self.ever,
        )

    def going(self) -> list[int]:
        return [number for number, guess in enumerate(self.guesses) if isinstance(guess, Memory)]

    def successors(self) -> "list[tuple[Any, World]]":
        going = self.going()
        found = []
        for number in going:
            if number not in self.asleep:
                found.append((("step", number), world := self.copy()))
                world.step(number)
        for which, event in enumerate((World.expire, World.reset, World.crash, World.pause)):
            for number in going if event is World.crash else going[:1]:
                if self.left[which]:
                    found.append(((event.__name__, number), world := self.copy()))
                    world.left = tuple(n - (i == which) for i, n in enumerate(self.left))
                    event(world, number)
        return found

    # Events

    def expire(self, number: int) -> None:
        self.time += WINDOW
        self.changed()

    def pause(self, number: int) -> None:
        self.time += WINDOW + 2 * MARGIN
        self.changed()

    def reset(self, number: int) -> None:
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
        """One operation on the cache, and what the guess then does on its own: that meets nobody, whenever it is."""
        memory = self.guesses[number]
        answer: Any = None
        match resume(self.scenario, number, memory)[0]:
            case Read(keys):
                answer = self.read(number, keys)
                if answer is None:
                    return
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
        self.proceed(number, memory.told(self.time, answer))

    def proceed(self, number: int, memory: Memory) -> None:
        operation, drawn = resume(self.scenario, number, memory)
        if isinstance(operation, Verify):
            self.verify(number, operation.claim)
            self.proceed(number, memory.told(self.time, None))
        elif isinstance(operation, Sleep):
            self.become(number, self.births.setdefault((number, self.time, drawn), Memory(self.time, drawn)))
            if number not in self.unseen:
                self.asleep |= {number}
        else:
            self.become(number, operation if isinstance(operation, Done) else memory)

    def read(self, number: int, keys: tuple[str, ...]) -> frozenset[tuple[str, str]] | None:
        """All at once; or, torn, a key at a time, with None until the last one is there."""
        read = self.torn[number]
        if not read and keys == tuple(counter.key for counter in self.scenario.counters):  # the first look of a round
            self.unseen -= {number}
        read += tuple((key, self.get(key)) for key in keys[len(read) : len(read) + 1 if self.scenario.torn else None])
        done = len(read) == len(keys)
        self.torn = (*self.torn[:number], () if done else read, *self.torn[number + 1 :])
        return frozenset((key, value) for key, value in read if value is not None) if done else None

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
    return len(seen), ends

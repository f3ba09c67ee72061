"""Random schedules of many guesses, over windows, locks, resets and crashes, against a plain model of the rules.

The explorer of test_interleavings.py visits every order of a few guesses; here there are more of them, for longer. The
model knows nothing of the protocol but the names of its entries, and watches what guesses do to the cache.
"""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lockout_decorators.entries import Claim, Counter, Refused
from lockout_decorators.operations import Add, Delete, Read, Sleep, Write
from lockout_decorators.slots import Slots
from tests.sizes import IN_FULL

WINDOW, LOCKOUT = 300, 600
KEPT = WINDOW + 60  # how long slots live
OLD = 30  # the age from which a reading proves nothing
TAGS = ["bob", "bob", "eve", ""]
CLIENTS = ["K", "K", "K", "L"]
GUESSES = st.tuples(st.sampled_from(TAGS), st.booleans(), st.sampled_from([0, 5]), st.integers(0, 9))
TIMES = [1, 29, 31, 31, 61, 269, 301, 361, 601, 2000]


@dataclass(eq=False)
class Guess:
    """One guess, stopped before its next operation; and what the model knows of it."""

    client: str
    tag: str
    right: bool
    steps: Any
    operation: Any = None
    claim: Claim | None = None
    settling: bool = False
    forgives: bool = False  # its reading was young enough when it was settled
    asked: float = 0.0  # when it last asked for a reading
    found: list[tuple[str, str | None]] = field(default_factory=list)  # the part of a reading that it got so far
    known: set[tuple[str, str]] = field(default_factory=set)  # entries it has read or written
    names: set[str] = field(default_factory=set)  # the values it has written itself
    windows: dict[str, str] = field(default_factory=dict)  # the generation it last saw of each counter


@dataclass(eq=False)
class Generation:
    """What really happened in a generation: the guesses verified and not forgiven, by their slots."""

    max: int
    born: float
    counted: dict[str, Guess] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    was_full: bool = False  # at some moment there were `max` failures at once
    announced: int = 0


class Protocol(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.time = 0.0
        self.drawn = 0
        self.cache: dict[str, tuple[str, float]] = {}
        self.going: list[Guess] = []
        self.generations: dict[str, Generation] = {}
        self.unhealed: set[str] = set()  # those in which a guess has crashed that might have had to lock

    @initialize(max=st.integers(1, 4), ceiling=st.integers(0, 4), torn=st.booleans(), endless=st.booleans())
    def configure(self, max, ceiling, torn, endless):
        self.max, self.ceiling, self.torn = max, ceiling, torn
        self.lockout = None if endless else LOCKOUT

    # What may happen

    @rule(client=st.sampled_from(CLIENTS), guesses=st.lists(GUESSES, min_size=1, max_size=4))
    def begin(self, client, guesses):
        """Some guesses come in, one after the other, and each gets some way, perhaps to its end."""
        for tag, right, patience, times in guesses:
            guess = self.come(client, tag, right, patience)
            self.advance(guess, times)

    @rule(client=st.sampled_from(CLIENTS), tag=st.sampled_from(TAGS))
    def fail(self, client, tag):
        """A wrong guess comes in and is through before anybody else moves."""
        self.finish(self.come(client, tag, False))

    @precondition(lambda self: self.going)
    @rule(which=st.integers(0, 7), times=st.integers(1, 6))
    def step(self, which, times):
        """A guess gets a few operations on the cache done."""
        self.advance(self.going[which % len(self.going)], times)

    @precondition(lambda self: self.going)
    @rule(which=st.integers(0, 7))
    def hurry(self, which):
        """A guess gets through, or to its next pause."""
        self.finish(self.going[which % len(self.going)])

    @rule(event=st.sampled_from([*TIMES, "reset", "crash", "crash", "crash", "crash"]), which=st.integers(0, 7))
    def disturb(self, event, which):
        """Nothing moves for a while; or somebody forgets a client; or the process of a guess is killed."""
        if event == "reset":
            for key in next(self.slots(CLIENTS[which % 4]).reset()).keys:
                self.cache.pop(key, None)
        elif event != "crash":
            self.time += event
        elif self.going:
            guess = self.going.pop(which % len(self.going))
            self.unhealed |= {held.key.rpartition(".")[0] for held in (guess.claim.held if guess.claim else ())}

    def teardown(self):
        """No early lock: a guess that is alone is refused only by a lock, or when no slot is free."""
        for guess in [*self.going]:
            self.finish(guess)
        self.going.clear()  # who waits holds nothing
        self.a_full_window_is_locked()
        for client in CLIENTS[-2:]:
            counters = self.slots(client).counters
            locked = any((self.get(counter.key) or "").startswith("locked") for counter in counters)
            taken = any(self.taken(counter) >= counter.max for counter in counters)
            probe = self.come(client, "", True)
            self.finish(probe)
            assert (probe.claim is None) == (locked or taken), "refused without a reason, or let in without a slot"

    # The rules, whenever nobody moves

    @precondition(lambda self: not self.going)
    @invariant()
    def a_full_window_is_locked(self):
        """Rule 3: the failure that completed the maximum has locked, and one guess has announced it."""
        for name, generation in self.generations.items():
            if len(generation.failed) == generation.max and name not in self.unhealed:
                key, _, random = name.rpartition(".")
                assert self.get(key) != f"window {random}", "rule 3: full, and no lock"

    # How guesses move

    def slots(self, client):
        counters = [Counter(client, self.max, WINDOW, self.lockout)]
        if self.ceiling:
            counters.insert(0, Counter("C", self.ceiling, WINDOW, self.lockout))
        return Slots(counters, lambda: self.time, lambda: self.time, self.draw)

    def draw(self):
        self.drawn += 1
        return f"n{self.drawn}"

    def come(self, client, tag, right, patience=0):
        guess = Guess(client, tag, right, self.slots(client).claim(tag, patience))
        self.going.append(guess)
        self.resume(guess, None)
        return guess

    def advance(self, guess, times):
        for _ in range(times):
            if guess in self.going:
                self.perform(guess)

    def finish(self, guess):
        left = 200
        while guess in self.going and not isinstance(guess.operation, Sleep):
            self.perform(guess)
            left -= 1
            assert left, "a guess that is alone does not end"

    def resume(self, guess, answer):
        """Run a guess up to its next operation, and through its verdicts."""
        try:
            guess.operation = guess.steps.send(answer)
        except StopIteration as stop:
            self.decide(guess, stop.value)
        if isinstance(guess.operation, Read) and not guess.found:
            guess.asked = self.time

    def decide(self, guess, verdict):
        guess.operation = None
        if isinstance(verdict, Claim):
            guess.claim = verdict
            self.left_nothing_but(guess, verdict.keys)
            self.count(guess)
            return
        self.going.remove(guess)
        self.left_nothing_but(guess, ())
        fallen = verdict.fallen if isinstance(verdict, Refused) else verdict[1] if verdict else ()
        for view in fallen:
            generation = self.generations[f"{view.counter.key}.{guess.windows[view.counter.key]}"]
            generation.announced += 1
            late = self.time - guess.asked > KEPT  # it stood still before its lock until the election was forgotten
            assert generation.announced == 1 or late, "rule 3: a lock was announced twice"

    def left_nothing_but(self, guess, keys):
        """Rule 5: only a killed process leaves an undecided slot behind."""
        left = [key for key, value in guess.known if value in guess.names and self.get(key) == value]
        assert {key for key in left if " undecided " in self.get(key)} <= {*keys}, "rule 5: a slot was left behind"

    def settle(self, guess):
        """The verification has ended."""
        guess.settling, guess.forgives = True, self.time - guess.asked <= OLD
        slots = self.slots(guess.client)
        guess.steps = slots.succeed(guess.claim, guess.tag) if guess.right else slots.fail(guess.claim, guess.tag)
        self.resume(guess, None)

    def perform(self, guess):
        """One operation of a guess; of a torn reading, one key."""
        answer = None
        match guess.operation:
            case None:
                self.settle(guess)
                return
            case Read(keys):
                some = keys[len(guess.found) :][: 1 if self.torn else None]
                guess.found += [(key, self.get(key)) for key in some]
                if len(guess.found) < len(keys):
                    return
                answer = self.read(guess)
            case Add(key, value, timeout):
                answer = self.get(key) is None
                if answer:
                    self.put(guess, key, value, timeout)
            case Write(entries, timeout):
                for key, value in entries.items():
                    self.put(guess, key, value, timeout)
            case Delete(keys):
                for key in keys:
                    self.delete(guess, key)
        self.resume(guess, answer)

    # The cache

    def get(self, key):
        value, expires = self.cache.get(key, ("", 0.0))
        return value if expires > self.time else None

    def taken(self, counter):
        """How many slots of the open window are held."""
        window = (self.get(counter.key) or "").rpartition(" ")[2]
        return sum(self.get(f"{counter.key}.{window}.{number}") is not None for number in range(counter.max))

    def read(self, guess):
        found = {key: value for key, value in guess.found if value is not None}
        guess.found.clear()
        guess.known |= found.items()
        self.see(guess, found)
        return found

    def see(self, guess, entries):
        guess.windows |= {key: head.split()[1] for key, head in entries.items() if head.startswith("window")}

    def put(self, guess, key, value, timeout):
        """Rules 3 and 4: every entry has its own timeout, and a lock its failures."""
        guess.known.add((key, value))
        guess.names.add(value)
        if value.startswith("window"):
            assert timeout == WINDOW, "rule 4: a window that does not end in time"
            self.see(guess, {key: value})
            self.generations[f"{key}.{guess.windows[key]}"] = Generation(
                self.ceiling if key == "C" else self.max, self.time
            )
        elif value.startswith("locked"):
            assert timeout == self.lockout, "rule 4: a lock that does not end in time"
            assert self.generations[f"{key}.{guess.windows[key]}"].was_full, "rule 3: a lock before max failures"
        else:
            assert timeout == KEPT, "rule 4: an entry that does not outlive its window, or for too long"
        if " failed " in value:
            generation = self.generation(key)
            generation.failed |= {key} & generation.counted.keys()
            generation.was_full |= len(generation.failed) == generation.max
        self.cache[key] = (value, float("inf") if timeout is None else self.time + timeout)

    def delete(self, guess, key):
        """Rule 8: a guess frees what is its own, and if it was right the failures of its tag that it has won."""
        generation, value = self.generation(key), self.get(key)
        self.cache.pop(key, None)
        if self.time > generation.born + KEPT:
            return  # nobody can count in this generation any more
        assert value is None or (key, value) in guess.known, "rule 8: freed what it did not know"
        if not guess.settling:
            assert value is None or value in guess.names, "rule 8: freed without having been right"
            return
        owner = generation.counted.pop(key, None)
        assert guess.right and owner, "rule 8: freed what another guess has won"
        if owner is not guess:
            assert guess.tag == owner.tag != "", "rule 8: freed the failure of another tag"
            assert key in generation.failed, "rule 8: freed the slot of an undecided guess"
            assert guess.forgives, "rule 10: forgave by an old reading"
        generation.failed.discard(key)

    # The model

    def generation(self, key):
        return self.generations[key.rpartition(".")[0]]

    def count(self, guess):
        """Rules 1 and 10: a guess may be verified; it counts until it is forgiven, whatever becomes of its entry."""
        assert self.time - guess.asked <= OLD, "rule 10: counted by an old reading"
        for held in guess.claim.held:
            counted = self.generation(held.key).counted
            assert held.key not in counted, "rule 1: two guesses in one slot"
            counted[held.key] = guess
        if self.ceiling:
            assert [held.counter.key for held in guess.claim.held] == ["C", guess.client], "rule 9: the ceiling first"


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100 if IN_FULL else 40,
    stateful_step_count=30,
    print_blob=False,
)


# Schedules that chance hardly finds


def test_a_torn_reading_does_not_lock():
    """Rule 3: one failure was read before it was forgiven, another one after: they never stood there together."""
    world = Protocol()
    world.configure(max=2, ceiling=0, torn=True, endless=False)
    world.fail("K", "bob")
    right = world.come("K", "bob", True)
    world.advance(right, 5)  # holds slot 1
    looker = world.come("K", "eve", False)
    world.advance(looker, 3)  # has read the head, and slot 0: failed
    world.finish(right)  # frees both
    undecided = world.come("K", "eve", False)
    world.advance(undecided, 5)  # holds slot 0
    world.fail("K", "eve")  # slot 1
    world.finish(looker)
    assert world.get("K").startswith("window")
    world.teardown()


def test_two_guesses_that_find_the_window_full_announce_one_lock():
    """Rule 3: both write the lock, one of them is elected."""
    world = Protocol()
    world.configure(max=1, ceiling=0, torn=False, endless=False)
    first = world.come("K", "bob", False)
    world.advance(first, 5)  # has marked its failure
    second = world.come("K", "eve", False)
    world.advance(second, 3)  # is about to write the lock
    world.finish(first)
    world.finish(second)
    assert [generation.announced for generation in world.generations.values()] == [1]
    world.teardown()


def test_two_successes_forgive_a_failure_once():
    """Rule 8: both have read the failure; who loses its election leaves the slot alone, which is another's by now."""
    world = Protocol()
    world.configure(max=3, ceiling=0, torn=False, endless=False)
    world.fail("K", "bob")
    first, second = (world.come("K", "bob", True) for _ in range(2))
    world.advance(first, 3)
    world.advance(second, 3)
    world.finish(first)
    world.advance(world.come("K", "eve", False), 3)  # holds the slot of the failure
    world.finish(second)
    assert world.taken(Counter("K", 3, WINDOW, LOCKOUT)) == 1
    world.teardown()

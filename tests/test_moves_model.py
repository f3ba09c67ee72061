"""The moves against a plain model of the rules: every sequence of moves up to a depth, and random ones beyond it."""

from itertools import product
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lockout_decorators.records import moves
from lockout_decorators.records.moves import Refusal
from lockout_decorators.records.record import (
    ABANDONED,
    EMPTY,
    FOREVER,
    NOBODY,
    OCCUPANCY,
    UNTAGGED,
    Record,
    Slot,
    parse,
    spell,
)
from lockout_decorators.records.rule import Rule
from tests.model import Model
from tests.sizes import IN_FULL

NOW = 1_800_000_000_000
STAMP = "5" * 16
TAGS = ["aaaaaaaa", "bbbbbbbb", UNTAGGED]
WHO = ["ccccc", "ddddd", "eeeee", NOBODY]


class Both:
    """A record under its moves, and the model beside it; they must never differ."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.model, self.now, self.record = rule, Model(rule), NOW, EMPTY
        self.references = 0
        self.seen: set[str] = set()

    def copy(self) -> "Both":
        both = object.__new__(type(self))
        both.__dict__.update(self.__dict__, model=self.model.copy(), seen=set(self.seen))
        return both

    def admit(self, name: str, tag: str, own=frozenset(), who: str = NOBODY, solved=True) -> bool:
        guess = Slot(False, 0, name, who, tag)
        before, refused = self.record, self.model.admit(name, tag, self.now, own, named(who), solved)
        came = moves.admit(before, self.rule, self.now, guess, own, solved)
        if isinstance(came, Refusal):
            assert refused == (None if came.until == FOREVER else came.until, *came[1 : 2 if solved else 3])
            return False
        assert not refused
        self.write(came, lambda record: moves.admit(record, self.rule, self.now, guess))
        return True

    def fail(self, name: str, tag: str, who: str = NOBODY) -> None:
        self.references += 1
        reference, guess = f"ref{self.references}", Slot(False, 0, name, who, tag)
        self.model.fail(name, tag, self.now, reference, named(who))
        self.make(lambda record: moves.fail(record, self.rule, self.now, guess, reference))
        if self.record.reference == reference:
            assert reference not in self.seen
            self.seen.add(reference)

    def succeed(self, name: str, tag: str, who: str = NOBODY) -> None:
        self.model.succeed(name, None if tag == UNTAGGED else tag, self.now)
        self.make(lambda record: moves.succeed(record, self.rule, self.now, name, tag))

    def crash(self, name: str, tag: str, who: str) -> None:
        """Nobody will ever know."""

    def release(self, name: str, tag: str = UNTAGGED, who: str = NOBODY) -> None:
        self.model.release(name, self.now)
        self.make(lambda record: moves.release(record, self.rule, self.now, name))

    def abandon(self, name: str, *_: str) -> None:
        self.model.abandon(name, self.now)
        self.make(lambda record: moves.abandon(record, self.rule, self.now, name))

    def forgive(self, tag: str, lift: bool) -> None:
        self.model.forgive(tag, self.now, lift)
        self.make(lambda record: moves.forgive(record, self.rule, self.now, [tag], lift))

    def reset(self) -> None:
        self.model.reset(self.now)
        self.make(lambda record: moves.reset())

    def deploy(self, rule: Rule) -> None:
        self.model.deploy(rule, self.now)
        for kept_by in (self.rule, rule):
            self.rule = kept_by
            self.make(lambda record: moves.prune(record, self.rule, self.now))

    def make(self, move) -> None:
        self.write(move(self.record), move)

    def write(self, record: Record, move) -> None:
        assert record == move(record), "a move that is made twice counts twice"
        assert record == parse(spell(record, STAMP))
        assert record == moves.prune(record, self.rule, self.now), "something that is over was written"
        if record != EMPTY and (end := moves.lasts_until(record, self.rule)) < FOREVER:
            assert end > self.now
            assert moves.prune(record, self.rule, end - 1) != EMPTY == moves.prune(record, self.rule, end)
        self.record = record

    def check(self) -> None:
        record, now = moves.prune(self.record, self.rule, self.now), self.now
        slots = sorted(
            [
                ("" if slot.occupancy == ABANDONED else slot.occupancy, slot.failed, slot.when, named(slot.who))
                for slot in record.slots
            ],
            key=str,
        )
        lock = None
        if record.locked:
            lock = record.since, None if record.until == FOREVER else record.until, record.reference
        facts = self.model.facts(now)
        assert (slots, lock, record.level) == facts
        assert (record == EMPTY) == (facts == ([], None, 0)), "an entry for nothing"
        for who in WHO:
            why, refused = moves.refusal(record, self.rule, now, who=who), self.model.refusal(now, who=named(who))
            assert refused == (why is not None and (None if why.until == FOREVER else why.until, why.waits))
            first = moves.refusal(record, self.rule, now, who=who, solved=False)
            refused = self.model.unsolved(now, who=named(who))
            assert refused == (first is not None and (None if first.until == FOREVER else first.until, *first[1:]))
        assert (record.failures, record.names) == (self.model.failures(now), len(self.model.names(now)))


def named(who: str) -> str | None:
    return None if who == NOBODY else who


RULES = {
    f"{name}, max {max}": rule._replace(max=max, unsolved=max - 1)
    for max in (1, 2, 3)
    for name, rule in {
        "fixed": Rule(0, 4, (6,)),
        "fixed, a short lock": Rule(0, 4, (2,)),
        "fixed, until reset": Rule(0, 4, (None,)),
        "fixed, growing": Rule(0, 3, (2, 5), forget=4),
        "fixed, growing for ever": Rule(0, 3, (2, None), forget=4),
        "rolling": Rule(0, 4, (6,), rolling=True),
        "rolling, a short lock": Rule(0, 4, (2,), rolling=True),
        "rolling, until reset": Rule(0, 4, (None,), rolling=True),
        "rolling, growing": Rule(0, 3, (2, 5), rolling=True, forget=4),
        "rolling, no lock": Rule(0, 4, (), rolling=True),
    }.items()
}
SPREAD = {
    f"{name}, spread {spread}": rule._replace(max=max, spread=spread)
    for max, spread in ((2, 1), (3, 2))
    for name, rule in RULES.items()
    if rule.max == max
}
DEPTHS = {1: 10, 2: 8, 3: 7} if IN_FULL else {1: 8, 2: 6, 3: 6}  # for each max
LESS = 2 if IN_FULL else 1  # where guesses are at several names, which makes many more of them


def name(number: int) -> str:
    return f"{number:0{OCCUPANCY}x}"


def candidates(both: Both, open: tuple[tuple[int, str], ...]) -> list[str]:
    """Whom the next guess may be at: of names that are not known yet one is as good as another."""
    if not both.rule.spread:
        return [NOBODY]
    known = {who for _, who in open} | {slot.who for slot in both.record.slots}
    return sorted({NOBODY, *known, next((who for who in WHO if who not in known), NOBODY)})


def steps(both: Both, begun: int, open: tuple[tuple[int, str], ...]):
    """Everything that can happen next: to the pair, how many guesses have begun, and which are still open."""
    for who in candidates(both, open) if len(open) <= both.rule.max else ():
        after = both.copy()
        admitted = after.admit(name(begun), TAGS[begun % 2], who=who)
        yield after, begun + 1, (*open, (begun, who)) if admitted else open
    for guess, who in open:
        left = tuple(other for other in open if other != (guess, who))
        for verdict in ("fail", "succeed", "release", "abandon"):
            after = both.copy()
            tag = TAGS[guess % 2]
            arguments = {"fail": (tag, who), "succeed": (tag,), "release": (), "abandon": ()}[verdict]
            getattr(after, verdict)(name(guess), *arguments)
            yield after, begun, left
    for ticks in (1, 3):
        after = both.copy()
        after.now += ticks
        yield after, begun, open
    after = both.copy()
    after.reset()
    yield after, begun, open


@pytest.mark.parametrize("rule", (RULES | SPREAD).values(), ids=RULES | SPREAD)
def test_every_sequence_of_moves(rule):
    """Up to a depth: guesses that begin and end in any order, time that passes between them, and resets."""
    level, seen = [(Both(rule), 0, ())], set()
    short = any(one is not None and one < rule.window for one in rule.lengths)
    bound = 1 if rule.rolling else inf if short else 2
    for _ in range(DEPTHS[rule.max] - (LESS if rule.spread else 0)):
        below = []
        for node in level:
            for after, begun, open in steps(*node):
                after.check()
                assert after.model.most_in_a_window() <= rule.max * bound
                assert not rule.spread or after.model.most_names_in_a_window() <= rule.spread * bound
                state = after.record, after.now, open
                if state not in seen:
                    seen.add(state)
                    below.append((after, begun, open))
        level = below
    assert any(both.record.locked for both, *_ in level) == bool(rule.lengths)


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.max == 2])
def test_every_deploy(rule):
    """Of another maximum, spread, and of other locks, at any moment of a client that fails for a while."""
    later = [(1,), (2, 4), (None,)] + [()] * rule.rolling
    choices = (0, 1, 2), (0, 1, 2), (0, 1, 3), (1, 2, 3), (0, 1, 2), later
    for failures, late, ticks, max, spread, lengths in product(*choices):
        both = Both(rule)
        for number in range(failures):
            both.fail(name(number), TAGS[0], WHO[number])
        both.admit(name(8), TAGS[0], who=WHO[2])
        both.now += ticks
        both.deploy(rule._replace(max=max, spread=spread, lengths=lengths))
        for number in range(failures, failures + late):
            both.fail(name(number), TAGS[1], WHO[number % 3])
        for _ in range(8):
            both.check()
            both.now += 1


TIMES = [1, 1, 30_000, 30_000, 59_999, 60_000, 299_999, 300_000, 300_001, 600_000, 3_600_000, 86_400_000]
LENGTHS = [(600_000,), (30_000,), (None,), (60_000, 300_000, 3_600_000), (300_000, None)]
LATER = [(60_000,), (30_000, 60_000)]  # what a deploy may bring


class Machine(RuleBasedStateMachine):
    """A client of a few guesses at a time, over windows, locks, resets and deploys."""

    @initialize(
        max=st.integers(1, 6), rolling=st.booleans(), lengths=st.sampled_from([*LENGTHS, ()]), spread=st.integers(0, 3)
    )
    def begin(self, max, rolling, lengths, spread):
        lengths = lengths if lengths or rolling else LENGTHS[0]
        self.both = Both(Rule(max, 300_000, lengths, rolling, spread=spread, unsolved=max // 2))
        self.open: list[tuple[str, str, str]] = []
        self.begun = 0
        self.wiped = False

    @rule(tag=st.sampled_from(TAGS), who=st.sampled_from(WHO), same_request=st.booleans(), solved=st.booleans())
    def admit(self, tag, who, same_request, solved):
        self.begun += 1
        guess = name(self.begun), tag, who
        own = frozenset(other for other, *_ in self.open) if same_request else frozenset()
        if self.both.admit(name(self.begun), tag, own, who, solved):
            self.open.append(guess)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), verdict=st.sampled_from(["fail", "fail", "fail", "succeed", "release", "abandon", "crash"]))
    def decide(self, data, verdict):
        guess = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        getattr(self.both, verdict)(*guess)

    @rule(tag=st.sampled_from(TAGS), who=st.sampled_from(WHO))
    def fail_unasked(self, tag, who):
        """A failure that took no slot beforehand."""
        self.begun += 1
        self.both.fail(name(self.begun), tag, who)

    @rule(milliseconds=st.sampled_from(TIMES))
    def wait(self, milliseconds):
        self.both.now += milliseconds

    @rule(tag=st.sampled_from(TAGS), guesses=st.integers(1, 6), names=st.integers(0, 3))
    def fail_in_a_row(self, tag, guesses, names):
        for number in range(self.begun + 1, self.begun + 1 + guesses):
            who = WHO[number % names] if names else NOBODY
            if self.both.admit(name(number), tag, who=who):
                self.both.fail(name(number), tag, who)
        self.begun += guesses

    @rule(tag=st.sampled_from(TAGS[:2]), what=st.sampled_from(["reset", "forgive", "lift"]))
    def intervene(self, tag, what):
        if what == "reset":
            self.both.reset()
        else:
            self.both.forgive(tag, lift=what == "lift")

    @precondition(lambda self: self.both.rule.lengths)
    @rule(max=st.integers(1, 6), lengths=st.sampled_from(LATER), spread=st.integers(0, 3))
    def deploy(self, max, lengths, spread):
        self.wiped = True
        self.both.deploy(self.both.rule._replace(max=max, lengths=lengths, spread=spread, unsolved=max // 2))

    @invariant()
    def agree(self):
        self.both.check()
        model, rule = self.both.model, self.both.rule
        assert self.wiped or not rule.rolling or model.most_in_a_window() <= rule.max
        assert self.wiped or not rule.rolling or not rule.spread or model.most_names_in_a_window() <= rule.spread


Machine.TestCase.settings = settings(
    max_examples=1500 if IN_FULL else 80, stateful_step_count=40, deadline=None, derandomize=not IN_FULL
)
TestMoves = Machine.TestCase

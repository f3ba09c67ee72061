"""A record under its moves, and beside it the plain model of tests/model.py; they must never differ."""

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

NOW = 1_800_000_000_000
STAMP = "5" * 16
TAGS = ["aaaaaaaa", "bbbbbbbb", UNTAGGED]
WHO = ["ccccc", "ddddd", "eeeee", NOBODY]


def name(number: int) -> str:
    return f"{number:0{OCCUPANCY}x}"


class Both:
    """The pair."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.model, self.now, self.record = rule, Model(rule), NOW, EMPTY
        self.references = 0
        self.seen: set[str] = set()

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
        for who in WHO if self.rule.spread else WHO[2:]:  # a name, and nobody's
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

"""The moves against a plain model of the rules: every sequence of moves up to a depth, and random ones beyond it."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lockout_decorators.records.record import NOBODY
from lockout_decorators.records.rule import Rule
from tests.both import RULES, SPREAD, TAGS, WHO, Both, name
from tests.sequences import every_deploy, every_sequence
from tests.sizes import IN_FULL

DEPTHS = {1: 10, 2: 8, 3: 7} if IN_FULL else {1: 5, 2: 5, 3: 6}  # for each max
LESS = 2  # where guesses are at several names, which makes many more of them
THREE = ("fixed, max 3, spread 2", "rolling, growing, max 3, spread 2", "rolling, no lock, max 3, spread 2")
CHOSEN = {
    name: rule
    for name, rule in (RULES | SPREAD).items()
    if IN_FULL or name in THREE or rule.max == 1 or (rule.max == 2 and None not in rule.lengths)
}


@pytest.mark.parametrize("rule", CHOSEN.values(), ids=CHOSEN)
def test_every_sequence_of_moves(rule):
    """Up to a depth, at which there are locks."""
    every_sequence.__wrapped__(rule, 3)  # is traced, so that tests/mutants.py knows which lines this runs
    assert every_sequence(rule, DEPTHS[rule.max] - (LESS if rule.spread else 0)) == bool(rule.lengths)


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.max == 2])
def test_every_deploy(rule):
    """Whatever it changes, and whenever it comes."""
    every_deploy.__wrapped__(rule, 97)  # a few of them, traced
    assert every_deploy(rule) > (700 if IN_FULL else 100)


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


Machine.TestCase.settings = settings(max_examples=1500 if IN_FULL else 50, stateful_step_count=40, deadline=None)
TestMoves = Machine.TestCase

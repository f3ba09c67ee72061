"""The driver, proven in every interleaving of two or three guesses; what takes time, on a clock of its own."""

from collections import Counter

import pytest

from lockout_decorators.records.record import FOREVER
from lockout_decorators.records.rule import Rule
from tests.explorer import BOB, EVE, LOCK, WINDOW, Done, Plan, Scenario, World, explore, occupancy
from tests.sizes import IN_FULL

WRONG, OTHER = Plan(BOB), Plan(EVE)
RIGHT = Plan(BOB, right=True)
UNDONE = Plan(BOB, undo=True)
EARLY = Plan(BOB, early=True)
ROLLING = Rule(2, WINDOW, (LOCK,), rolling=True)
GROWING = Rule(1, WINDOW, (LOCK, 2 * LOCK))
LITTLE = Rule(2, WINDOW, (), rolling=True)  # the block ends little by little

SECOND, LATER, DAY = 3_000, 61_000, 86_400_000

SCENARIOS = {
    "two wrong for one slot": Scenario((WRONG, WRONG), max=1),
    "three wrong for one slot": Scenario((WRONG, WRONG, WRONG), max=1),
    "three wrong for two slots": Scenario((WRONG, WRONG, WRONG), max=2),
    "three right for one slot": Scenario((RIGHT, RIGHT, RIGHT), max=1),
    "three right for two slots": Scenario((RIGHT, RIGHT, RIGHT), max=2),
    "right and wrong for one slot": Scenario((RIGHT, OTHER, OTHER), max=1),
    "success forgives while a failure completes": Scenario((RIGHT, OTHER), max=2, seeded=(BOB,)),
    "success forgives none of another": Scenario((RIGHT, OTHER), max=3, seeded=(EVE, EVE)),
    "two successes race for one failure": Scenario((RIGHT, RIGHT, OTHER), max=2, seeded=(BOB,)),
    "two successes and a failure": Scenario((RIGHT, RIGHT, OTHER), max=3, seeded=(BOB, BOB)),
    "a guess that is never made": Scenario((UNDONE, WRONG, OTHER), max=1),
    "nobody waits": Scenario((WRONG._replace(patience=0),) * 3, max=1),
    "an early look": Scenario((EARLY, EARLY, RIGHT), max=2),
    "sent twice": Scenario((WRONG, WRONG), max=2, losses=2),
    "sent twice, three guesses": Scenario((WRONG, OTHER, RIGHT), max=2, losses=1),
    "a success sent twice": Scenario((RIGHT, RIGHT, OTHER), max=1, losses=1, seeded=()),
    "sent twice, one slot": Scenario((WRONG, WRONG, WRONG), max=1, losses=2),
    "a crash": Scenario((WRONG, OTHER), max=1, crashes=1),
    "a crash, three guesses": Scenario((WRONG, OTHER, RIGHT), max=2, crashes=1),
    "a reset": Scenario((WRONG, OTHER, RIGHT), max=2, resets=1),
    "an outage": Scenario((WRONG, OTHER, RIGHT), max=2, outages=1),
    "two outages": Scenario((WRONG, OTHER), max=1, outages=2),
    "all at once": Scenario((WRONG, OTHER), max=1, crashes=1, resets=1, outages=1, losses=1),
    "the window ends": Scenario((WRONG, OTHER, EARLY), max=2, ticks=(WINDOW,)),
    "the window ends twice": Scenario((EARLY, OTHER), max=1, ticks=(WINDOW, WINDOW)),
    "the window ends, one slot": Scenario((EARLY, EARLY, WRONG), max=1, ticks=(WINDOW,)),
    "the lock ends": Scenario((WRONG, OTHER, EARLY), max=1, ticks=(LOCK,)),
    "a second's dawdling": Scenario((WRONG, OTHER, RIGHT), max=1, ticks=(SECOND,)),
    "a minute's silence": Scenario((WRONG, OTHER), max=1, ticks=(LATER,), crashes=1),
    "the window ends, a crash": Scenario((WRONG, OTHER), max=1, ticks=(WINDOW, 1), crashes=1),
    "the window ends, a reset": Scenario((WRONG, OTHER), max=1, ticks=(WINDOW,), resets=1),
    "the window ends, sent twice": Scenario((WRONG, OTHER), max=1, ticks=(WINDOW,), losses=1),
    "rolling": Scenario((WRONG, WRONG, WRONG), rule=ROLLING),
    "rolling, one slot, half a window": Scenario((EARLY, WRONG, OTHER), max=1, rule=ROLLING, ticks=(WINDOW // 2, WINDOW // 2)),
    "rolling, no lock": Scenario((OTHER, OTHER, RIGHT), max=1, rule=LITTLE, ticks=(WINDOW, 1)),
    "rolling, a window passes": Scenario((EARLY, EARLY, WRONG), max=2, rule=LITTLE, ticks=(WINDOW,)),
    "growing": Scenario((WRONG, WRONG), max=1, rule=GROWING, ticks=(LOCK, 2 * LOCK)),
    "a ceiling": Scenario((WRONG, WRONG, WRONG), max=1, ceiling=2),
    "the ceiling falls first": Scenario((WRONG, OTHER, RIGHT), max=2, ceiling=1),
    "a ceiling, sent twice": Scenario((WRONG, OTHER), max=1, ceiling=2, losses=1),
    "one by one": Scenario((WRONG, WRONG, WRONG), max=1, ceiling=2, kind="single"),
    "one by one, right": Scenario((RIGHT, OTHER, RIGHT), max=2, ceiling=1, kind="single"),
    "one by one, sent twice": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", losses=1),
    "one by one, sent twice, another order": Scenario((WRONG, OTHER), max=2, ceiling=1, kind="single", losses=1),
    "one by one, impatient": Scenario((WRONG._replace(patience=0), RIGHT), max=1, ceiling=2, kind="single", losses=1),
    "one by one, a crash": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", crashes=1),
    "one by one, a reset": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", resets=1),
    "a reset under a ceiling, sent twice": Scenario((WRONG, OTHER), max=1, ceiling=2, losses=1, resets=1),
    "one by one, an outage": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", outages=1),
    "one by one, a window": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", ticks=(WINDOW,)),
    "one by one, undone": Scenario((UNDONE, OTHER, WRONG), max=1, ceiling=1, kind="single"),
    "two aliases": Scenario((WRONG, OTHER), max=1, ceiling=2, aliases=True, losses=1),
    "two aliases, an outage": Scenario((WRONG, OTHER), max=1, ceiling=2, aliases=True, outages=1),
    "two aliases, a window": Scenario((WRONG, OTHER), max=1, ceiling=2, aliases=True, ticks=(WINDOW,)),
    "guarded": Scenario((WRONG, OTHER, RIGHT), max=1, kind="guarded"),
    "guarded, a crash": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="guarded", crashes=1, ticks=(SECOND,)),
    "guarded, a window": Scenario((WRONG, OTHER), max=1, kind="guarded", ticks=(WINDOW,)),
}

def rules_at_the_end(world: World) -> None:
    """What must be true when all is said and done; the rest is checked at every step by the world itself."""
    scenario, ends = world.scenario, [guess for guess in world.guesses if isinstance(guess, Done)]
    told = Counter(key for end in ends for key in end.told)
    for number, end in enumerate(world.guesses):
        if isinstance(end, Done) and end.how in ("refused", "undone"):
            stands = [key for key in scenario.rules if world.record(key).slot_of(occupancy(number))]
            assert not stands or scenario.outages > 1, "a slot without a guess"
        if isinstance(end, Done) and end.how == "dead" and scenario.outages == 1:
            stands = [key for key in scenario.rules if world.record(key).slot_of(occupancy(number))]
            assert set(stands) <= world.died, "a slot without a guess"
    for key, rule in scenario.rules.items() if not scenario.resets and not scenario.seeded else ():
        times = [time for number, time in world.verified if (key, number) in world.in_time]
        most = max([sum(begin <= time < begin + rule.window for time in times) for begin in times], default=0)
        assert not rule.rolling or most <= rule.max, "more than max verified failures in an interval"
    if not scenario.calm:
        return
    assert len(ends) == len(world.guesses), "a guess waits for ever"
    assert told == Counter(key for key, _ in world.locks), "a lock was told twice, or never"
    for key in scenario.rules:
        assert all(slot.failed for slot in world.record(key).slots), "a slot was left behind"
        assert world.text(key) is not None or all(end.how != "wrong" for end in ends), "a failure was lost"
        assert world.text(key) is None or any(end.how == "wrong" for end in ends) or scenario.seeded, "an entry for nothing"
    wrong = [plan for plan in scenario.plans if not plan.right and not plan.undo]
    if wrong == list(scenario.plans) and not scenario.seeded:
        most = min(rule.max for rule in scenario.rules.values())
        assert len(world.verified) == min(len(wrong), most), "not exactly max were verified"


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_no_interleaving_breaks_a_rule(scenario):
    """Never more than `max` outstanding guesses, no early lock, nothing freed unproven, in any order of the steps."""
    worlds, ends = explore(scenario, rules_at_the_end)
    print(worlds, ends)
    assert worlds > ends > 0

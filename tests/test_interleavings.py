"""The driver, proven in every interleaving of the store operations of two or three guesses."""

from collections import Counter

import pytest

from lockout_decorators.records.rule import Rule
from tests.explorer import World, explore
from tests.lives import LOCK, WINDOW, Done, Plan, Scenario, occupancy
from tests.sizes import IN_FULL

BOB, EVE, JOE = "b0bb0bb0", "e7ee7ee7", "70e70e70"  # tags
WRONG, OTHER, RIGHT, UNDONE = Plan("wrong", BOB), Plan("wrong", EVE), Plan("right", BOB), Plan("undone", BOB)
THIRD, HASTY_THIRD = Plan("wrong", JOE), Plan("wrong", JOE, patience=0)
EARLY, LATE = Plan("wrong", BOB, early=True), Plan("wrong", EVE, early=True)
BESIDE = Plan("wrong", EVE, key="L")  # another client's, under the same ceiling
HASTY = Plan("wrong", BOB, patience=0)
RESET = Plan("reset")
ROLLING = Rule(0, WINDOW, (LOCK,), rolling=True)
LITTLE = Rule(0, WINDOW, (), rolling=True)  # the block ends little by little
GROWING = Rule(0, WINDOW, (LOCK, 2 * LOCK))
MOMENT, MINUTE = 3_000, 61_000  # longer than a decision is good for; than one waits for anybody

SCENARIOS = {
    "two wrong for one slot": Scenario((WRONG, WRONG), max=1),
    "three wrong for one slot": Scenario((WRONG, WRONG, WRONG), max=1),
    "three wrong for two slots": Scenario((WRONG, WRONG, WRONG), max=2),
    "three right for one slot": Scenario((RIGHT, RIGHT, RIGHT), max=1),
    "three right for two slots": Scenario((RIGHT, RIGHT, RIGHT), max=2),
    "right and wrong for one slot": Scenario((RIGHT, OTHER, OTHER), max=1),
    "rolling": Scenario((WRONG, WRONG, WRONG), max=2, rule=ROLLING),
    "a success forgives while a failure completes": Scenario((RIGHT, OTHER), max=2, seeded=(BOB,)),
    "a success forgives none of another": Scenario((RIGHT, OTHER), max=3, seeded=(EVE, EVE)),
    "two successes race for one failure": Scenario((RIGHT, RIGHT, OTHER), max=2, seeded=(BOB,)),
    "two successes race for two failures": Scenario((RIGHT, RIGHT, OTHER), max=3, seeded=(BOB, BOB)),
    "a guess that is never made": Scenario((UNDONE, WRONG, OTHER), max=1),
    "nobody waits": Scenario((HASTY, HASTY, HASTY), max=1),
    "early looks": Scenario((EARLY, EARLY, RIGHT), max=2),
    "sent twice, one slot": Scenario((WRONG, WRONG, WRONG), max=1, losses=2),
    "sent twice, two slots": Scenario((WRONG, WRONG), max=2, losses=2),
    "sent twice, right and wrong": Scenario((WRONG, OTHER, RIGHT), max=2, losses=1),
    "sent twice, the failure that locks": Scenario((WRONG, RIGHT), max=2, losses=2, seeded=(EVE,)),
    "a success sent twice": Scenario((RIGHT, RIGHT, OTHER), max=1, losses=1),
    "a crash": Scenario((WRONG, OTHER, RIGHT), max=2, crashes=1),
    "a crash for one slot": Scenario((WRONG, OTHER), max=1, crashes=1),
    "a reset": Scenario((WRONG, OTHER, RIGHT), max=2, resets=1),
    "a reset that swaps": Scenario((WRONG, WRONG, RESET), max=2, seeded=(EVE,)),
    "a reset that swaps, sent twice": Scenario((WRONG, RESET), max=1, ceiling=2, seeded=(EVE,), losses=1),
    "an outage": Scenario((WRONG, OTHER, RIGHT), max=2, outages=1),
    "two outages": Scenario((WRONG, OTHER), max=1, outages=2),
    "an outage, open": Scenario((WRONG, OTHER), max=1, outages=1, fail_open=True),
    "all at once": Scenario((WRONG, OTHER), max=1, crashes=1, resets=1, outages=1, losses=1),
    "a moment passes": Scenario((EARLY, RIGHT), max=1, ticks=(MOMENT,)),
    "a minute passes, a crash": Scenario((WRONG, OTHER), max=1, ticks=(MINUTE,), crashes=1),
    "a window passes": Scenario((EARLY, OTHER), max=1, ticks=(WINDOW, WINDOW)),
    "a window passes, a crash": Scenario((WRONG, OTHER), max=1, ticks=(WINDOW, 1), crashes=1),
    "a window passes, a reset": Scenario((WRONG, OTHER), max=1, ticks=(WINDOW,), resets=1),
    "a window passes, an outage": Scenario((WRONG, OTHER), max=1, ticks=(WINDOW,), outages=1),
    "a window passes, sent twice": Scenario((WRONG, OTHER), max=1, ticks=(WINDOW,), losses=1),
    "a lock passes": Scenario((WRONG, LATE), max=1, ticks=(LOCK, WINDOW)),
    "growing locks pass": Scenario((WRONG, WRONG), max=1, rule=GROWING, ticks=(LOCK, 2 * LOCK)),
    "a rolling window passes": Scenario((EARLY, LATE), max=1, rule=ROLLING, ticks=(WINDOW // 2, WINDOW // 2)),
    "a rolling window passes, no lock": Scenario((EARLY, OTHER), max=1, rule=LITTLE, ticks=(WINDOW, 1)),
    "a ceiling": Scenario((WRONG, WRONG, WRONG), max=1, ceiling=2),
    "a ceiling that falls first": Scenario((WRONG, OTHER, RIGHT), max=2, ceiling=1),
    "two clients under a ceiling": Scenario((WRONG, WRONG, BESIDE), max=2, ceiling=3, losses=1),
    "two clients under a ceiling that falls first": Scenario((OTHER, BESIDE, RIGHT), max=2, ceiling=2),
    "a ceiling, sent twice": Scenario((WRONG, OTHER), max=1, ceiling=2, losses=1),
    "a ceiling, sent twice, a reset": Scenario((WRONG, OTHER), max=1, ceiling=2, losses=1, resets=1),
    "a spread": Scenario((WRONG, OTHER, THIRD), max=9, spread=2),
    "a spread of one name": Scenario((WRONG, WRONG, OTHER), max=9, spread=1),
    "a spread of one name, right": Scenario((RIGHT, OTHER, THIRD), max=9, spread=1),
    "a spread and a hasty one": Scenario((WRONG, OTHER, HASTY_THIRD), max=9, spread=2),
    "a spread, or max": Scenario((WRONG, WRONG, OTHER), max=2, spread=2),
    "a spread, rolling": Scenario((WRONG, OTHER, THIRD), max=9, spread=2, rule=ROLLING),
    "a success gives back a name, another completes the spread": Scenario(
        (RIGHT, OTHER, THIRD), max=9, spread=2, seeded=(BOB,)
    ),
    "a success gives back a name, little by little": Scenario(
        (RIGHT, OTHER, THIRD), max=9, spread=2, seeded=(BOB,), rule=LITTLE
    ),
    "a spread, sent twice": Scenario((WRONG, OTHER, THIRD), max=9, spread=2, losses=1),
    "a spread, sent twice, the failure that locks": Scenario((OTHER, RIGHT), max=9, spread=2, losses=2, seeded=(BOB,)),
    "a spread, a crash": Scenario((WRONG, OTHER, THIRD), max=9, spread=2, crashes=1),
    "a spread, a reset": Scenario((WRONG, OTHER), max=9, spread=1, resets=1),
    "a spread, an outage": Scenario((WRONG, OTHER), max=9, spread=1, outages=1),
    "a spread, a window passes": Scenario((EARLY, OTHER), max=9, spread=1, ticks=(WINDOW, 1)),
    "a spread, a minute passes, a crash": Scenario((WRONG, OTHER), max=9, spread=1, ticks=(MINUTE,), crashes=1),
    "a spread, a rolling window passes": Scenario((OTHER, LATE), max=9, spread=1, rule=LITTLE, ticks=(WINDOW, 1)),
    "a spread, a lock passes": Scenario((WRONG, LATE), max=9, spread=1, ticks=(LOCK, WINDOW)),
    "a spread under a ceiling": Scenario((WRONG, OTHER), max=2, ceiling=9, spread=1),
    "a spread under a ceiling, two clients": Scenario((WRONG, BESIDE, WRONG), max=1, ceiling=9, spread=1),
    "a spread, one by one": Scenario((WRONG, BESIDE), max=1, ceiling=9, spread=1, kind="single", losses=1),
    "a spread, one by one, right": Scenario((RIGHT, OTHER), max=2, ceiling=9, spread=1, kind="single"),
    "a spread, guarded": Scenario((WRONG, OTHER), max=9, spread=1, kind="guarded"),
    "one by one": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single"),
    "one by one, two clients": Scenario((WRONG, BESIDE), max=1, ceiling=1, kind="single", losses=1),
    "one by one, right": Scenario((RIGHT, OTHER, RIGHT), max=2, ceiling=1, kind="single"),
    "one by one, sent twice": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", losses=1),
    "one by one, sent twice, hasty": Scenario((HASTY, RIGHT), max=1, ceiling=2, kind="single", losses=1),
    "one by one, sent twice, right": Scenario((RIGHT, OTHER), max=2, ceiling=1, kind="single", losses=2),
    "one by one, a crash": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", crashes=1),
    "two caches, a window passes": Scenario((WRONG,), max=1, ceiling=2, aliases=True, ticks=(WINDOW, 1)),
    "one by one, a reset": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", resets=1),
    "one by one, an outage": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", outages=1),
    "one by one, a window": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", ticks=(WINDOW,)),
    "one by one, undone": Scenario((UNDONE, OTHER, WRONG), max=1, ceiling=1, kind="single"),
    "two caches": Scenario((WRONG, OTHER), max=1, ceiling=2, aliases=True, losses=1),
    "two caches, an outage": Scenario((WRONG, OTHER), max=1, ceiling=2, aliases=True, outages=1),
    "two caches, an outage, open": Scenario((WRONG, OTHER), max=1, ceiling=2, aliases=True, outages=1, fail_open=True),
    "guarded": Scenario((WRONG, OTHER, RIGHT), max=1, kind="guarded"),
    "guarded, a crash": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="guarded", crashes=1, ticks=(MOMENT,)),
    "guarded, a window": Scenario((WRONG, OTHER), max=1, kind="guarded", ticks=(WINDOW,)),
    "guarded, an outage": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="guarded", outages=1),
}

# For continuous integration.
LARGE = {
    "two caches, a window": Scenario((WRONG, OTHER), max=1, ceiling=2, aliases=True, ticks=(WINDOW,)),
    "one by one, a reset that swaps": Scenario((WRONG, OTHER, RESET), max=1, ceiling=2, kind="single"),
    "a lock passes, three guesses": Scenario((WRONG, OTHER, EARLY), max=1, ticks=(LOCK,)),
    "a rolling window passes, no lock, three guesses": Scenario((OTHER, OTHER, RIGHT), rule=LITTLE, ticks=(WINDOW, 1)),
    "a rolling window passes, three guesses": Scenario(
        (EARLY, WRONG, OTHER), max=1, rule=ROLLING, ticks=(WINDOW // 2, WINDOW // 2)
    ),
    "a rolling window passes, two slots": Scenario((EARLY, EARLY, WRONG), max=2, rule=LITTLE, ticks=(WINDOW,)),
    "a moment passes, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, ticks=(MOMENT,)),
    "a window passes, three guesses": Scenario((EARLY, EARLY, WRONG), max=1, ticks=(WINDOW,)),
    "a window passes, two slots": Scenario((WRONG, OTHER, EARLY), max=2, ticks=(WINDOW,)),
    "one by one, three guesses": Scenario((WRONG, WRONG, WRONG), max=1, ceiling=2, kind="single"),
    "all at once, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, crashes=1, resets=1, outages=1, losses=1),
    "a window passes, a reset, three guesses": Scenario((EARLY, OTHER, RIGHT), max=1, ticks=(WINDOW,), resets=1),
    "a window passes, sent twice, three guesses": Scenario((EARLY, OTHER, RIGHT), max=1, ticks=(WINDOW,), losses=1),
    "one by one, sent twice, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, ceiling=2, kind="single", losses=1),
    "one by one, an outage, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, ceiling=2, kind="single", outages=1),
    "one by one, a crash, three guesses": Scenario((WRONG, OTHER, RIGHT), max=2, ceiling=1, kind="single", crashes=1),
    "one by one, a reset, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, ceiling=2, kind="single", resets=1),
    "one by one, two windows": Scenario((EARLY, LATE), max=1, ceiling=2, kind="single", ticks=(WINDOW, WINDOW)),
    "one by one, a window, all at once": Scenario(
        (WRONG, OTHER), max=1, ceiling=2, kind="single", ticks=(WINDOW,), resets=1, losses=1
    ),
    "guarded, all at once": Scenario(
        (WRONG, OTHER, RIGHT), max=1, ceiling=2, kind="guarded", crashes=1, resets=1, outages=1, ticks=(MOMENT,)
    ),
    "two caches, an outage, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, ceiling=2, aliases=True, outages=1),
    "growing locks pass, three guesses": Scenario((WRONG, OTHER, WRONG), max=1, rule=GROWING, ticks=(LOCK, 2 * LOCK)),
}
CHOSEN = SCENARIOS | LARGE if IN_FULL else SCENARIOS


def nothing_is_left_of_guesses_that_were_not_made(world: World) -> None:
    """But by who was held up for more than the thirty seconds that a settlement is tried for; or by two outages."""
    ends = ("refused", "undone") if world.scenario.ticks else ("refused", "undone", "dead")
    for number, end in enumerate(world.guesses):
        if isinstance(end, Done) and end.how in ends and world.scenario.outages < 2:
            left = {key for key in world.scenario.rules if world.record(key).slot_of(occupancy(number))}
            assert left <= world.died, "a slot without a guess"


def no_interval_of_a_rolling_window_holds_more_than_max(world: World) -> None:
    """Of failures whose slot was still theirs when they were entered."""
    for key, rule in world.scenario.rules.items():
        failed = [(number, time) for number, time in world.verified if (key, number) in world.in_time]
        for _, begin in failed if rule.rolling else ():
            among = [number for number, time in failed if begin <= time < begin + rule.window]
            assert len(among) <= rule.max, "more than max verified failures in an interval"
            names = {world.name(number) for number in among}
            assert not rule.spread or len(names) <= rule.spread, "at more names than the spread allows in an interval"


def everybody_came_to_an_end(world: World) -> None:
    """Where nothing happens but guesses."""
    scenario = world.scenario
    assert all(isinstance(end, Done) for end in world.guesses), "a guess waits for ever"
    told = Counter(key for end in world.guesses for key in end.told)
    assert told == Counter(key for key, _ in world.locks), "a lock was told twice, or never"
    for key in scenario.rules:
        wrong = any(end.how == "wrong" and key in scenario.keys(n) for n, end in enumerate(world.guesses))
        record, rule = world.record(key), scenario.rules[key]
        assert all(slot.failed for slot in record.slots), "a slot was left behind"
        full = record.failures >= rule.max or 0 < rule.spread <= record.names
        assert record.locked or not (full and rule.lengths), "as many failures as lock, and no lock"
        assert (world.text(key) is not None) == wrong or scenario.seeded, "a failure lost, or an entry for nothing"


def exactly_max_are_verified(world: World) -> None:
    """Where all are wrong, and nothing else happens; of names, as many as the spread allows."""
    scenario = world.scenario
    if all(plan[:3:2] == ("wrong", "K") and plan.patience for plan in scenario.plans) and not scenario.seeded:
        most, names = min(rule.max for rule in scenario.rules.values()), {plan.tag for plan in scenario.plans}
        if scenario.spread in range(1, len(names)):
            tried = {world.name(number) for number, _ in world.verified}
            assert len(tried) == min(scenario.spread, most), "not exactly the names of the spread were tried"
        else:
            assert len(world.verified) == min(len(scenario.plans), most), "not exactly max were verified"


def rules_at_the_end(world: World) -> None:
    """What must be true when all is said and done; the rest is checked at every step by the world itself."""
    nothing_is_left_of_guesses_that_were_not_made(world)
    no_interval_of_a_rolling_window_holds_more_than_max(world)
    if world.scenario.calm:
        everybody_came_to_an_end(world)
        exactly_max_are_verified(world)


@pytest.mark.parametrize("scenario", CHOSEN.values(), ids=CHOSEN)
def test_no_interleaving_breaks_a_rule(scenario):
    """Never more than `max` outstanding guesses, no early lock, nothing freed unproven, in any order of the steps."""
    worlds, ends = explore(scenario, rules_at_the_end)
    assert worlds > ends > 0

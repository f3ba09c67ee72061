"""The driver, proven in every interleaving of the store operations of two or three guesses."""

import pytest

from lockout_decorators.records.rule import Rule
from tests.endings import rules_at_the_end
from tests.explorer import explore
from tests.lives import LOCK, WINDOW, Plan, Scenario
from tests.sizes import IN_FULL

BOB, EVE, JOE = "b0bb0bb0", "e7ee7ee7", "70e70e70"  # tags
WRONG, OTHER, RIGHT, UNDONE = Plan("wrong", BOB), Plan("wrong", EVE), Plan("right", BOB), Plan("undone", BOB)
THIRD = Plan("wrong", JOE)
EARLY, LATE = Plan("wrong", BOB, early=True), Plan("wrong", EVE, early=True)
BESIDE = Plan("wrong", EVE, key="L")  # another client's, under the same ceiling
HASTY = Plan("wrong", BOB, patience=0)
SOLVED, RIGHT_SOLVED = Plan("wrong", EVE, solves=True), Plan("right", BOB, solves=True)
RESET = Plan("reset")
ROLLING = Rule(0, WINDOW, (LOCK,), rolling=True)
LITTLE = Rule(0, WINDOW, (), rolling=True)  # the block ends little by little
GROWING = Rule(0, WINDOW, (LOCK, 2 * LOCK))
MOMENT, MINUTE = 3_000, 61_000  # longer than a decision is good for; than one waits for anybody

SCENARIOS = {
    "three wrong for one slot": Scenario((WRONG, WRONG, WRONG), max=1),
    "three wrong for two slots": Scenario((WRONG, WRONG, WRONG), max=2),
    "three right for one slot": Scenario((RIGHT, RIGHT, RIGHT), max=1),
    "three right for two slots": Scenario((RIGHT, RIGHT, RIGHT), max=2),
    "right and wrong for one slot": Scenario((RIGHT, OTHER, OTHER), max=1),
    "rolling": Scenario((WRONG, WRONG, WRONG), max=2, rule=ROLLING),
    "a success forgives while a failure completes": Scenario((RIGHT, OTHER), max=2, seeded=(BOB,)),
    "a success forgives none of another": Scenario((RIGHT, OTHER), max=3, seeded=(EVE, EVE)),
    "two successes race for two failures": Scenario((RIGHT, RIGHT, OTHER), max=3, seeded=(BOB, BOB)),
    "a guess that is never made": Scenario((UNDONE, WRONG, OTHER), max=1),
    "nobody waits": Scenario((HASTY, HASTY, HASTY), max=1),
    "early looks": Scenario((EARLY, EARLY, RIGHT), max=2),
    "sent twice, one slot": Scenario((WRONG, WRONG, WRONG), max=1, losses=2),
    "sent twice, the failure that locks": Scenario((WRONG, RIGHT), max=2, losses=2, seeded=(EVE,)),
    "a success sent twice": Scenario((RIGHT, RIGHT, OTHER), max=1, losses=1),
    "a crash": Scenario((WRONG, OTHER, RIGHT), max=2, crashes=1),
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
    "a lock passes": Scenario((WRONG, LATE), max=1, ticks=(LOCK, WINDOW)),
    "a rolling window passes": Scenario((EARLY, LATE), max=1, rule=ROLLING, ticks=(WINDOW // 2, WINDOW // 2)),
    "a ceiling": Scenario((WRONG, WRONG, WRONG), max=1, ceiling=2),
    "a ceiling that falls first": Scenario((WRONG, OTHER, RIGHT), max=2, ceiling=1),
    "a challenge": Scenario((WRONG, WRONG, OTHER), max=2, unsolved=1),
    "a challenge, solved by one": Scenario((WRONG, WRONG, SOLVED), max=2, unsolved=1, losses=1),
    "a challenge, solved by the right one": Scenario((WRONG, OTHER, RIGHT_SOLVED), max=3, unsolved=1, seeded=(BOB,)),
    "a challenge, a crash": Scenario((WRONG, SOLVED), max=2, unsolved=1, crashes=1, losses=1),
    "a challenge, one by one": Scenario((WRONG, OTHER), max=2, unsolved=1, ceiling=2, kind="single", losses=1),
    "a challenge, a window passes": Scenario((EARLY, SOLVED), max=2, unsolved=1, ticks=(WINDOW,)),
    "two clients under a ceiling that falls first": Scenario((OTHER, BESIDE, RIGHT), max=2, ceiling=2),
    "a ceiling, sent twice, a reset": Scenario((WRONG, OTHER), max=1, ceiling=2, losses=1, resets=1),
    "a spread": Scenario((WRONG, OTHER, THIRD), max=9, spread=2),
    "a spread, or max": Scenario((WRONG, WRONG, OTHER), max=2, spread=2),
    "a spread, rolling": Scenario((WRONG, OTHER, THIRD), max=9, spread=2, rule=ROLLING),
    "a success gives back a name, another completes the spread": Scenario(
        (RIGHT, OTHER, THIRD), max=9, spread=2, seeded=(BOB,)
    ),
    "a success gives back a name, little by little": Scenario(
        (RIGHT, OTHER, THIRD), max=9, spread=2, seeded=(BOB,), rule=LITTLE
    ),
    "a spread, sent twice, the failure that locks": Scenario((OTHER, RIGHT), max=9, spread=2, losses=2, seeded=(BOB,)),
    "a spread, a crash": Scenario((WRONG, OTHER, THIRD), max=9, spread=2, crashes=1),
    "a spread, a reset": Scenario((WRONG, OTHER), max=9, spread=1, resets=1),
    "a spread, an outage": Scenario((WRONG, OTHER), max=9, spread=1, outages=1),
    "a spread, a minute passes, a crash": Scenario((WRONG, OTHER), max=9, spread=1, ticks=(MINUTE,), crashes=1),
    "a spread under a ceiling, two clients": Scenario((WRONG, BESIDE, WRONG), max=1, ceiling=9, spread=1),
    "a spread, one by one": Scenario((WRONG, BESIDE), max=1, ceiling=9, spread=1, kind="single", losses=1),
    "a spread, guarded": Scenario((WRONG, OTHER), max=9, spread=1, kind="guarded"),
    "one by one": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single"),
    "one by one, sent twice, hasty": Scenario((HASTY, RIGHT), max=1, ceiling=2, kind="single", losses=1),
    "two caches, a window passes": Scenario((WRONG,), max=1, ceiling=2, aliases=True, ticks=(WINDOW, 1)),
    "one by one, a crash": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", crashes=1),
    "one by one, an outage": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", outages=1),
    "one by one, undone": Scenario((UNDONE, OTHER, WRONG), max=1, ceiling=1, kind="single"),
    "two caches": Scenario((WRONG, OTHER), max=1, ceiling=2, aliases=True, losses=1),
    "two caches, an outage": Scenario((WRONG, OTHER), max=1, ceiling=2, aliases=True, outages=1),
    "two caches, an outage, open": Scenario((WRONG, OTHER), max=1, ceiling=2, aliases=True, outages=1, fail_open=True),
    "guarded": Scenario((WRONG, OTHER, RIGHT), max=1, kind="guarded"),
    "guarded, sent twice": Scenario((WRONG, RIGHT), max=2, ceiling=3, kind="guarded", losses=2, seeded=(EVE,)),
    "guarded, a window": Scenario((WRONG, OTHER), max=1, kind="guarded", ticks=(WINDOW,)),
    "guarded, an outage": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="guarded", outages=1),
}

# Only in full: there are more worlds of them, or smaller ones of the same kind above.
LARGE = {
    "one by one, a window": Scenario((WRONG, OTHER), max=1, ceiling=2, kind="single", ticks=(WINDOW,)),
    "a spread, a rolling window passes": Scenario((OTHER, LATE), max=9, spread=1, rule=LITTLE, ticks=(WINDOW, 1)),
    "a spread, a window passes": Scenario((EARLY, OTHER), max=9, spread=1, ticks=(WINDOW, 1)),
    "a spread, a lock passes": Scenario((WRONG, LATE), max=9, spread=1, ticks=(LOCK, WINDOW)),
    "a window passes, a crash": Scenario((WRONG, OTHER), max=1, ticks=(WINDOW, 1), crashes=1),
    "a window passes, an outage": Scenario((WRONG, OTHER), max=1, ticks=(WINDOW,), outages=1),
    "two clients under a ceiling": Scenario((WRONG, WRONG, BESIDE), max=2, ceiling=3, losses=1),
    "one by one, right": Scenario((RIGHT, OTHER, RIGHT), max=2, ceiling=1, kind="single"),
    "sent twice, right and wrong": Scenario((WRONG, OTHER, RIGHT), max=2, losses=1),
    "growing locks pass": Scenario((WRONG, WRONG), max=1, rule=GROWING, ticks=(LOCK, 2 * LOCK)),
    "a spread, sent twice": Scenario((WRONG, OTHER, THIRD), max=9, spread=2, losses=1),
    "a rolling window passes, no lock": Scenario((EARLY, OTHER), max=1, rule=LITTLE, ticks=(WINDOW, 1)),
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
    "one by one, three guesses": Scenario((WRONG, WRONG, WRONG), max=1, ceiling=2, kind="single"),
    "all at once, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, crashes=1, resets=1, outages=1, losses=1),
    "a window passes, a reset, three guesses": Scenario((EARLY, OTHER, RIGHT), max=1, ticks=(WINDOW,), resets=1),
    "a window passes, sent twice, three guesses": Scenario((EARLY, OTHER, RIGHT), max=1, ticks=(WINDOW,), losses=1),
    "one by one, sent twice, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, ceiling=2, kind="single", losses=1),
    "one by one, an outage, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, ceiling=2, kind="single", outages=1),
    "one by one, a crash, three guesses": Scenario((WRONG, OTHER, RIGHT), max=2, ceiling=1, kind="single", crashes=1),
    "one by one, a reset, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, ceiling=2, kind="single", resets=1),
    "one by one, two windows": Scenario((EARLY, LATE), max=1, ceiling=2, kind="single", ticks=(WINDOW, WINDOW)),
    "one by one, a window, a reset": Scenario(
        (WRONG, OTHER), max=1, ceiling=2, kind="single", ticks=(WINDOW,), resets=1
    ),
    "guarded, all at once": Scenario(
        (WRONG, OTHER, RIGHT), max=1, ceiling=2, kind="guarded", crashes=1, resets=1, ticks=(MOMENT,)
    ),
    "guarded, a crash, an outage, a moment passes": Scenario(
        (WRONG, RIGHT), max=1, ceiling=2, kind="guarded", crashes=1, outages=1, ticks=(MOMENT,)
    ),
    "two caches, an outage, three guesses": Scenario((WRONG, OTHER, RIGHT), max=1, ceiling=2, aliases=True, outages=1),
    "growing locks pass, three guesses": Scenario((WRONG, OTHER, WRONG), max=1, rule=GROWING, ticks=(LOCK, 2 * LOCK)),
}
CHOSEN = SCENARIOS | LARGE if IN_FULL else SCENARIOS


@pytest.mark.parametrize("scenario", CHOSEN.values(), ids=CHOSEN)
def test_no_interleaving_breaks_a_rule(scenario):
    """Never more than `max` outstanding guesses, no early lock, nothing freed unproven, in any order of the steps."""
    explore.__wrapped__(scenario, rules_at_the_end, 50)  # traced, so that tests/mutants.py knows which lines this runs
    worlds, ends = explore(scenario, rules_at_the_end)
    assert worlds > ends > 0

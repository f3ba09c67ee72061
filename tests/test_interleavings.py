"""The rules of the protocol, proven in every interleaving of two or three guesses."""

from collections import Counter

import pytest

from tests.explorer import Done, Plan, Scenario, World, explore
from tests.sizes import IN_FULL

BOB, EVE = Plan("bob"), Plan("eve")  # wrong guesses
BOBS = Plan("bob", right=True)
WITHDRAWN = Plan("bob", release=True)

SCENARIOS = {
    "two wrong for one slot": Scenario((BOB, EVE), max=1),
    "two wrong for two slots": Scenario((BOB, EVE), max=2),
    "three wrong for one slot": Scenario((BOB, EVE, BOB), max=1),
    "two right for one slot": Scenario((BOBS, BOBS), max=1),
    "three right for one slot": Scenario((BOBS, BOBS, BOBS), max=1),
    "right and wrong for one slot": Scenario((BOBS, EVE), max=1),
    "success forgives while a failure completes": Scenario((BOBS, EVE), max=2, seeded=("bob",)),
    "success forgives none of another": Scenario((BOBS, EVE), max=3, seeded=("eve", "eve")),
    "two successes race for one failure": Scenario((BOBS, BOBS, EVE), max=2, seeded=("bob",)),
    "two successes race for two failures": Scenario((BOBS, BOBS), max=3, seeded=("bob", "bob")),
    "success forgives, readings torn": Scenario((BOBS, EVE), max=2, seeded=("bob",), torn=True),
    "two successes and a failure, readings torn": Scenario((BOBS, EVE, EVE), max=3, seeded=("bob", "eve"), torn=True),
    "wrong guesses under a ceiling": Scenario((BOB, EVE), max=1, ceiling=2),
    "the ceiling falls first": Scenario((BOB, EVE), max=2, ceiling=1),
    "right and wrong under a ceiling": Scenario((BOBS, EVE), max=1, ceiling=1),
    "a guess that is never made": Scenario((WITHDRAWN, BOB, EVE), max=1),
    "nobody waits": Scenario((BOB._replace(patience=0), EVE._replace(patience=0)), max=1),
    "the window ends": Scenario((BOB, EVE), max=1, expiries=1),
    "the window ends, a failure is on record": Scenario((BOB, BOBS), max=2, seeded=("bob",), expiries=1),
    "the window ends under a ceiling": Scenario((BOB,), max=1, ceiling=1, expiries=2),
    "a long pause": Scenario((BOB, EVE), max=1, pauses=1),
    "a long pause, a failure is on record": Scenario((BOB, BOBS), max=2, seeded=("bob",), pauses=1),
    "a reset": Scenario((BOB, EVE), max=1, resets=1),
    "a reset while a success forgives": Scenario((EVE, BOBS), max=2, seeded=("bob",), resets=1),
    "a crash": Scenario((BOB, EVE), max=1, crashes=1),
    "a crash with two slots": Scenario((BOB, EVE), max=2, crashes=1),
    "a crash while forgiving": Scenario((BOBS, EVE), max=2, seeded=("bob",), crashes=1),
    "a crash under a ceiling": Scenario((BOB, EVE), max=1, ceiling=1, crashes=1),
    "a crash of the completing failure heals": Scenario((BOB, EVE), max=2, seeded=("bob",), crashes=1),
}

# The largest searches are for continuous integration, so that the tests take less than two minutes at home.
LARGE = {
    "three wrong for one slot",
    "two successes and a failure, readings torn",
    "a guess that is never made",
    "the window ends",
    "a long pause",
    "a crash under a ceiling",
    "a long pause, a failure is on record",
    "wrong guesses under a ceiling",
}
CHOSEN = {name: SCENARIOS[name] for name in SCENARIOS if IN_FULL or name not in LARGE}


def rules_at_the_end(world: World) -> None:
    """What must be true when all is said and done; rules 1, 3 and 8 are checked at every step by the world itself."""
    scenario, ends = world.scenario, [guess for guess in world.guesses if isinstance(guess, Done)]
    announced = Counter(name for end in ends for name in end.announced)
    assert all(end.how != "outage" for end in ends) or scenario.pauses, "a healthy store was called dead"
    if not scenario.calm:
        return
    assert len(ends) == len(world.guesses), "rule 2: a guess waits for ever"
    assert announced == Counter(world.locks), "rule 3: a lock was announced twice, or never"
    assert not any(" undecided " in value for value, _ in world.cache.values()), "rule 5: a slot was left behind"
    assert all(end.how != "busy" for end in ends) or any(plan.patience == 0 for plan in scenario.plans), "rule 2: busy"
    for counter in scenario.counters:
        failures = sum(1 for slot, _ in world.marked if slot.startswith(f"{counter.key}."))
        if failures == counter.max:
            assert (world.get(counter.key) or "").startswith("locked"), "rule 3: full, and no lock"
    if not scenario.seeded and all(plan in (BOB, EVE) for plan in scenario.plans):
        assert world.verified == min(len(ends), *(counter.max for counter in scenario.counters)), "an early lock"


@pytest.mark.parametrize("scenario", CHOSEN.values(), ids=CHOSEN)
def test_no_interleaving_breaks_a_rule(scenario):
    """Never more than `max` outstanding guesses, no early lock, nothing freed unproven, in any order of the steps."""
    worlds, ends = explore(scenario, rules_at_the_end)
    assert worlds > ends > 0

"""What must be true of a world of tests/explorer.py in which nothing can happen any more."""

from collections import Counter

from tests.explorer import World
from tests.lives import Done, occupancy


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
    alike = len({plan.solves for plan in scenario.plans}) == 1
    if alike and all(plan[:3:2] == ("wrong", "K") and plan.patience for plan in scenario.plans) and not scenario.seeded:
        unsolved, names = not scenario.plans[0].solves, {plan.tag for plan in scenario.plans}
        most = min((unsolved and rule.unsolved) or rule.max for rule in scenario.rules.values())
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

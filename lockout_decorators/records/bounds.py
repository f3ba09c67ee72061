"""How many wrong guesses a rule lets a client have, at most: arithmetic, no clock.

A client has two ways, and may mix them. It trips the lock: `max` guesses at once, and the lock is the price. Or it
stays one below it: `max - 1` guesses at once, and the window is the price. A lock that grows is cheap while the level
is low; so a client may also climb some levels, and then stay below until they are forgotten.

Guesses are taken to be verified in no time. Times are milliseconds.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import ceil, inf

from .rule import Rule

SECOND = 1000


def per_second(rule: Rule) -> float:
    """In the long run: `max(max / lockout, (max - 1) / window)`, and more where growing locks are forgotten."""
    return SECOND * max(_rates(rule))


def within(rule: Rule, time: int) -> int:
    """In any stretch that is shorter than `time`, by ever so little.

    The worst one begins as a fixed window ends, `max - 1` guesses in its last moment. (So many only if whoever opened
    the window was forgiven meanwhile; else one less.) Where growing locks are forgotten within the stretch this is a
    bound, and not what is reached.
    """
    fresh = _from_fresh(rule, time)
    return fresh if rule.rolling else max(fresh, rule.max - 1 + _from_fresh(rule, time - 1))


def _from_fresh(rule: Rule, time: int) -> int:
    """Of a client that begins with free slots; the lock that its last guess trips costs nothing any more."""
    costs, fastest = _costs(rule), max(_rates(rule))
    if rule.grows and min(_lengths(rule)) + rule.forget < time:
        return rule.max + int(sum(max(0, rule.max - fastest * cost) for cost in costs) + fastest * time)
    return max(_climbing(rule, costs[level:], time) for level in range(len(costs)))


def _climbing(rule: Rule, costs: Sequence[float], time: float) -> int:
    """By locks of these costs one after another, the last of them again and again, and windows that stay below."""
    found = 0
    for level, cost in enumerate(costs, 1):
        if time > 0:
            found = max(found, rule.max * level + _mixed(rule, cost if level == len(costs) else inf, time))
        time -= cost
    return found


def _rates(rule: Rule) -> Iterator[float]:
    """Guesses a millisecond, way by way."""
    costs, below = _costs(rule), rule.max - 1
    yield rule.max / costs[-1]
    yield below / rule.window
    for level, spent in enumerate(accumulate(costs), 1) if rule.grows else ():
        idle = costs[level - 1] - _lengths(rule)[level - 1]
        least = max(rule.forget - idle, 0)  # until the level is forgotten
        for waited in (least, ceil(least / rule.window) * rule.window):
            yield (rule.max * level + below * (waited // rule.window)) / (spent + waited)


def _costs(rule: Rule) -> list[float]:
    """From tripping a lock until `max` slots are free again, lock by lock."""
    return [max(length, rule.window) if rule.rolling else length for length in _lengths(rule)]


def _lengths(rule: Rule) -> list[float]:
    return [inf if length is None else length for length in rule.lengths or (0,)]


def _mixed(rule: Rule, cost: float, time: float) -> int:
    """By any number of locks that cost the same, and of windows that stay below.

    A lock instead of a window brings one guess more. How many there are of both is best at an end of its range.
    """
    locks, windows = (time - 1) // cost, (time - 1) // rule.window
    if cost <= rule.window:
        return int(rule.max * locks)
    rounds = (locks, min(locks + 1, windows), windows)
    return int(max((rule.max - 1) * n + min(n, (time - 1 - n * rule.window) // (cost - rule.window)) for n in rounds))

"""Everything that can happen to a record and its model, up to a depth. Not measured, as tests/sizes.py says."""

from dataclasses import replace
from itertools import product
from math import inf

from lockout_decorators.records.record import NOBODY
from lockout_decorators.records.rule import Rule
from tests.both import TAGS, WHO, Both, name
from tests.model import Model
from tests.sizes import IN_FULL, untraced


def copy_of(both: Both) -> Both:
    model = Model(
        both.model.rule, [replace(one) for one in both.model.entries], [replace(one) for one in both.model.locks]
    )
    copied = object.__new__(Both)
    copied.__dict__.update(both.__dict__, model=model, seen=set(both.seen))
    return copied


def candidates(both: Both, open: tuple[tuple[int, str], ...]) -> list[str]:
    """Whom the next guess may be at: of names that are not known yet one is as good as another."""
    if not both.rule.spread:
        return [NOBODY]
    known = {who for _, who in open} | {slot.who for slot in both.record.slots}
    return sorted({NOBODY, *known, next((who for who in WHO if who not in known), NOBODY)})


def steps(both: Both, begun: int, open: tuple[tuple[int, str], ...]):
    """Everything that can happen next: to the pair, how many guesses have begun, and which are still open."""
    for who in candidates(both, open) if len(open) <= both.rule.max else ():
        after = copy_of(both)
        admitted = after.admit(name(begun), TAGS[begun % 2], who=who)
        yield after, begun + 1, (*open, (begun, who)) if admitted else open
    for guess, who in open:
        left = tuple(other for other in open if other != (guess, who))
        for verdict in ("fail", "succeed", "release", "abandon"):
            after = copy_of(both)
            tag = TAGS[guess % 2]
            arguments = {"fail": (tag, who), "succeed": (tag,), "release": (), "abandon": ()}[verdict]
            getattr(after, verdict)(name(guess), *arguments)
            yield after, begun, left
    for ticks in (1, 3):
        after = copy_of(both)
        after.now += ticks
        yield after, begun, open
    after = copy_of(both)
    after.reset()
    yield after, begun, open


@untraced
def every_sequence(rule: Rule, depth: int) -> bool:
    """Of guesses that begin and end in any order, time that passes between them, and resets: whether one locks."""
    level, seen = [(Both(rule), 0, ())], set()
    short = any(one is not None and one < rule.window for one in rule.lengths)
    bound = 1 if rule.rolling else inf if short else 2
    for _ in range(depth):
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
    return any(both.record.locked for both, *_ in level)


@untraced
def every_deploy(rule: Rule, stride: int = 1 if IN_FULL else 7) -> int:
    """Of another maximum, spread, and of other locks, at any moment of a client that fails for a while; how many."""
    later = [(1,), (2, 4), (None,)] + [()] * rule.rolling
    choices = [*product((0, 1, 2), (0, 1, 2), (0, 1, 3), (1, 2, 3), (0, 1, 2), later)][::stride]
    for failures, late, ticks, max, spread, lengths in choices:
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
    return len(choices)

"""The moves: how a record changes. Pure functions `(record, rule, now, ...) -> record`; what is over is pruned first.

Only failures lock, in the move that completes `max` of them, or the names of the spread. A move that was made already
changes nothing: a guess is known by its occupancy, so a command that was sent twice, its first reply lost, counts once.
"""

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from .record import ABANDONED, EMPTY, FOREVER, HIGHEST, MOST, NOBODY, UNTAGGED, WHEN, Record, Slot, spell_time
from .rule import Rule

STALE = 60_000  # an undecided guess older than this has lost its worker: nobody waits for it


class Refusal(NamedTuple):
    """Why a guess was not admitted.

    Attributes:
        until: When the next guess would be admitted, as far as the record tells; `FOREVER`: not before a reset.
        waits: Whether it may be sooner: a guess that is still being verified may give its slot back.
        unsolved: Whether that is all only because its challenge is not solved.
    """

    until: int
    waits: bool = False
    unsolved: bool = False


def prune(record: Record, rule: Rule, now: int) -> Record:
    """Without what is over: the lock, the slots, the level of growing locks."""
    window, since, until, reference, level, slots = record
    if not until and ((window > now and not rule.rolling) or not (window or slots)):
        return record
    if since:
        until = lock_end(record, rule)
    if until and until <= now:
        since, reference = 0, ""
        if not rule.grows or until + rule.forget <= now:
            until = level = 0
    if rule.rolling:
        start = spell_time(now - rule.window)
        slots = tuple([slot for slot in slots if slot[WHEN] > start])
    elif window <= now:
        window, slots = 0, ()
    return Record(window, since, until, reference, level, slots)


def lock_end(record: Record, rule: Rule) -> int:
    """When the lock ends: as written, or sooner if the rule's locks are shorter by now."""
    length = rule.length(record.level)
    return record.until if length is None else min(record.until, record.since + length)


def refusal(
    record: Record, rule: Rule, now: int, own: Set[str] = frozenset(), who: str = NOBODY, solved: bool = True
) -> Refusal | None:
    """Why a pruned record admits no guess at `who`, or none whose challenge is not `solved`; None if it does. Nobody
    waits for guesses of its `own` request."""
    if rule.unsolved and not solved:
        return _unsolved(record, rule, now, own, who)
    if record.locked:
        left = rule.rolling and refusal(prune(record, rule, record.until), rule, record.until, who=who)
        return Refusal(left.until if left else record.until)
    room = len(record.slots) < rule.max
    full = None if room else _crowded(record, rule, now, own, [*enumerate(record.slots)], rule.max)
    if not 0 < rule.spread <= len(record.slots) or who == NOBODY:
        return full
    if len(tried := record.tried) < rule.spread or who in tried:
        return full
    named: list[tuple[int | str, Slot]] = [(slot.who, slot) for slot in record.slots if slot.who != NOBODY]
    wide = _crowded(record, rule, now, own, named, rule.spread)
    return wide if full is None else max(full, wide, key=lambda one: (one.until, not one.waits))


def _crowded(
    record: Record, rule: Rule, now: int, own: Set[str], places: Sequence[tuple[int | str, Slot]], most: int
) -> Refusal:
    """When there is room again where `most` places are held, each by the slots that come with it."""
    failed = {place for place, slot in places if slot.failed}
    undecided = [slot for place, slot in places if place not in failed]
    alive = {slot.occupancy for slot in undecided if slot.when + STALE > now} - {ABANDONED}
    if alive and len(failed) < most:
        return Refusal(now + 1000, waits=not alive <= own)
    if not rule.rolling:
        return Refusal(record.window)
    last: dict[int | str, int] = {}
    for place, slot in places:
        last[place] = max(last.get(place, 0), slot.when)
    return Refusal(sorted(last.values())[len(last) - most] + rule.window)  # enough of them have left by then


def share(record: Record, rule: Rule, solved: bool = True) -> float:
    """How much of what a record has room for is held by failures: from nothing, 0, to all, 1."""
    held = record.failures / (rule.max if solved else rule.unsolved)
    return max(held, record.names / rule.spread) if rule.spread else held


def admit(
    record: Record, rule: Rule, now: int, guess: Slot, own: Set[str] = frozenset(), solved: bool = True
) -> Record | Refusal:
    """Take a slot for a guess that is about to be verified: `guess` is its slot, `own` and `solved` see refusal()."""
    record = prune(record, rule, now)
    if record.slot_of(guess.occupancy):
        return record
    return refusal(record, rule, now, own, guess.who, solved) or _with(record, rule, now, guess.at(now))


def fail(record: Record, rule: Rule, now: int, guess: Slot, reference: str) -> Record:
    """Enter a failure: `guess` is its slot as it shall be. The one that completes `max`, or by a further name the
    spread, writes the lock. One that comes late, its slot gone with the window, is entered all the same; under a lock
    it changes nothing.
    """
    record = prune(record, rule, now)
    own = record.slot_of(guess.occupancy)
    if (own and own.failed) or (own is None and record.locked):
        return record
    failed = _with(record, rule, now, guess.at(now, failed=True), own)
    full, wide = failed.failures >= rule.max, 0 < rule.spread <= failed.names > record.names
    if failed.locked or not (full or wide) or not rule.lengths:
        return failed
    level = min(record.level + 1, HIGHEST)  # of the last lock; where locks do not grow, that is forgotten
    length = rule.length(level)
    slots, window = (failed.slots, failed.window) if rule.rolling else ((), 0)
    return Record(window, now, FOREVER if length is None else now + length, reference, level, slots)


def succeed(record: Record, rule: Rule, now: int, occupancy: str, tag: str = UNTAGGED) -> Record:
    """Give the guess's slot back, and those of the failures that it proves to be the same person's."""
    record = prune(record, rule, now)
    return _keep(record, _unproven([slot for slot in record.slots if slot.occupancy != occupancy], tag))


def release(record: Record, rule: Rule, now: int, occupancy: str) -> Record:
    """Give back the slot of a guess that was never made."""
    record = prune(record, rule, now)
    return _keep(record, [slot for slot in record.slots if slot.failed or slot.occupancy != occupancy])


def abandon(record: Record, rule: Rule, now: int, occupancy: str) -> Record:
    """Nobody will ever know of the guess: its slot stays taken as long as an undecided one, and nobody waits for it."""
    record = prune(record, rule, now)
    slots = [slot if slot.failed or slot.occupancy != occupancy else slot.abandoned() for slot in record.slots]
    return _keep(record, slots)


def forgive(record: Record, rule: Rule, now: int, tags: Iterable[str], lift: bool) -> Record:
    """Free the failures of `tags`, and with `lift` the lock: of a counter that is about that account alone."""
    record = prune(record, rule, now)
    if lift and record.locked:
        record = prune(record._replace(until=now), rule, now)
    slots: Sequence[Slot] = record.slots
    for tag in tags:
        slots = _unproven(slots, tag)
    return _keep(record, slots)


def reset() -> Record:
    """Forget everything."""
    return EMPTY


def lasts_until(record: Record, rule: Rule) -> int:
    """When the last of a record is over: its entry has to outlive that. 0 for an empty one."""
    ends = [record.window]
    if record.until:
        ends.append(record.until + rule.forget if rule.grows and record.until < FOREVER else record.until)
    if rule.rolling and record.slots:
        ends.append(int(max([slot[WHEN] for slot in record.slots]), 16) + rule.window)
    return max(ends)


def _unsolved(record: Record, rule: Rule, now: int, own: Set[str], who: str) -> Refusal | None:
    """What refuses everybody for good does so; else only the first slots are open."""
    why = refusal(record, rule, now, own, who)
    if why and not why.waits:
        return why
    first = refusal(record, rule._replace(max=rule.unsolved, spread=0), now, own)
    return first._replace(unsolved=True) if first else why


def _unproven(slots: Sequence[Slot], tag: str) -> Sequence[Slot]:
    """Without the failures that `tag` forgives."""
    return slots if tag == UNTAGGED else [slot for slot in slots if slot.tag != tag or not slot.failed]


def _with(record: Record, rule: Rule, now: int, slot: Slot, old: Slot | None = None) -> Record:
    """With one more slot, in the place of an `old` one, or of too many; the first of a fixed window opens it."""
    window, since, until, reference, level, slots = record
    if len(slots) >= MOST and len(slots) > rule.max and old is None:
        old = next((one for one in slots if one.failed), None)
    kept = slots if old is None else [other for other in slots if other is not old]
    window = 0 if rule.rolling else window or now + rule.window
    return Record(window, since, until, reference, level, (*kept, slot))


def _keep(record: Record, slots: Sequence[Slot]) -> Record:
    """With only these slots; a window without any is none."""
    window, since, until, reference, level, _ = record
    return Record(window if slots else 0, since, until, reference, level, tuple(slots))

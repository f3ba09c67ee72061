"""The record: all that stands on file for a counter, as a small value and as one short text.

Times are milliseconds since 1970. The text is ASCII, lower-case letters, digits and separators only, since some
databases compare case-blind:

    stamp.window.since.until.reference.level.count.slot-slot-...

A slot is of fixed width: a letter (u: undecided, f: failed), when, the occupancy, who is tried, and the tag.
"""

from typing import NamedTuple

STAMP, OCCUPANCY, WHO, TAG = 16, 6, 5, 8  # hexadecimal digits
NOBODY, UNTAGGED = "0" * WHO, "0" * TAG
TIME = 11  # hexadecimal digits of a time: until the year 2527
FOREVER = 0xFFFFFFFFFFF  # the end of what ends only by a reset
FIELDS = 8
WIDTH = 1 + TIME + OCCUPANCY + WHO + TAG

# Where the fields of a slot begin.
_OCCUPANCY = 1 + TIME
_WHO = _OCCUPANCY + OCCUPANCY
_TAG = _WHO + WHO


class Slot(NamedTuple):
    """One of the `max` places that guesses occupy.

    Attributes:
        failed: The guess was wrong; else it is undecided.
        when: When it failed; of an undecided one, when it was admitted.
        occupancy: Random, so that a guess finds its own.
        who: A short digest of the identity tried.
        tag: Which success forgives it; `UNTAGGED`: none.
    """

    failed: bool
    when: int
    occupancy: str
    who: str = NOBODY
    tag: str = UNTAGGED

    def __str__(self) -> str:
        return f"{'f' if self.failed else 'u'}{self.when:0{TIME}x}{self.occupancy}{self.who}{self.tag}"

    @classmethod
    def parse(cls, text: str) -> "Slot":
        if len(text) != WIDTH or text[0] not in "uf":
            raise ValueError(f"no slot: {text!r}")
        when = int(text[1:_OCCUPANCY], 16)
        return cls(text[0] == "f", when, text[_OCCUPANCY:_WHO], text[_WHO:_TAG], text[_TAG:])


class Record(NamedTuple):
    """All that stands on file for a counter.

    Attributes:
        window: When the open window ends; 0 without one, and where the window rolls.
        since: When the lock began; 0 without one.
        until: When the lock ends, or the last one ended; `FOREVER`: when it is reset.
        reference: The code of the lock; empty without one.
        level: How many locks have followed each other, for those that grow.
        slots: The guesses, oldest first.
    """

    window: int = 0
    since: int = 0
    until: int = 0
    reference: str = ""
    level: int = 0
    slots: tuple[Slot, ...] = ()

    @property
    def locked(self) -> bool:
        return self.since > 0

    @property
    def failures(self) -> int:
        return sum([slot.failed for slot in self.slots])


EMPTY = Record()


def spell(record: Record, stamp: str) -> str:
    """`record` as text, under the random `stamp` of the move that wrote it."""
    slots = "-".join([str(slot) for slot in record.slots])
    head = f"{stamp}.{record.window:x}.{record.since:x}.{record.until:x}"
    return f"{head}.{record.reference}.{record.level:x}.{len(record.slots):x}.{slots}"


def parse(text: str) -> Record:
    """The record that `text` spells. Raises ValueError for anything else, half a record too."""
    fields = text.split(".")
    if len(fields) != FIELDS or len(fields[0]) != STAMP:
        raise ValueError("no record")
    _, window, since, until, reference, level, count, slots = fields
    found = tuple([Slot.parse(slot) for slot in slots.split("-")]) if slots else ()
    if len(found) != int(count, 16):
        raise ValueError("a record cut short")
    return Record(int(window, 16), int(since, 16), int(until, 16), reference, int(level, 16), found)

"""The record: all that stands on file for a counter, as a small value and as one short text.

Times are milliseconds since 1970. The text is ASCII, lower-case letters, digits and separators only, since some
databases compare case-blind:

    stamp.window.since.until.reference.level.count.slot-slot-...

A slot is of fixed width: a letter (u: undecided, f: failed), when, the occupancy, who is tried, and the tag.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

STAMP, OCCUPANCY, WHO, TAG = 16, 8, 5, 8  # hexadecimal digits
NOBODY, UNTAGGED = "0" * WHO, "0" * TAG
ABANDONED = "f" * OCCUPANCY  # of a guess that nobody will ever know the outcome of
TIME = 11  # hexadecimal digits of a time: until the year 2527
_TIMED = f"%0{TIME}x"
FOREVER = 0xFFFFFFFFFFF  # the end of what ends only by a reset
HIGHEST = 0xFFFF  # level that a record can tell
MOST = 1000  # failures without a slot that a record keeps where nothing locks; of a greater `max` as many

# Where the fields of a slot stand.
WHEN = slice(1, 1 + TIME)
_OCCUPANCY = slice(WHEN.stop, WHEN.stop + OCCUPANCY)
_WHO = slice(_OCCUPANCY.stop, _OCCUPANCY.stop + WHO)
_TAG = slice(_WHO.stop, _WHO.stop + TAG)

_SLOT = f"[uf][0-9a-f]{{{_TAG.stop - 1}}}"
_TIME, _SMALL = f"([0-9a-f]{{1,{TIME}}})", "([0-9a-f]{1,4})"
_SHAPE = re.compile(
    rf"[0-9a-f]{{{STAMP}}}\.{_TIME}\.{_TIME}\.{_TIME}\.([0-9a-z]*)\.{_SMALL}\.{_SMALL}\.((?:{_SLOT}(?:-{_SLOT})*)?)"
)


def spell_time(time: int) -> str:
    """Of fixed width, so that of two times the later one is the greater text."""
    return _TIMED % time


class Slot(str):
    """One of the `max` places that guesses occupy; it is its own text, since of hundreds only one or two are looked at.

    Attributes:
        failed: The guess was wrong; else it is undecided.
        when: When it failed; of an undecided one, when it was admitted.
        occupancy: Random, so that a guess finds its own.
        who: A short digest of the identity tried.
        tag: Which success forgives it; `UNTAGGED`: none.
    """

    __slots__ = ()

    def __new__(cls, failed: bool, when: int, occupancy: str, who: str = NOBODY, tag: str = UNTAGGED) -> "Slot":
        return _slot(f"{'f' if failed else 'u'}{_TIMED % when}{occupancy}{who}{tag}")

    @property
    def failed(self) -> bool:
        return self[0] == "f"

    @property
    def when(self) -> int:
        return int(self[WHEN], 16)

    @property
    def occupancy(self) -> str:
        return self[_OCCUPANCY]

    @property
    def who(self) -> str:
        return self[_WHO]

    @property
    def tag(self) -> str:
        return self[_TAG]

    def at(self, when: int, failed: bool = False) -> "Slot":
        """The same guess's slot at another time."""
        return _slot(f"{'f' if failed else 'u'}{_TIMED % when}{self[WHEN.stop :]}")

    def abandoned(self) -> "Slot":
        """The same guess's slot, of which nobody will say anything more."""
        return _slot(self[: _OCCUPANCY.start] + ABANDONED + self[_OCCUPANCY.stop :])

    def tagged(self, tag: str) -> "Slot":
        """The same guess's slot, forgiven by another success."""
        return _slot(self[: _TAG.start] + tag)


_slot: Callable[[str], Slot] = partial(str.__new__, Slot)


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
        return len(self.slots) - "".join(self.slots).count("u")  # which is no hexadecimal digit

    @property
    def tried(self) -> set[str]:
        """The names that guesses are at, and failures; a guess without a name is at none."""
        return {slot[_WHO] for slot in self.slots} - {NOBODY}

    @property
    def names(self) -> int:
        """At how many of them there are failures."""
        return len({slot[_WHO] for slot in self.slots if slot[0] == "f"} - {NOBODY})

    def slot_of(self, occupancy: str) -> Slot | None:
        for slot in self.slots:
            if slot[_OCCUPANCY] == occupancy:
                return slot
        return None


EMPTY = Record()


def spell(record: Record, stamp: str) -> str:
    """`record` as text, under the random `stamp` of the move that wrote it."""
    window, since, until, reference, level, slots = record
    return f"{stamp}.{window:x}.{since:x}.{until:x}.{reference}.{level:x}.{len(slots):x}.{'-'.join(slots)}"


def parse(text: str) -> Record:
    """The record that `text` spells. Raises ValueError for anything else, half a record too."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ValueError("no record")
    window, since, until, reference, level, count, slots = shape.groups()
    found = tuple(map(_slot, slots.split("-"))) if slots else ()
    if len(found) != int(count, 16):
        raise ValueError("a record cut short")
    return Record(int(window, 16), int(since, 16), int(until, 16), reference, int(level, 16), found)

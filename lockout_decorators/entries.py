"""What a store holds for a client, and what a reading saw of it. Values and views only: no I/O, no clock, no Django."""

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import NamedTuple

PIECE = 8  # slots read at first; each further piece doubles what is known


class Slot(NamedTuple):
    """What a taken slot holds: whose it is (random), whether the guess failed, and the tag of who was tried."""

    occupancy: str
    failed: bool
    tag: str

    @classmethod
    def parse(cls, entry: str | None) -> "Slot | None":
        if entry is None:
            return None
        occupancy, state, tag = entry.split(" ", 2)
        return cls(occupancy, state == "failed", tag)

    def __str__(self) -> str:
        return f"{self.occupancy} {'failed' if self.failed else 'undecided'} {self.tag}"


class Counter(NamedTuple):
    """One client under one policy: the key of its head, its number of slots, and seconds."""

    key: str
    max: int
    window: float
    lockout: float | None

    def entry(self, generation: str, name: object) -> str:
        """The key of an entry of a generation: a slot by its number, an election by what it is about."""
        return f"{self.key}.{generation}.{name}"


class View:
    """What was seen of a counter: the head, and the slots read so far (None: free).

    Attributes:
        locked: Whether the head is a lock.
        generation: The generation of the open window; empty without one.
    """

    __slots__ = ("counter", "generation", "head", "locked", "piece", "slots")

    def __init__(self, counter: Counter, head: str | None = None) -> None:
        self.counter: Counter = counter
        self.turn(head)

    def turn(self, head: str | None) -> None:
        """Another head: of what lies under it nothing is known."""
        self.head: str | None = head
        self.locked: bool = head is not None and head.startswith("locked")
        self.generation: str = "" if head is None or self.locked else head.rpartition(" ")[2]
        self.slots: dict[int, Slot | None] = {}
        self.piece: range = range(0)

    @property
    def until(self) -> float | None:
        """The end of the lock by the clock of the host that wrote it; None for a lock without end."""
        end = self.head.partition(" ")[2] if self.head and self.locked else ""
        return float(end) if end else None

    @property
    def whole(self) -> bool:
        return len(self.slots) >= self.counter.max

    @property
    def free(self) -> list[int]:
        return [number for number, slot in self.slots.items() if slot is None]

    @property
    def failures(self) -> int:
        return self.counter.max if self.locked else sum(1 for slot in self.slots.values() if slot and slot.failed)

    @property
    def full(self) -> bool:
        """A lock is due."""
        return bool(self.generation) and self.failures == self.counter.max

    @property
    def busy(self) -> bool:
        """No slot is free, but no lock is due: some guesses are still being verified."""
        return self.whole and not self.free and not self.full

    @property
    def unfailed(self) -> bool:
        """What was read is enough to know that no lock is due."""
        return any(slot is None or not slot.failed for slot in self.slots.values())

    @property
    def ends_free(self) -> bool:
        """What was read is enough for forgiving: past a piece without any entry there is nothing on record."""
        return bool(self.piece) and all(self.slots[number] is None for number in self.piece)

    def undecided(self, own: Set[str]) -> bool:
        """Whether a guess other than `own` may still give its slot back."""
        return any(slot and not slot.failed and slot.occupancy not in own for slot in self.slots.values())

    def entry(self, name: object) -> str:
        return self.counter.entry(self.generation, name)

    def next_piece(self) -> range:
        """The slots to read next: more each time, so that even the fullest of counters takes a few round trips."""
        known = len(self.slots)
        return range(known, min(2 * known + PIECE, self.counter.max))

    def open(self, head: str) -> None:
        """This guess has begun the generation: nothing is on record."""
        self.turn(head)
        self.piece = range(min(PIECE, self.counter.max))
        self.slots = dict.fromkeys(self.piece)

    def see(self, found: Mapping[str, str], piece: range) -> None:
        """Take in what was read: the head, and the slots of `piece` unless the head is another one now."""
        head = found.get(self.counter.key)
        if head != self.head:
            self.turn(head)
        elif piece:
            self.slots.update({number: Slot.parse(found.get(self.entry(number))) for number in piece})
            self.piece = piece


@dataclass(slots=True)
class Reading:
    """The views of a client's counters, and when (local monotonic clock) their heads were read."""

    at: float
    views: list[View]


class Held(NamedTuple):
    """A slot that a guess occupies."""

    counter: Counter
    generation: str
    number: int
    slot: Slot

    @property
    def key(self) -> str:
        return self.counter.entry(self.generation, self.number)


class Claim(NamedTuple):
    """A guess may be verified: it holds a slot of every counter."""

    reading: Reading
    held: tuple[Held, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(held.key for held in self.held)

    @property
    def occupancies(self) -> frozenset[str]:
        return frozenset(held.slot.occupancy for held in self.held)


class Refused(NamedTuple):
    """No guess: `view` is locked, or all its slots are held by guesses still being verified.

    `fallen` are the locks that this claim had to write and was elected to announce.
    """

    view: View
    fallen: tuple[View, ...] = ()


def refusal(reading: Reading, fallen: tuple[View, ...] = ()) -> Refused | None:
    """The lock among the views that ends last, if there is one."""
    locked = [view for view in reading.views if view.locked]
    if not locked:
        return None
    return Refused(max(locked, key=lambda view: math.inf if view.until is None else view.until), fallen)

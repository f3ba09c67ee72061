"""The slot protocol: how guesses are counted, exactly, on any store that has an atomic `add`.

A client has one *head*: absent, `window <generation>` or `locked <until>`; its own timeout ends it. A generation has
`max` *slots*, entries named by client, generation and number, which outlive their head by `MARGIN`. A guess claims a
free slot by `add` before it is verified; a good one deletes its slot, a bad one marks it failed; the failure that
completes `max` replaces the head by a lock. Names of a dead generation are never used again, so a late or crashed guess
touches nothing but its own.

Nothing here does I/O or imports Django: the methods of `Slots` are generators that yield operations, are sent their
results and return a verdict (as in httpx's auth flow, or h11). Whoever drives them decides about threads and tasks.
"""

import math
import os
import random
import time
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

from .entries import Claim, Counter, Held, Reading, Refused, Slot, View, refusal
from .operations import Add, Delete, Read, Sleep, Steps, Write

MARGIN = 60.0  # seconds by which slots outlive their head
FRESH = MARGIN / 2  # seconds for which a reading may be acted upon
PAUSES = (0.01, 0.2)  # seconds between two looks of a waiting guess: the first, the longest
LOST = 3  # rounds lost in a row, without seeing who won, before the store has to prove that it works


class SilentStoreError(Exception):
    """The store neither adds nor finds anything: it is down, whatever its client says."""


@dataclass
class Slots:
    """The slots of one client: those of its ceiling first, if it has one, then those of its key.

    Clocks and random names come from outside so that a test can step through every interleaving.
    """

    counters: Sequence[Counter]
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    token: Callable[[], str] = lambda: os.urandom(8).hex()

    def look(self) -> Steps[Reading]:
        """Read the heads: one round trip."""
        at = self.clock()
        found = yield Read(tuple(counter.key for counter in self.counters))
        return Reading(at, [View(counter, found.get(counter.key)) for counter in self.counters])

    def claim(
        self, tag: str, patience: float = 0, reading: Reading | None = None, own: Set[str] = frozenset()
    ) -> Steps[Claim | Refused]:
        """Take a slot of every counter; wait up to `patience` seconds while guesses other than `own` are undecided.

        `reading` is an early look; `own`, the occupancies that the same request holds, may grow meanwhile.
        """
        deadline, pause, lost = self.clock() + patience, PAUSES[0], 0
        reading = reading or Reading(-math.inf, [])
        while self.clock() <= deadline + MARGIN:
            if not self._is_fresh(reading):
                reading = yield from self.look()
            fallen = yield from self._prepare(reading)
            if refused := refusal(reading, fallen):
                return refused
            if busy := next((view for view in reading.views if view.busy), None):
                left = deadline - self.clock()
                if left <= 0 or not busy.undecided(own):
                    return Refused(busy)
                yield Sleep(min(pause * random.uniform(0.5, 1), left))  # noqa: S311
                pause, lost = min(pause * 1.6, PAUSES[1]), 0
            elif claim := (yield from self._take(reading, tag)):
                return claim
            else:
                lost += 1
                if lost % LOST == 0:
                    yield from self._prove()
            reading.at = -math.inf
        return Refused(reading.views[-1])  # by a store so slow that what is read of it can't be acted upon

    def succeed(self, claim: Claim, tag: str) -> Steps[None]:
        """Free the guess's own slot, and the failed slots of the same tag, each only by whoever wins its occupancy."""
        keys = list(claim.keys)
        if tag and self._is_fresh(claim.reading):
            yield from self._survey(claim.reading, lambda view: view.ends_free)
            for view in claim.reading.views:
                for number, slot in view.slots.items():
                    proven = slot if slot and slot.failed and slot.tag == tag else None
                    if proven and (yield Add(view.entry(proven.occupancy), "forgiven", view.counter.window + MARGIN)):
                        keys.append(view.entry(number))
        yield Delete(tuple(keys))

    def fail(self, claim: Claim, tag: str) -> Steps[tuple[Sequence[View], tuple[View, ...]]]:
        """Mark the guess's slots failed and lock what they complete.

        Returns the views after the failure, and those among them whose lock this guess was elected to announce.
        """
        failed = {held.key: str(Slot(held.slot.occupancy, True, tag)) for held in claim.held}
        yield Write(failed, max(held.counter.window for held in claim.held) + MARGIN)
        views = [View(held.counter, f"window {held.generation}") for held in claim.held]
        yield from self._survey(Reading(self.clock(), views), lambda view: view.unfailed)
        if all(view.head is None for view in views):  # over in this moment, or lost with the mark
            yield from self._prove()
        return views, (yield from self._lock(views))

    def release(self, claim: Claim) -> Steps[None]:
        """Give back the slots of a guess that was never made."""
        yield Delete(claim.keys)

    def reset(self) -> Steps[None]:
        """Forget the client: its next guess opens a new generation."""
        yield Delete(tuple(counter.key for counter in self.counters))

    def status(self) -> Steps[Sequence[View]]:
        """Read all that is on record; writes nothing."""
        reading = yield from self.look()
        yield from self._survey(reading, lambda view: False)
        return reading.views

    def _is_fresh(self, reading: Reading, limit: float = FRESH) -> bool:
        return self.clock() - reading.at <= min(limit, FRESH)

    def _prepare(self, reading: Reading) -> Steps[tuple[View, ...]]:
        """Read slots until one is free, write the locks that are due, open the windows that are missing.

        In this order: a guess that its ceiling stops leaves no head behind.
        """
        if any(view.locked for view in reading.views):
            return ()
        yield from self._survey(reading, lambda view: view.free)
        fallen = yield from self._lock(reading.views)
        if all(view.head is None or view.free for view in reading.views):
            for view in [view for view in reading.views if view.head is None]:
                head = f"window {self.token()}"
                if (yield Add(view.counter.key, head, view.counter.window)):
                    view.open(head)
        return fallen

    def _survey(self, reading: Reading, enough: Callable[[View], object]) -> Steps[None]:
        """Read the slots of open windows piece by piece, and all heads with them, until there is `enough`."""
        views = reading.views
        heads = tuple(view.counter.key for view in views)
        while pieces := {v: v.next_piece() for v in views if v.generation and not (v.whole or enough(v))}:
            at = self.clock()
            found = yield Read(heads + tuple(view.entry(number) for view in pieces for number in pieces[view]))
            for view in views:
                view.see(found, pieces.get(view, range(0)))
            reading.at = at

    def _take(self, reading: Reading, tag: str) -> Steps[Claim | None]:
        """Claim a slot of each view, or none: what was claimed before one was lost is given back."""
        held: list[Held] = []
        for view in reading.views if all(view.free for view in reading.views) else ():
            for number in view.free:
                slot = Slot(self.token(), False, tag)
                if (yield Add(view.entry(number), str(slot), view.counter.window + MARGIN)):
                    held.append(Held(view.counter, view.generation, number, slot))
                    break
            else:
                break
        claim = Claim(reading, tuple(held))
        if len(held) == len(reading.views) and self._is_fresh(reading):
            return claim
        if held:
            yield from self.release(claim)
        return None

    def _lock(self, views: Iterable[View]) -> Steps[tuple[View, ...]]:
        """Replace the heads of views seen full by locks; returns those that this guess is elected to announce.

        A second look proves that the failures stood there all at once: a reading of many keys need not be a snapshot,
        and an occupancy once freed never comes back.
        """
        fallen = []
        for view in [view for view in views if view.full]:
            again = View(view.counter, view.head)
            yield from self._survey(reading := Reading(self.clock(), [again]), lambda view: view.unfailed)
            lockout, election = view.counter.lockout, view.entry("lock")
            same = (again.head, again.slots) == (view.head, view.slots)
            if same and self._is_fresh(reading, math.inf if lockout is None else lockout / 2):
                lock = "locked" if lockout is None else f"locked {self.now() + lockout:.3f}"
                yield Write({view.counter.key: lock}, lockout)
                view.turn(lock)
                if (yield Add(election, "announced", view.counter.window + MARGIN)):
                    fallen.append(view)
        return tuple(fallen)

    def _prove(self) -> Steps[None]:
        """Make the store write and find an entry that nobody else can know of."""
        key, value = f"{self.counters[0].key}.{self.token()}", self.token()
        yield Add(key, value, self.counters[0].window + MARGIN)
        if (yield Read((key,))).get(key) != value:
            raise SilentStoreError(f"{key} could not be written and read back")

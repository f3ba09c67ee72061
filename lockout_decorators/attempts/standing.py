"""How whoever comes next would fare: of all counters that a guess would meet, the one that matters."""

from collections.abc import Iterable
from typing import NamedTuple

from ..exceptions import LockoutStatus
from ..records.moves import prune
from ..records.record import NOBODY
from .driver import longest, refusal_of
from .reports import refused_status, status_of
from .seats import Seat


class Place(NamedTuple):
    """A counter, as it was read, at a moment of its store's clock; and a short digest of who is tried.

    Attributes:
        certain: A guess would count there; else it would find out whether it does.
    """

    seat: Seat
    now: int
    who: str = NOBODY
    certain: bool = True


def standing(places: Iterable[Place]) -> LockoutStatus | None:
    """Of the counter that refuses longest; else of that with the fewest tries left, the key's before its ceilings."""
    places = [*places]
    refused = [found for seat, now, who, _ in places if (found := refusal_of(seat, now, who, seat.solved))]
    if worst := longest(refused):
        return refused_status(worst)
    left = [_status(place) for place in reversed(places) if place.certain]
    return min(left, key=_remaining, default=None)


def _status(place: Place) -> LockoutStatus:
    counter = place.seat.counter
    return status_of(counter, prune(place.seat.record, counter.rule, place.now), place.now, None)


def _remaining(status: LockoutStatus) -> int:
    return status.remaining

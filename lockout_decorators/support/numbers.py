"""The numbers of the last hour and day, for charts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from ..journal import tallies
from ..journal.tally import NOTHING, STEP, STEPS, Course, Tally, joined
from ..policy import known_policies

SHORT, LONG = 12, 24  # stretches in the last hour, and in the last day
HOUR = STEPS // LONG  # steps


class Numbers(NamedTuple):
    """What a scope has seen; the last stretch of each is not over yet.

    Attributes:
        hour: The last hour, in twelve stretches of five minutes.
        day: The last day, in 24 stretches of an hour.
        began: When the first one of the day did (aware, UTC).
    """

    scope: str
    hour: Sequence[Tally]
    day: Sequence[Tally]
    began: datetime


def numbers() -> list[Numbers]:
    """Of the scopes of all policies, by name. Raises StoreError."""
    by_alias: dict[str, list[str]] = {}
    for scope, policies in known_policies().items():
        for alias in dict.fromkeys([policy.cache for policy in policies]):
            by_alias.setdefault(alias, []).append(scope)
    courses: dict[str, tuple[Course, int]] = {}
    for alias, scopes in by_alias.items():
        read, now = tallies.read(alias, scopes)
        for scope, course in read.items():
            courses[scope] = joined(courses.get(scope, ({}, 0))[0], course), now
    return [_numbers(scope, *courses[scope]) for scope in sorted(courses)]


def total(several: Sequence[Tally]) -> Tally:
    """All together."""
    return Tally(*map(sum, zip(*several, strict=True)))


def _numbers(scope: str, course: Course, now: int) -> Numbers:
    end = now // STEP + 1
    steps = [course.get(step, NOTHING) for step in range(end - STEPS, end)]
    day = [total(steps[first : first + HOUR]) for first in range(0, STEPS, HOUR)]
    return Numbers(scope, steps[-SHORT:], day, datetime.fromtimestamp((end - STEPS) * STEP / 1000, UTC))

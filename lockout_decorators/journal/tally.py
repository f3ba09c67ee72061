"""How many failures, locks and refusals there were: a small value for each step of five minutes, and one short text for
a day of them."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from ..records.record import STAMP

STEP = 300_000  # milliseconds
STEPS = 288  # a day


class Tally(NamedTuple):
    """What has come in a stretch of time.

    Attributes:
        failures: Wrong guesses.
        locks: Those of them that locked: of one, each counter that fell.
        refusals: Guesses that were refused, or would have been under a policy that is not enforced.
    """

    failures: int = 0
    locks: int = 0
    refusals: int = 0

    def plus(self, other: "Tally", times: int = 1) -> "Tally":
        """Both together; `times` -1: this one without the other."""
        return Tally(*[mine + times * its for mine, its in zip(self, other, strict=True)])


Course = dict[int, Tally]
"""By the number of the step since 1970, those in which there was something."""

NOTHING = Tally()


def joined(course: Course, other: Mapping[int, Tally], times: int = 1) -> Course:
    """Step by step, as `Tally.plus()`."""
    together = {**course}
    for step, tally in other.items():
        together[step] = together.get(step, NOTHING).plus(tally, times)
    return {step: tally for step, tally in together.items() if any(tally)}


def around(course: Course, now: int) -> Course:
    """Without what is more than a day away; a host whose clock is ahead writes what is still to come."""
    here = now // STEP
    return {step: tally for step, tally in course.items() if abs(step - here) <= STEPS}


def spell(course: Course) -> str:
    """After a random stamp: lower-case letters, digits and separators only."""
    steps = [f"{step:x}.{tally.failures:x}.{tally.locks:x}.{tally.refusals:x}" for step, tally in course.items()]
    return f"{os.urandom(STAMP // 2).hex()}.{'-'.join(steps)}"


def parse(text: str) -> Course:
    """Raises ValueError, TypeError or KeyError for anything else."""
    course = {}
    for part in filter(None, text[STAMP + 1 :].split("-")):
        step, failures, locks, refusals = [int(digits, 16) for digits in part.split(".")]
        course[step] = Tally(failures, locks, refusals)
    return course

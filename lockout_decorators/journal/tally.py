"""How many failures, locks and refusals there were: a small value for each step of five minutes, and one short text for
a day of them."""

from collections.abc import Mapping
from typing import NamedTuple

from .lock import stamped

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
        failures, locks, refusals = other
        return Tally(self.failures + times * failures, self.locks + times * locks, self.refusals + times * refusals)


Course = dict[int, Tally]
"""By the number of the step since 1970, those in which there was something."""

NOTHING = Tally()


def joined(course: Course, other: Mapping[int, Tally], times: int = 1) -> Course:
    """Step by step, as `Tally.plus()`."""
    together = {**course}
    for step, tally in other.items():
        if any(both := together.get(step, NOTHING).plus(tally, times)):
            together[step] = both
        else:
            together.pop(step, None)
    return together


def around(course: Course, now: int) -> Course:
    """Without what is more than a day away; a host whose clock is ahead writes what is still to come."""
    here = now // STEP
    return {step: tally for step, tally in course.items() if abs(step - here) <= STEPS}


def spell(course: Course) -> str:
    """Five lines of digits: a random stamp, the steps, and their failures, locks and refusals."""
    columns = [course, *zip(*course.values(), strict=True)]
    return stamped("-".join(map(str, column)) for column in columns)


def parse(text: str) -> Course:
    """Raises ValueError or AttributeError for anything else."""
    steps, failures, locks, refusals = [list(map(int, line.split("-"))) for line in text.split("\n")[1:]]
    return dict(zip(steps, map(Tally._make, zip(failures, locks, refusals, strict=True)), strict=True))

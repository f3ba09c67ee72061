"""What standards demand of guesses at one account, and whether a door keeps to it, by the worst stretch."""

from collections.abc import Sequence
from typing import NamedTuple

from lockout_decorators.policy import LockoutPolicy
from lockout_decorators.terms.bounds import ADDRESSES, most_within

MINUTE = 60
EVER = 315_360_000  # ten years, the longest window there is


class Standard(NamedTuple):
    """A clause.

    Attributes:
        most: Wrong guesses at one account that it allows, from however many addresses.
        within: Of which stretch; a text that names no time is judged by ten years.
        lock: Seconds that a lock lasts at least; until a reset is longer.
    """

    name: str
    clause: str
    demands: str
    most: int
    within: str
    lock: int = 0


STRETCHES = {"30 minutes": 30 * MINUTE, "hour": 60 * MINUTE, "ten years": EVER}

NIST = Standard(
    name="NIST SP 800-63B",
    clause="SP 800-63B-4 3.2.2 and SP 800-63B 5.2.2",
    demands="at most 100 consecutive failed attempts on a single account",
    most=100,
    within="ten years",
)
ASVS = Standard(
    name="OWASP ASVS",
    clause="4.0.3 2.2.1, and 5.0 6.1.1 and 6.3.1 with this page as documentation",
    demands="at most 100 failed attempts an hour on a single account",
    most=100,
    within="hour",
)
PCI_DSS = Standard(
    name="PCI DSS",
    clause="4.0.1 8.3.4",
    demands="a lock after at most 10 attempts, for at least 30 minutes or until a reset",
    most=10,
    within="30 minutes",
    lock=30 * MINUTE,
)


class Verdict(NamedTuple):
    """On one door.

    Attributes:
        guesses: At one account in the worst stretch of that length; None: there is no bound.
    """

    standard: str
    clause: str
    demands: str
    within: str
    guesses: int | None
    met: bool


def verdicts(policies: Sequence[LockoutPolicy]) -> list[Verdict]:
    """On a door with these policies."""
    return [_verdict(standard, policies) for standard in (NIST, ASVS, PCI_DSS)]


def _verdict(standard: Standard, policies: Sequence[LockoutPolicy]) -> Verdict:
    """What bounds the guesses has to be what locks, and for so long."""
    locking = [one for one in policies if _shortest_lock(one) >= standard.lock]
    guesses, bounded = [_most(standard.within, those) for those in (policies, locking)]
    met = bounded is not None and bounded <= standard.most
    return Verdict(standard.name, standard.clause, standard.demands, standard.within, guesses, met)


def _most(stretch: str, policies: Sequence[LockoutPolicy]) -> int | None:
    return most_within(STRETCHES[stretch], policies, ADDRESSES[-1], one_account=True)


def _shortest_lock(policy: LockoutPolicy) -> float:
    lockout = policy.lockout
    return EVER if lockout is None else min(lockout) if isinstance(lockout, tuple) else lockout

"""What is raised when a guess is refused."""

import sys
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class LockoutStatus:
    """How a client stands under one policy.

    Attributes:
        scope: The name under which the policy counts.
        counter: Which of its counters this is about: "key", "browser" for a known one, or "ceiling" for the address
            alone, or the network around it.
        locked: Whether guesses are refused until the lock ends.
        failures: Failed guesses on record; all of `maximum` while locked.
        maximum: Failed guesses that lock.
        retry_after: Whole seconds, at least 1, until the next guess would be admitted; None if it would be now, or if
            the lock has no end.
        until: The end of the lock (aware, UTC); None if there is none.
        reference: The code of the lock, as "7F3K-92QD", for people to tell each other; empty without one.
        challenge: Whether the next guess is admitted only with a solved challenge.
    """

    scope: str
    locked: bool
    failures: int
    maximum: int
    retry_after: int | None = None
    until: datetime | None = None
    counter: str = "key"
    reference: str = ""
    challenge: bool = False

    @property
    def remaining(self) -> int:
        """Failures left until the one that locks, that one included: 0 while locked."""
        return max(0, self.maximum - self.failures)


class LockedOut(Exception):
    """A guess is refused, before any backend sees it.

    Not a `PermissionDenied`, which Django's `authenticate()` would swallow. In a project that uses Django REST
    framework it is a `rest_framework.exceptions.Throttled` as well, so that DRF's own exception handler and renderers
    answer.

    Attributes:
        status: The `LockoutStatus` that the guess met.
        status_code: The status of the HTTP answer.
        message: What is told.
        advice: What to do where no time would help.
        problem: The `type` of the problem document: a URI that stays as it is.
    """

    status_code: ClassVar[int] = 429
    problem: ClassVar[str] = "urn:lockout-decorators:locked-out"
    message: ClassVar[str] = "Too many failed attempts."
    advice: ClassVar[str] = "Ask the site's administrators for help."

    def __init__(self, status: LockoutStatus) -> None:
        Exception.__init__(self, status)  # not super(): beside DRF's Throttled the next in line wants other arguments
        self.status = status

    def __str__(self) -> str:
        wait = "" if self.status.retry_after is None else f" Retry after {self.status.retry_after} s."
        return f"{self.message}{wait}"

    def __reduce__(self) -> tuple[type, tuple[LockoutStatus]]:
        return type(self), (self.status,)


def refusal_in(error: BaseException) -> LockedOut | None:
    """The refusal that an error is, or that is among what tasks have raised together; None if there is none."""
    found: Any = error.subgroup(LockedOut) if isinstance(error, ExceptionGroup) else error
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, LockedOut) else None


class ChallengeRequired(LockedOut):
    """A guess is refused because it brings no solved challenge, and the slots that are open without one are taken.

    Nothing is locked, and there is no time to wait for: with the challenge solved the guess is admitted.
    """

    problem = "urn:lockout-decorators:challenge-required"
    message = "A challenge has to be solved first."
    advice = "Go back, solve the challenge and try again."


class StoreUnavailable(LockedOut):
    """A guess is refused because the cache that counts is down, and `LOCKOUT_FAIL_OPEN` is off."""

    status_code = 503
    problem = "urn:lockout-decorators:unavailable"
    message = "The service is temporarily unavailable."


class StoreError(Exception):
    """The cache could not do its work; `error` is what it raised."""

    def __init__(self, alias: str, error: Exception) -> None:
        super().__init__(f"cache {alias!r}: {type(error).__name__}: {error}")
        self.alias: str = alias
        self.error: Exception = error


def flavoured(kind: type[LockedOut]) -> type[LockedOut]:
    """`kind`, which is DRF's `Throttled` as well in a project that uses DRF, so that its own handlers answer."""
    return _throttled(kind) if "rest_framework.views" in sys.modules else kind  # type: ignore[arg-type]


@cache
def _throttled(kind: type[LockedOut]) -> type[LockedOut]:
    from django.utils.translation import gettext
    from rest_framework.exceptions import Throttled

    def __init__(self: Any, status: LockoutStatus) -> None:
        kind.__init__(self, status)
        detail = gettext(kind.message)
        if status.reference:
            detail += " " + gettext("Reference: %s.") % status.reference
        Throttled.__init__(self, wait=status.retry_after, detail=detail)

    def __reduce__(self: Any) -> tuple[Any, ...]:
        return _revived, (kind, self.status)

    body = {"__init__": __init__, "__reduce__": __reduce__, "__module__": __name__}
    return type(kind.__name__, (kind, Throttled), body)


def _revived(kind: type[LockedOut], status: LockoutStatus) -> LockedOut:
    return flavoured(kind)(status)

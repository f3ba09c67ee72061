"""What is raised when a guess is refused."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class LockoutStatus:
    """How a client stands under one policy.

    Attributes:
        scope: The name under which the policy counts.
        locked: Whether guesses are refused until the lock ends.
        failures: Failed guesses on record in the open window; all of `maximum` while locked.
        maximum: Failed guesses that lock.
        retry_after: Whole seconds, at least 1, until the next guess may be made; None if it may be made now, or if
            the lock has no end.
        until: The end of the lock (aware, UTC); None if there is none.
    """

    scope: str
    locked: bool
    failures: int
    maximum: int
    retry_after: int | None = None
    until: datetime | None = None


class LockedOut(Exception):
    """A guess is refused, before any backend sees it.

    Not a `PermissionDenied`, which Django's `authenticate()` would swallow. In a project that uses Django REST
    framework it is a `rest_framework.exceptions.Throttled` as well, so that DRF's own exception handler and renderers
    answer.

    Attributes:
        status: The `LockoutStatus` that the guess met.
        status_code: The status of the HTTP answer.
    """

    status_code: ClassVar[int] = 429
    message: ClassVar[str] = "Too many failed attempts."

    def __init__(self, status: LockoutStatus) -> None:
        Exception.__init__(self, status)  # not super(): beside DRF's Throttled the next in line wants other arguments
        self.status = status

    def __str__(self) -> str:
        wait = "" if self.status.retry_after is None else f" Retry after {self.status.retry_after} s."
        return f"{self.message}{wait}"

    def __reduce__(self) -> tuple[type, tuple[LockoutStatus]]:
        return type(self), (self.status,)


class StoreUnavailable(LockedOut):
    """A guess is refused because the cache that counts is down, and `LOCKOUT_FAIL_OPEN` is off."""

    status_code = 503
    message = "The service is temporarily unavailable."


class StoreError(Exception):
    """The cache could not do its work; `error` is what it raised."""

    def __init__(self, alias: str, error: Exception) -> None:
        super().__init__(f"cache {alias!r}: {type(error).__name__}: {error}")
        self.alias: str = alias
        self.error: Exception = error

"""What is told of an event: the status a guess met, a line in the log, a signal."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.dispatch import Signal
from django.http import HttpRequest

from . import signals
from .conf import conf
from .entries import View
from .exceptions import LockoutStatus, StoreError

if TYPE_CHECKING:
    from .policy import LockoutPolicy

logger: logging.Logger = logging.getLogger("lockout_decorators")

SHOWN = 80  # characters of a user name in the log


def status_of(scope: str, view: View) -> LockoutStatus:
    """The facts of a view as they are shown to users: the time left is rounded up and at least one second."""
    retry_after, until = None, None
    if view.locked and view.until is not None:
        left = math.ceil(view.until - time.time())
        retry_after = max(1, min(left, math.ceil(view.counter.lockout or left)))
        until = datetime.fromtimestamp(view.until, UTC)
    elif not view.locked and view.whole and not view.free:
        retry_after = 1
    return LockoutStatus(scope, view.locked, view.failures, view.counter.max, retry_after, until)


@dataclass(slots=True)
class Report:
    """Tells of one client. User names come from outside: they are cut and escaped before they reach the log.

    `key` is the head of the key's counter; any other is the ceiling's.
    """

    policy: "LockoutPolicy"
    request: HttpRequest
    address: str
    username: str | None
    key: str

    def failed(self, view: View, fallen: Sequence[View]) -> None:
        self._tell(signals.attempt_failed, view, logging.INFO, f"failed attempt {view.failures} of {view.counter.max}")
        self.locked(fallen)

    def locked(self, fallen: Sequence[View]) -> None:
        for view in fallen:
            self._tell(signals.locked_out, view, logging.WARNING, f"locked out after {view.counter.max} failures")

    def refused(self, view: View, fallen: Sequence[View]) -> None:
        self.locked(fallen)
        level = logging.DEBUG if self.policy.enforce else logging.INFO
        self._tell(signals.attempt_refused, view, level, "attempt refused" if self.policy.enforce else "not enforced")

    def reset(self, view: View) -> None:
        self._tell(signals.lockout_reset, view, logging.INFO, "reset")

    def _tell(self, signal: Signal, view: View, level: int, what: str) -> None:
        scope, ceiling = self.policy.scope, view.counter.key != self.key
        if logger.isEnabledFor(level):
            username = None if self.username is None else ascii(self.username[:SHOWN])
            what += " (ceiling)" if ceiling else ""
            logger.log(level, "%s: scope=%a address=%s username=%s", what, scope, self.address, username)
        if signal.has_listeners(self.policy):
            status = status_of(scope, view)
            detail = signals.AttemptDetail(status, self.address, self.username, self.policy.enforce, ceiling)
            signal.send_robust(sender=self.policy, request=self.request, detail=detail)


def report_outage(policy: "LockoutPolicy", request: HttpRequest, error: Exception) -> None:
    """Log and signal that the cache failed; never what it was asked to store."""
    cause = error.error if isinstance(error, StoreError) else error
    fail_open = conf.fail_open or not policy.enforce
    fate = "go ahead unguarded" if fail_open else "are refused"
    logger.error("cache %a failed, attempts %s: scope=%a error=%.300a", policy.cache, fate, policy.scope, cause)
    detail = signals.StoreDetail(policy.scope, policy.cache, cause, fail_open)
    signals.store_failed.send_robust(sender=policy, request=request, detail=detail)

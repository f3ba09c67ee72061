"""What is told of an event: the status a guess met, a line in the log, a signal."""

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.dispatch import Signal
from django.http import HttpRequest

from .. import signals
from ..clients.identities import text_of
from ..conf import conf
from ..exceptions import LockoutStatus, StoreError
from ..journal.lock import spell_reference
from ..logs import SHOWN, extra, extra_of
from ..records.moves import Refusal, prune, refusal
from ..records.record import FOREVER, Record
from ..terms.terms import Terms
from .counters import Counter
from .driver import Refused
from .seats import Seat
from .settling import Settled

logger: logging.Logger = logging.getLogger("lockout_decorators")


def status_of(counter: Counter, record: Record, now: int, why: Refusal | None) -> LockoutStatus:
    """The facts of a pruned record as they are shown to users: the time left is rounded up and at least one second."""
    locked, rule = record.locked, counter.rule
    retry_after, until = None, None
    if why and why.until < FOREVER and not why.unsolved:
        left = math.ceil((why.until - now) / 1000)
        if locked and (length := rule.length(record.level)) is not None:
            left = min(left, math.ceil(max(length, rule.window if rule.rolling else 0) / 1000))
        retry_after = max(1, left)
        until = datetime.fromtimestamp(record.until / 1000, UTC) if locked else None
    failures, reference = _failures(counter, record), spell_reference(record.reference) if locked else ""
    told = retry_after, until, counter.kind, reference, why is not None and why.unsolved
    return LockoutStatus(counter.terms.scope, locked, failures, rule.max, *told)


def refused_status(refused: Refused) -> LockoutStatus:
    seat, why, now = refused
    return status_of(seat.counter, prune(seat.record, seat.counter.rule, now), now, why)


@dataclass(slots=True)
class Report:
    """Tells of one client. User names come from outside: they are cut and escaped before they reach the log."""

    terms: Terms
    request: HttpRequest
    address: str
    username: Any

    def failed(self, settled: Iterable[Settled]) -> None:
        """Of the key's counter; and of each lock that this failure has written."""
        heard = signals.attempt_failed.receivers or logger.isEnabledFor(logging.INFO)
        for seat, before, after, now in settled if heard else ():
            if not seat.counter.ceiling:
                shown = f"failed attempt {_made(seat, before, after, now)} of {seat.counter.rule.max}"
                self._tell("attempt_failed", seat.counter, after, now, logging.INFO, shown)
        for one in settled:
            if _fell(one):
                seat, before, after, now = one
                rule = seat.counter.rule
                wide = _made(seat, before, after, now) < rule.max
                shown = f"failures at {rule.spread} names" if wide else f"{rule.max} failures"
                shown = f"locked out after {shown}{'' if self.terms.enforce else ', not enforced'}"
                self._tell("locked_out", seat.counter, after, now, logging.WARNING, shown, spread=wide)

    def refused(self, refused: Refused) -> None:
        seat, why, now = refused
        level, shown = (logging.DEBUG, "attempt refused") if self.terms.enforce else (logging.INFO, "not enforced")
        if signals.attempt_refused.receivers or logger.isEnabledFor(level):  # under an attack there are many
            shown = "challenge required" if why.unsolved else shown
            record = prune(seat.record, seat.counter.rule, now)
            self._tell("attempt_refused", seat.counter, record, now, level, shown, why)

    def succeeded(self, settled: Iterable[Settled]) -> None:
        """After failures, those that it forgives and others: of each counter on whose record some stood."""
        for seat, before, after, now in settled:
            counter = seat.counter
            stood = _failures(counter, prune(before, counter.rule, now))
            left = prune(after, counter.rule, now)
            forgiven = stood - _failures(counter, left)
            shown = f"succeeded after {stood} failures, {forgiven} forgiven"
            self._tell("succeeded_after_failures", counter, left, now, logging.INFO, shown, forgiven=forgiven)

    def reset(self, settled: Settled) -> None:
        self._tell("lockout_reset", settled.seat.counter, settled.after, settled.now, logging.INFO, "reset")

    def _tell(
        self,
        event: str,
        counter: Counter,
        record: Record,
        now: int,
        level: int,
        shown: str,
        why: Refusal | None = None,
        spread: bool = False,
        forgiven: int = 0,
    ) -> None:
        signal: Signal = getattr(signals, event)
        logged, heard = logger.isEnabledFor(level), bool(signal.receivers) and signal.has_listeners(self.terms)
        if not (logged or heard):
            return
        status = status_of(counter, record, now, why or refusal(record, counter.rule, now, solved=False))
        username = None if self.username is None else text_of(self.username)
        about = self.address, username, self.terms.enforce, counter.ceiling, spread, forgiven
        detail = signals.AttemptDetail(status, *about)
        if logged:
            _log(event, detail, level, shown)
        if heard:
            signal.send_robust(sender=self.terms, request=self.request, detail=detail)


def _log(event: str, detail: signals.AttemptDetail, level: int, shown: str) -> None:
    status, facts = detail.status, extra_of(event, detail)
    name = None if detail.username is None else ascii(detail.username[:SHOWN])
    shown += "" if status.counter == "key" else f" ({status.counter})"
    code = f" reference={status.reference}" if status.locked else ""
    end = f" until={facts['lockout']['until'] or 'reset'}" if event == "locked_out" and status.locked else ""
    line = "%s: scope=%a address=%s username=%s%s%s"
    logger.log(level, line, shown, status.scope, detail.address, name, code, end, extra=facts)


def after_failures(settled: Iterable[Settled]) -> Sequence[Settled]:
    """Those of a success on whose record failures stood; none if nobody hears of it."""
    if not (signals.succeeded_after_failures.receivers or logger.isEnabledFor(logging.INFO)):
        return ()
    return [one for one in settled if _failures(one.seat.counter, prune(one.before, one.seat.counter.rule, one.now))]


def report_outage(terms: Terms, request: HttpRequest, error: StoreError) -> None:
    """Log and signal that the cache failed; never what it was asked to store."""
    fail_open = conf.fail_open or not terms.enforce
    fate = "go ahead unguarded" if fail_open else "are refused"
    cause = f"{error.error!a:.300}"
    facts = extra("store_failed", scope=terms.scope, alias=error.alias, fail_open=fail_open, error=cause)
    line = "cache %a failed, attempts %s: scope=%a error=%.300a"
    logger.error(line, error.alias, fate, terms.scope, error.error, extra=facts)
    detail = signals.StoreDetail(terms.scope, error.alias, error.error, fail_open)
    signals.store_failed.send_robust(sender=terms, request=request, detail=detail)


def _fell(settled: Settled) -> bool:
    """Whether a failure has completed `max` or the spread: by its own lock; where there are none, by being the last."""
    rule, after = settled.seat.counter.rule, settled.after
    if rule.lengths:
        return settled.fell
    before = prune(settled.before, rule, settled.now)
    return after.failures == rule.max > before.failures or after.names == rule.spread > before.names


def _made(seat: Seat, before: Record, after: Record, now: int) -> int:
    """Failures with this one; all of `max` under a lock that was there before."""
    rule = seat.counter.rule
    before = prune(before, rule, now)
    made = before.failures + 1 if after.locked and not before.locked else _failures(seat.counter, after)
    return min(made, rule.max)


def _failures(counter: Counter, record: Record) -> int:
    return counter.rule.max if record.locked else record.failures

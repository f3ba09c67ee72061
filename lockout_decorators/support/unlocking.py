"""Lifts a lock from outside of any request, and tells who did."""

import logging
from collections.abc import Iterable

from django.http import HttpRequest

from .. import signals
from ..clients.identities import text_of
from ..exceptions import LockoutStatus
from ..journal import entries
from ..logs import SHOWN, extra_of
from .standing import Standing

logger: logging.Logger = logging.getLogger("lockout_decorators")


def unlock_all(standings: Iterable[Standing], by: str, request: HttpRequest | None = None) -> list[Standing]:
    """Those where something stood, and was forgotten: as they were. Raises StoreError."""
    return [one for one in standings if not one.clean and unlock(one, by, request)]


def unlock(standing: Standing, by: str, request: HttpRequest | None = None) -> bool:
    """Forget what stands on a record, for whom `by` says; a lock that was found by its reference only if it stands
    there still. Whether there was anything. Raises StoreError.
    """
    status = standing.status
    if not entries.lift(standing.alias, standing.record, status.reference if standing.since else ""):
        return False
    name = None if standing.username is None else ascii(text_of(standing.username)[:SHOWN])
    code = f" reference={status.reference}" if status.reference else ""
    where = (status.scope, standing.address, name)
    free = LockoutStatus(status.scope, False, 0, status.maximum, counter=status.counter)
    enforced = standing.policy is None or standing.policy.enforce
    told = (standing.address, standing.username, enforced, status.counter == "ceiling")
    detail = signals.AttemptDetail(free, *told)
    facts = extra_of("lockout_reset", detail, by=by[:SHOWN], reference=status.reference)
    logger.info("unlocked: scope=%a address=%s username=%s by=%.80a%s", *where, by, code, extra=facts)
    signals.lockout_reset.send_robust(sender=standing.policy, request=request or HttpRequest(), detail=detail)
    return True

"""What a log record carries beside its line: one attribute, `lockout`, a dict of plain values."""

from typing import Any

from .signals import AttemptDetail

SHOWN = 80  # characters of a user name in the log


def extra(event: str, **facts: Any) -> dict[str, dict[str, Any]]:
    """For `logger.log(..., extra=...)`. One name of ours among those of others: nothing clashes, and formatters that
    write what they find write one object."""
    return {"lockout": {"event": event, **facts}}


def extra_of(event: str, detail: AttemptDetail, **further: Any) -> dict[str, dict[str, Any]]:
    """Of an event with the name of its signal. The user name is raw: whatever writes it has to escape it."""
    status, username = detail.status, detail.username
    facts = {
        "scope": status.scope,
        "counter": status.counter,
        "address": detail.address,
        "username": username and username[:SHOWN],
        "failures": status.failures,
        "maximum": status.maximum,
        "forgiven": detail.forgiven,
        "locked": status.locked,
        "retry_after": status.retry_after,
        "until": status.until and f"{status.until:%Y-%m-%dT%H:%M:%SZ}",
        "reference": status.reference,
        "challenge": status.challenge,
        "enforced": detail.enforced,
        "spread": detail.spread,
    }
    return extra(event, **{**facts, **further})

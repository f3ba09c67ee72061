"""What a log record carries beside its line: one attribute, `lockout`, a dict of plain values."""

from typing import Any

from .signals import AttemptDetail

SHOWN = 80  # characters of a user name in the log
OF_STATUS = ("scope", "counter", "failures", "maximum", "locked", "retry_after", "reference", "challenge")
OF_DETAIL = ("address", "forgiven", "enforced", "spread")


def extra(event: str, **facts: Any) -> dict[str, dict[str, Any]]:
    """For `logger.log(..., extra=...)`. One name of ours among those of others: nothing clashes, and formatters that
    write what they find write one object."""
    return {"lockout": {"event": event, **facts}}


def extra_of(event: str, detail: AttemptDetail, **further: Any) -> dict[str, dict[str, Any]]:
    """Of an event with the name of its signal. The user name is raw: whatever writes it has to escape it."""
    facts = {name: getattr(detail.status, name) for name in OF_STATUS}
    facts |= {name: getattr(detail, name) for name in OF_DETAIL}
    facts["username"] = detail.username and detail.username[:SHOWN]
    facts["until"] = detail.status.until and f"{detail.status.until:%Y-%m-%dT%H:%M:%SZ}"
    return extra(event, **{**facts, **further})

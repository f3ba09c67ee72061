"""What the library tells: six signals, each sent with `request` and one frozen `detail`; the sender is the policy."""

from dataclasses import dataclass

from django.dispatch import Signal

from .exceptions import LockoutStatus


@dataclass(frozen=True, slots=True)
class AttemptDetail:
    """The subject of `attempt_failed`, `locked_out`, `attempt_refused`, `succeeded_after_failures` and `lockout_reset`.

    Attributes:
        status: The `LockoutStatus` after the event.
        address: The client's address as the key sees it.
        username: The user name tried, as it was sent (escape it before printing); None where there was none.
        enforced: False under a policy with `enforce=False`: the guess went ahead.
        ceiling: Whether the event is about the address alone, the policy's ceiling, or the network around it.
        spread: Of `locked_out`: it fell since too many names were tried from there, not for `max` failures.
        forgiven: Of `succeeded_after_failures`: how many failures it forgave, having proven them to be its own; those
            of others stay in `status.failures`.
    """

    status: LockoutStatus
    address: str
    username: str | None = None
    enforced: bool = True
    ceiling: bool = False
    spread: bool = False
    forgiven: int = 0


@dataclass(frozen=True, slots=True)
class StoreDetail:
    """The subject of `store_failed`.

    Attributes:
        scope: The policy's scope.
        alias: The cache alias.
        error: What the cache raised.
        fail_open: Whether the guess went ahead unguarded.
    """

    scope: str
    alias: str
    error: Exception
    fail_open: bool


attempt_failed: Signal = Signal()
"""A guess was wrong."""

locked_out: Signal = Signal()
"""A lock fell: once per lock."""

attempt_refused: Signal = Signal()
"""A guess met a lock, or found all slots busy."""

succeeded_after_failures: Signal = Signal()
"""A guess was right, and failures stood on record: once for each counter on whose record they did."""

lockout_reset: Signal = Signal()
"""`reset()` forgot a client, or `forgive()` its failures."""

store_failed: Signal = Signal()
"""The cache could not count."""

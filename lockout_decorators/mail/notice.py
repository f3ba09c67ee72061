"""What a lock has to say to whoever mails about it; and when that is done: not in the request, whose time would tell
whether there is an account."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict

from ..policy import LockoutPolicy
from ..signals import AttemptDetail
from .thread import post


class Notice(TypedDict):
    """A lock, in plain values that any queue can carry.

    Attributes:
        reference: Its code; empty where the policy has no locks.
        scope: The name under which the policy counts.
        alias: The cache alias where its record lies.
        counter: Which of a client's counters it is: "key", "browser" or "ceiling".
        address: The client's address, as it is counted.
        username: The name tried, as it was sent; None where there was none.
        until: When it ends, as ISO 8601 has it; None: when it is lifted.
        enforced: False under a policy with `enforce=False`.
    """

    reference: str
    scope: str
    alias: str
    counter: str
    address: str
    username: str | None
    until: str | None
    enforced: bool


Deliver = Callable[[Notice], object]


@dataclass(frozen=True)
class Receiver(ABC):
    """A receiver of `locked_out`: hands on what concerns it, the same for names that are known and unknown.

    Attributes:
        policies: Whose locks; all if there are none.
        deliver: What has send() called.
    """

    policies: tuple[LockoutPolicy, ...]
    deliver: Deliver | None

    def __call__(self, sender: Any, detail: AttemptDetail, **kwargs: Any) -> None:
        if (not self.policies or sender in self.policies) and self.concerns(sender, detail):
            (self.deliver or partial(post, self.send))(_notice(sender, detail))

    def concerns(self, policy: LockoutPolicy, detail: AttemptDetail) -> bool:
        """Whether there is something to tell, as far as the lock says."""
        return True

    @abstractmethod
    def send(self, notice: Notice) -> bool:
        """Send the mail, if one is due; whether it was. Raises StoreError, and what the mail backend raises."""


def _notice(policy: LockoutPolicy, detail: AttemptDetail) -> Notice:
    status = detail.status
    return Notice(
        reference=status.reference,
        scope=status.scope,
        alias=str(policy.cache),
        counter=status.counter,
        address=detail.address,
        username=detail.username,
        until=status.until.isoformat() if status.until else None,
        enforced=detail.enforced,
    )

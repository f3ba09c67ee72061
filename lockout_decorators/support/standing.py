"""How a counter stands, for people who look at it from outside of any request."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..attempts.counters import Counter
from ..attempts.reports import status_of
from ..exceptions import LockoutStatus
from ..journal.lock import Lock
from ..records.moves import prune, refusal
from ..records.record import Record
from ..terms.registry import registered
from ..terms.terms import Terms


@dataclass(frozen=True, slots=True)
class Standing:
    """A counter, and what stands on its record.

    Attributes:
        status: Its `LockoutStatus`; `reference` is that of a lock that was asked for, also when it is over.
        key: How the policy tells clients apart, as "ip+username".
        alias: The cache alias where the record lies.
        record: The key of the record there.
        since: When the lock fell (aware, UTC); None if there was none.
        until: When it ends, or would have (aware, UTC); None: it has no end, or there was none.
        address: The client's, if it is known: it was asked for, or `LOCKOUT_JOURNAL` is on.
        username: The name tried, likewise.
        policy: The policy; None if this process does not know it.
    """

    status: LockoutStatus
    key: str
    alias: str
    record: str
    since: datetime | None = None
    until: datetime | None = None
    address: str = ""
    username: str | None = None
    policy: Terms | None = None

    @property
    def clean(self) -> bool:
        """Whether nothing stands there."""
        return not (self.status.locked or self.status.failures)

    @property
    def passes(self) -> bool:
        """Whether it is locked under a policy that refuses nobody."""
        return self.status.locked and self.policy is not None and not self.policy.enforce

    @property
    def state(self) -> str:
        """In words: "locked", "locked, not enforced", "3 of 5" failures, or "free"."""
        told = self.status
        if told.locked:
            return "locked, not enforced" if self.passes else "locked"
        return f"{told.failures} of {told.maximum}" if told.failures else "free"


def of_lock(alias: str, lock: Lock, record: Record | None, now: int) -> Standing:
    """Of a lock from the journal: `record` is what stands there of it, if it does."""
    counter = _counter_of(lock)
    status = _status(counter, record, now) if counter else _unknown(lock, record, now)
    until = status.until or lock.until
    status = replace(status, counter=lock.counter, reference=lock.reference)
    who = (lock.address, lock.username)
    return Standing(status, lock.key, alias, lock.record, lock.since, until, *who, counter and counter.terms)


def of_counter(counter: Counter, record: Record, now: int, address: str, username: Any) -> Standing:
    """Of a counter that was asked for."""
    status = _status(counter, record, now)
    since = datetime.fromtimestamp(record.since / 1000, UTC) if status.locked else None
    where = (counter.terms.cache, counter.key)
    return Standing(status, str(counter.terms.key), *where, since, status.until, address, username, counter.terms)


def _status(counter: Counter, record: Record | None, now: int) -> LockoutStatus:
    pruned = prune(record or Record(), counter.rule, now)
    return status_of(counter, pruned, now, refusal(pruned, counter.rule, now))


def _unknown(lock: Lock, record: Record | None, now: int) -> LockoutStatus:
    """Where no policy says how many failures lock, or whether its locks have become shorter."""
    locked = record is not None and record.until > now
    return LockoutStatus(lock.scope, locked, 0, 0, None, lock.until if locked else None, lock.counter)


def _counter_of(lock: Lock) -> Counter | None:
    """The counter of a lock, under the policies that this process knows: its key begins with the name of a kind."""
    name = lock.record.rpartition(":")[2]
    for policy in registered.get(lock.scope, ()):
        for kind in policy.kinds:
            if name.startswith(kind.name):
                return Counter(lock.record, kind.rule, kind.ceiling, policy, lock.counter == "browser")
    return None

"""Claims, refuses and settles: what the attempts of one block do to the store, and what is told of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from .asgi import Requestlike, request_from
from .conf import conf
from .drf import flavoured
from .entries import Claim, Reading, Refused, View, refusal
from .exceptions import LockedOut, LockoutStatus, StoreError, StoreUnavailable
from .identities import fold, text_of
from .keys import NOBODY, Account, account_named, client_keys
from .reports import Report, report_outage, status_of
from .slots import SilentStoreError, Slots
from .store import Store, Work

if TYPE_CHECKING:
    from .policy import LockoutPolicy

OUTAGE_RETRY = 30  # seconds after which a refused client is told to come back when the cache is down


@dataclass(slots=True, eq=False)
class Attempt:
    """One guess: who is counted, the slots it holds, the calls that verify it, and the verdict."""

    slots: Slots
    address: str
    account: Account
    tags: set[str]
    claim: Claim | None = None
    secrets: bytes = b""
    calls: list[tuple[Any, set[str]]] = field(default_factory=list)
    verdict: bool | None = None
    settled: bool = False

    def takes(self, secrets: bytes, named: Any, backend: str, limit: int) -> bool:
        """Whether a call belongs to this guess: the same secrets, and not more than `limit` calls.

        Another account, or a backend that was asked before, makes it a further call.
        """
        if self.settled or self.secrets not in (b"", secrets):
            return False
        self.secrets = secrets
        if self.calls and self.calls[-1][0] == named and backend not in self.calls[-1][1]:
            self.calls[-1][1].add(backend)
        elif len(self.calls) < limit:
            self.calls.append((named, {backend}))
        else:
            return False
        return True

    def withdraw(self) -> None:
        """There was no guess: free its slot, prove nothing."""
        self.verdict = True
        self.tags.clear()

    @property
    def tag(self) -> str:
        """Forgiving needs one account that is named in one way; of several it could prove the wrong one."""
        return next(iter(self.tags)) if len(self.tags) == 1 else ""


class Attempts:
    """The guesses of one request under one policy.

    Attributes:
        made: Those that hold, or held, slots.
        refused: What the first refusal raised; after it everything is refused at once.
        outage: The cache failed; it is not asked again.
    """

    def __init__(self, policy: "LockoutPolicy", request: Requestlike) -> None:
        self.policy: LockoutPolicy = policy
        self.request: HttpRequest = request_from(request)
        self.made: list[Attempt] = []
        self.refused: LockedOut | None = None
        self.outage: bool = False
        self._lock = Lock()  # a block may be shared by threads that were given a copy of the context
        self._opened: Store | None = None
        self._client: tuple[str, Slots] | None = None
        self._early: tuple[Slots, Reading] | None = None
        self._own: set[str] = set()  # grows while other guesses of this request wait

    @property
    def _store(self) -> Store:
        if self._opened is None:
            self._opened = Store(self.policy.cache)
        return self._opened

    def look(self) -> Work[None]:
        """One early look at whether the client is locked; what it reads serves the first claim. Raises LockedOut."""
        _, slots = yield from self._who(NOBODY)
        try:
            reading = yield from self._store.through(slots.look(), durable=True)
        except StoreError as error:
            yield from self._fail_store(error)
            self._refuse_without_store()
        else:
            self._early = slots, reading
            if refused := refusal(reading):
                yield from self._refuse((yield from self._attempt(NOBODY)), refused)

    def joined(self, take: Callable[[Attempt], bool]) -> Attempt | None:
        """The attempt that a call belongs to; one thread at a time asks them."""
        with self._lock:
            return next((attempt for attempt in self.made if take(attempt)), None)

    def claim(self, account: Account, take: Callable[[Attempt], bool] | None = None) -> Work[Attempt]:
        """A new guess at `account`, with its slot; `take` gives it its first call. Raises LockedOut."""
        if self.refused:
            raise type(self.refused)(self.refused.status)
        for attempt in self.made:
            if attempt.verdict is False:
                yield from self.settle(attempt)
        attempt, result = yield from self._take(account, self.policy.patience if self.policy.enforce else 0)
        if isinstance(result, Refused):
            yield from self._refuse(attempt, result)
        elif result is None:
            self._refuse_without_store()
        if take is not None:
            take(attempt)  # before another thread may see it
        self.made.append(attempt)
        return attempt

    def count(self, account: Account) -> Work[None]:
        """A failure that nobody asked about beforehand: counted if a slot is left."""
        attempt, result = yield from self._take(account, patience=0)
        if isinstance(result, Refused):
            yield partial(self._report(attempt).locked, result.fallen)
        yield from self.settle(attempt)

    def settle(self, attempt: Attempt) -> Work[None]:
        """Free or mark the slots of an attempt, once. A store that fails now takes nothing back from a good guess."""
        with self._lock:
            settled, attempt.settled = attempt.settled, True
        if settled or attempt.claim is None or self.outage:
            return
        slots, claim = attempt.slots, attempt.claim
        try:
            if attempt.verdict:
                yield from self._store.through(slots.succeed(claim, attempt.tag))
            else:
                views, fallen = yield from self._store.through(slots.fail(claim, attempt.tag))
                yield partial(self._report(attempt).failed, views[-1], fallen)
        except (StoreError, SilentStoreError) as error:
            yield from self._fail_store(error)

    def status(self, username: Any) -> Work[LockoutStatus]:
        """How the client stands. Raises StoreError."""
        attempt = yield from self._attempt(account_named(username))
        views = yield from self._store.through(attempt.slots.status())
        locked = refusal(Reading(0, list(views)))
        return status_of(self.policy.scope, locked.view if locked else views[-1])

    def reset(self, username: Any) -> Work[None]:
        """Forget the client. Raises StoreError."""
        attempt = yield from self._attempt(account_named(username))
        yield from self._store.through(attempt.slots.reset())
        yield partial(self._report(attempt).reset, View(attempt.slots.counters[-1]))

    def _take(self, account: Account, patience: float) -> Work[tuple[Attempt, Claim | Refused | None]]:
        """Try to get a slot; None if the store is down."""
        attempt, result = (yield from self._attempt(account)), None
        early, self._early = self._early, None
        reading = early[1] if early and early[0] is attempt.slots else None
        if not self.outage:
            try:
                claiming = attempt.slots.claim(attempt.tag, patience, reading, self._own)
                result = yield from self._store.through(claiming, durable=True)
            except (StoreError, SilentStoreError) as error:
                yield from self._fail_store(error)
        if isinstance(result, Claim):
            attempt.claim = result
            self._own |= result.occupancies
        return attempt, result

    def _attempt(self, account: Account) -> Work[Attempt]:
        address, slots = yield from self._who(account)
        return Attempt(slots, address, account, {account.tag})

    def _report(self, attempt: Attempt) -> Report:
        username = None if attempt.account.value is None else text_of(attempt.account.value)
        return Report(self.policy, self.request, attempt.address, username, attempt.slots.counters[-1].key)

    def _who(self, account: Account) -> Work[tuple[str, Slots]]:
        """The client's address and slots; asked once, unless the key depends on the account."""
        if self._client is None or self.policy.key.needs_identity:
            address, digests = yield partial(client_keys, self.policy, self.request, fold(account.value))
            self._client = address, Slots(self.policy.counters(digests))
        return self._client

    def _refuse(self, attempt: Attempt, refused: Refused) -> Work[None]:
        yield partial(self._report(attempt).refused, refused.view, refused.fallen)
        if self.policy.enforce:
            self.refused = flavoured(LockedOut)(status_of(self.policy.scope, refused.view))
            raise self.refused

    def _fail_store(self, error: Exception) -> Work[None]:
        self.outage = True
        yield partial(report_outage, self.policy, self.request, error)

    def _refuse_without_store(self) -> None:
        if self.policy.enforce and not conf.fail_open:
            status = LockoutStatus(self.policy.scope, False, 0, self.policy.max, OUTAGE_RETRY)
            self.refused = flavoured(StoreUnavailable)(status)
            raise self.refused

"""The context manager that everything rests on: it opens, decides and settles. One brain, with sync and async doors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from . import authentication
from .authentication import Call
from .conf import conf
from .drf import flavoured
from .entries import Claim, Reading, Refused, Steps, View
from .exceptions import LockedOut, LockoutStatus, StoreError, StoreUnavailable
from .identities import Comparison, account, account_field, fold, is_blank
from .keys import client_keys, tag
from .reports import Report, report_outage, status_of
from .slots import SilentStoreError, Slots, refusal
from .store import Do, Store, arun, run

if TYPE_CHECKING:
    from .policy import LockoutPolicy

OUTAGE_RETRY = 30  # seconds after which a refused client is told to come back when the cache is down


@dataclass(slots=True, eq=False)
class Attempt:
    """One guess: who is counted, the slots it holds, the calls that verify it, and the verdict."""

    slots: Slots
    report: Report
    tags: set[str]
    claim: Claim | None = None
    secrets: bytes = b""
    calls: list[tuple[bytes, set[str]]] = field(default_factory=list)
    verdict: bool | None = None
    settled: bool = False

    def takes(self, secrets: bytes, values: bytes, backend: str, limit: int) -> bool:
        """Whether a call belongs to this guess: the same secrets, and not more than `limit` calls.

        Other values beside the secrets, or a backend that was asked before, make it a further call.
        """
        if self.settled or self.secrets not in (b"", secrets):
            return False
        self.secrets = secrets
        if self.calls and self.calls[-1][0] == values and backend not in self.calls[-1][1]:
            self.calls[-1][1].add(backend)
        elif len(self.calls) < limit:
            self.calls.append((values, {backend}))
        else:
            return False
        return True

    @property
    def tag(self) -> str:
        """Forgiving needs one account that is named in one way; of several it could prove the wrong one."""
        return next(iter(self.tags)) if len(self.tags) == 1 else ""


class Block:
    """Watches the guesses made inside it; made by `LockoutPolicy.observe()` and `LockoutPolicy.attempt()`.

    For `with` and `async with`. Raises LockedOut on entering if the client is known to be locked then, and on leaving
    settles what has not been settled yet.
    """

    def __init__(self, policy: "LockoutPolicy", request: HttpRequest, username: Any = None, eager: bool = False) -> None:
        self.policy, self.request, self.username, self.eager = policy, request, username, eager
        self.open = False
        self.refused: LockedOut | None = None
        self.response: HttpResponseBase | None = None
        self._store = Store(policy.cache)
        self._client: tuple[str, Slots] | None = None
        self._reading: Reading | None = None
        self._attempts: list[Attempt] = []
        self._held: Attempt | None = None
        self._unasked: list[Any] = []
        self._outage = False
        self._comparison = Comparison()

    def succeed(self) -> None:
        """The secret was right: on leaving, the slot becomes free and failures of the same `username` are forgiven."""
        self._judge(True)

    def fail(self) -> None:
        """The secret was wrong; the same as saying nothing."""
        self._judge(False)

    def cancel(self) -> None:
        """Nothing was verified: on leaving, the slot is given back."""
        if self._judge(True):
            self._held.tags.clear()

    def _judge(self, verdict: bool) -> bool:
        first = self._held is not None and self._held.verdict is None
        if first:
            self._held.verdict = verdict
        return first

    def __enter__(self) -> Self:
        run(self._opening())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        run(self._closing(error))

    async def __aenter__(self) -> Self:
        await arun(self._opening())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await arun(self._closing(error))

    # What the hook into django.contrib.auth asks of an open block

    def ask(self, call: Call) -> Steps[Attempt | None]:
        """Before a backend sees credentials: the attempt they belong to, with its slot. Raises LockedOut."""
        if is_blank(call.credentials):
            return None
        named = account(call.credentials, self.policy.username, self.request)
        belongs = partial(Attempt.takes, **self._compare(call), limit=self.policy.calls)
        attempt = next((attempt for attempt in self._attempts if belongs(attempt)), None)
        if attempt is None:
            attempt = yield from self._claim(named)
            belongs(attempt)
        attempt.tags.add(tag(named))
        return attempt

    def withdraw(self, attempt: Attempt, call: Call) -> Steps[None]:
        """The call is not made after all; if it was the guess's only one, there was no guess."""
        if attempt.verdict is None and [asked for _, asked in attempt.calls] == [{call.backend}]:
            attempt.verdict = True
            attempt.tags.clear()
            yield from self._settle(attempt)

    def succeed_at(self, attempt: Attempt, call: Call) -> Steps[None]:
        """Settle at once: a slot is for the verification, not for the rest of the view."""
        if self.open and not attempt.settled:
            attempt.verdict = True
            attempt.tags = {tag(account(call.credentials, self.policy.username, self.request))}
            yield from self._settle(attempt)

    def fail_at(self, attempt: Attempt | None, call: Call) -> None:
        """The first verdict on a guess stands; a failure of no known guess is counted on leaving."""
        if attempt is None:
            self._unasked.append(account(call.credentials, self.policy.username, self.request))
        elif attempt.verdict is None:
            attempt.verdict = False

    def _compare(self, call: Call) -> dict[str, Any]:
        field_name = account_field(call.credentials, self.policy.username)
        secrets = self._comparison.digest(call.credentials, field_name)
        return {"secrets": secrets, "values": self._comparison.digest(call.credentials), "backend": call.backend}

    # Opening and closing

    def _opening(self) -> Steps[None]:
        policy = self.policy
        if not conf.enabled or (policy.exempt and (yield Do(partial(policy.exempt, self.request)))):
            return
        if self.eager:
            self._held = yield from self._claim(self.username)
        elif policy.looks_early(self.request):
            yield from self._look()
        self.open = True
        authentication.enter(self, self.request)

    def _closing(self, error: BaseException | None) -> Steps[None]:
        if not self.open:
            return
        self.open = False
        authentication.leave(self, self.request)
        if isinstance(error, LockedOut) and self._held and not self._held.calls:
            self.cancel()  # another policy refused this guess
        for attempt in self._attempts:
            yield from self._settle(attempt)
        unguessed = not (self._attempts or self._unasked)
        if unguessed and self.response is not None and self.policy.failure:
            if (yield Do(partial(self.policy.is_failure, self.request, self.response))):
                self._unasked.append(None)
        for named in self._unasked:
            attempt, result = yield from self._take(named, patience=0)
            if isinstance(result, Refused):
                yield Do(partial(attempt.report.locked, result.fallen))
            attempt.verdict = False
            yield from self._settle(attempt)

    def _look(self) -> Steps[None]:
        """One early look at whether the client is locked; what it reads serves the first claim."""
        attempt = yield from self._attempt(None)
        try:
            self._reading = yield from self._store.through(attempt.slots.look())
        except StoreError as error:
            yield from self._fail_store(error)
            self._refuse_without_store()
        else:
            if refused := refusal(self._reading):
                yield from self._refuse(attempt, refused)

    # Claiming, refusing, settling

    def _claim(self, named: Any) -> Steps[Attempt]:
        """A new guess with its slot. After one refusal a block refuses at once."""
        if self.refused:
            raise type(self.refused)(self.refused.status)
        for attempt in self._attempts:
            if attempt.verdict is False:
                yield from self._settle(attempt)
        attempt, result = yield from self._take(named, self.policy.patience if self.policy.enforce else 0)
        if isinstance(result, Refused):
            yield from self._refuse(attempt, result)
        elif result is None:
            self._refuse_without_store()
        self._attempts.append(attempt)
        return attempt

    def _take(self, named: Any, patience: float) -> Steps[tuple[Attempt, Claim | Refused | None]]:
        """Try to get a slot; None if the store is down."""
        attempt, result = (yield from self._attempt(named)), None
        reading, self._reading = self._reading, None
        own = {name for other in self._attempts if other.claim for name in other.claim.occupancies}
        if not self._outage:
            try:
                result = yield from self._store.through(attempt.slots.claim(attempt.tag, patience, reading, own))
            except (StoreError, SilentStoreError) as error:
                yield from self._fail_store(error)
        if isinstance(result, Claim):
            attempt.claim = result
        return attempt, result

    def _attempt(self, named: Any) -> Steps[Attempt]:
        policy = self.policy
        if self._client is None or policy.key.needs_identity:
            address, digests = yield Do(partial(client_keys, policy, self.request, fold(named)))
            self._client = address, Slots(policy.counters(digests))
        address, slots = self._client
        username = None if named is None else str(named)
        return Attempt(slots, Report(policy, self.request, address, username, slots.counters[-1].key), {tag(named)})

    def _refuse(self, attempt: Attempt, refused: Refused) -> Steps[None]:
        yield Do(partial(attempt.report.refused, refused.view, refused.fallen))
        if self.policy.enforce:
            self.refused = flavoured(LockedOut)(status_of(self.policy.scope, refused.view))
            raise self.refused

    def _settle(self, attempt: Attempt) -> Steps[None]:
        """Free or mark the slots of an attempt, once. A store that fails now takes nothing back from a good guess."""
        if attempt.settled:
            return
        attempt.settled = True
        if attempt.claim is None or self._outage:
            return
        slots, claim = attempt.slots, attempt.claim
        try:
            if attempt.verdict:
                yield from self._store.through(slots.succeed(claim, attempt.tag))
            else:
                views, fallen = yield from self._store.through(slots.fail(claim, attempt.tag))
                yield Do(partial(attempt.report.failed, views[-1], fallen))
        except StoreError as error:
            yield from self._fail_store(error)

    def _fail_store(self, error: Exception) -> Steps[None]:
        """The cache is down for the rest of this block."""
        self._outage = True
        yield Do(partial(report_outage, self.policy, self.request, error))

    def _refuse_without_store(self) -> None:
        if self.policy.enforce and not conf.fail_open:
            status = LockoutStatus(self.policy.scope, False, 0, self.policy.max, OUTAGE_RETRY)
            self.refused = flavoured(StoreUnavailable)(status)
            raise self.refused


def status_steps(policy: "LockoutPolicy", request: HttpRequest, username: Any) -> Steps[LockoutStatus]:
    attempt = yield from Block(policy, request)._attempt(username)
    views = yield from Store(policy.cache).through(attempt.slots.status())
    locked = refusal(Reading(0, views))
    return status_of(policy.scope, locked.view if locked else views[-1])


def reset_steps(policy: "LockoutPolicy", request: HttpRequest, username: Any) -> Steps[None]:
    attempt = yield from Block(policy, request)._attempt(username)
    yield from Store(policy.cache).through(attempt.slots.reset())
    yield Do(partial(attempt.report.reset, View(attempt.slots.counters[-1])))

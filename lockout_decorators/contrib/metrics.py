"""What is counted of the signals, whichever package exports it: how much of what, never whose."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.dispatch import Signal

from .. import signals
from ..conf import conf
from ..policy import LockoutPolicy

Add = Callable[[str, int, Mapping[str, str]], None]


class Metric(NamedTuple):
    """A counter; its labels have few values: a scope and a cache alias are names in the project's own code."""

    help: str
    labels: tuple[str, ...] = ("scope", "counter", "enforced")


METRICS: dict[str, Metric] = {
    "failures": Metric("Guesses that were wrong."),
    "locks": Metric("Locks that fell."),
    "refusals": Metric("Guesses that met a lock, or found all slots busy."),
    "challenges": Metric("Guesses that were sent back for want of a solved challenge."),
    "successes_after_failures": Metric("Guesses that were right while failures stood on record."),
    "resets": Metric("Clients that were forgotten or forgiven."),
    "outages": Metric("Guesses that a cache could not count.", ("scope", "cache", "fail_open")),
}
SIGNALS: dict[Signal, str] = {
    signals.attempt_failed: "failures",
    signals.locked_out: "locks",
    signals.attempt_refused: "refusals",
    signals.succeeded_after_failures: "successes_after_failures",
    signals.lockout_reset: "resets",
    signals.store_failed: "outages",
}


def connect(add: Add) -> None:
    """From now on `add(metric, amount, labels)` is called for each event. All counters of a policy begin at 0 with the
    first event that is heard of it: what begins at 1 has not grown for those who compute rates."""
    begun: set[LockoutPolicy] = set()

    def receive(sender: LockoutPolicy | None, signal: Signal, detail: Any, **kwargs: Any) -> None:
        if sender is not None and sender not in begun:  # None: a lock was lifted whose policy is gone
            begun.add(sender)
            _begin(sender, add)
        if isinstance(detail, signals.StoreDetail):
            add("outages", 1, _outage(detail.scope, detail.alias, detail.fail_open))
        else:
            status, unsolved = detail.status, signal is signals.attempt_refused and detail.status.challenge
            name = "challenges" if unsolved else SIGNALS[signal]
            add(name, 1, _guess(status.scope, status.counter, detail.enforced))

    for signal in SIGNALS:
        signal.connect(receive, weak=False)


def _begin(policy: LockoutPolicy, add: Add) -> None:
    counters = {"ceiling" if kind.ceiling else "key" for kind in policy.kinds}
    for counter in (*counters, "browser") if policy.known_browsers else counters:
        for name in METRICS.keys() - {"outages"}:
            add(name, 0, _guess(policy.scope, counter, policy.enforce))
    add("outages", 0, _outage(policy.scope, policy.cache, conf.fail_open or not policy.enforce))


def _guess(scope: str, counter: str, enforced: bool) -> dict[str, str]:
    return {"scope": scope, "counter": counter, "enforced": _flag(enforced)}


def _outage(scope: str, alias: str, fail_open: bool) -> dict[str, str]:
    return {"scope": scope, "cache": alias, "fail_open": _flag(fail_open)}


def _flag(value: bool) -> str:
    return "true" if value else "false"

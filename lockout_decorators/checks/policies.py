"""The policies: those that disagree, that let through more than they seem to, or keep an account's owner out."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import combinations

from django.core.checks import CheckMessage, Error, Warning

from .. import presets
from ..policy import LockoutPolicy
from ..terms.registry import registered

RULES = ("max", "lockout", "forget", "ceiling", "spread", "cache")  # what policies that count alike have to agree on
FEW = 50  # wrong guesses that nobody has to go to any trouble for


def about_policies(policies: Sequence[LockoutPolicy]) -> Iterator[CheckMessage]:
    yield from _disagreements(policies)
    for policy in policies:
        if (shortest := _shortest_lock(policy)) is not None and shortest < policy.window and not policy.rolling:
            yield Warning(
                f"{policy.scope}: lockout ({shortest:g} s) is shorter than window ({policy.window:g} s).",
                hint="A lock ends with a fresh start, so this allows more guesses than the window suggests.",
                id="lockout_decorators.W001",
            )
        if policy.key.changeable and not _address_is_bounded(policy):
            yield Warning(
                f"{policy.scope}: a client can change its key at will, and there is no ceiling for its address.",
                hint="Remove ceiling=None, unless another policy on the view counts by address.",
                id="lockout_decorators.W002",
            )
        if keeps_owner_out(policy):
            yield Warning(
                f"{policy.scope}: anybody who knows a name keeps its owner out by {policy.max} wrong guesses.",
                hint='Add known_browsers=timedelta(days=90), or write key="ip+username" and let the account have a '
                "larger max beside it, as presets.LOGIN does; where only who has passed a first step can guess, "
                "silence this.",
                id="lockout_decorators.W011",
            )


def _disagreements(policies: Sequence[LockoutPolicy]) -> Iterator[CheckMessage]:
    found: dict[str, set[str]] = {}
    for first, second in combinations(policies, 2):
        if first.frames & second.frames:
            differing = {name for name in RULES if getattr(first, name) != getattr(second, name)}
            found.setdefault(first.scope, set()).update(differing)
    for scope, differing in found.items():
        if differing:
            yield Error(
                f"Policies with the scope {scope!r} count alike, and differ in {', '.join(sorted(differing))}.",
                hint="Share one LockoutPolicy, or give each its own scope.",
                id="lockout_decorators.E003",
            )


def _address_is_bounded(policy: LockoutPolicy) -> bool:
    """By its own ceiling, or under its scope by another policy."""
    others = [other for other in registered.get(policy.scope, []) if other.enforce]
    return any(one.ceiling is not None or one.key.is_address for one in [policy, *others])


def _shortest_lock(policy: LockoutPolicy) -> float | None:
    return min(policy.lockout) if isinstance(policy.lockout, tuple) else policy.lockout


def _arguments(policy: LockoutPolicy) -> dict[str, object]:
    """All but the scope."""
    return {field.name: vars(policy).get(field.name) for field in fields(policy) if field.name != "scope"}


CONSIDERED = list(map(_arguments, (*presets.CODES, *presets.PCI_DSS)))  # which say so themselves


def keeps_owner_out(policy: LockoutPolicy) -> bool:
    """Whether a few wrong guesses by anybody do."""
    if not policy.enforce or policy.key.parts != ("username",) or policy.max >= FEW or policy.known_browsers:
        return False
    return _arguments(policy) not in CONSIDERED

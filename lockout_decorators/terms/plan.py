"""What a policy's terms come to: the rule of each counter, and what its digest begins with. Worked out once."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from ..clients.keys import Key, frame
from ..records.rule import Rule

Lengths = float | tuple[float, ...] | None

NAME = 10  # hexadecimal digits that tell the kinds of a project apart
SLOTS = 5000  # of one counter, at most
WIDER = 10  # times the slots and the spread of an address: those of the network around it


class Kind(NamedTuple):
    """A counter of each client: of its key, or of its address alone (a ceiling).

    Attributes:
        frame: Scope, key specification, kind, window and whether it rolls: what is counted.
        name: A short digest of that.
        wider: It is the ceiling of the network around an IPv6 address.
    """

    rule: Rule
    frame: str
    ceiling: bool
    name: str
    wider: bool


class Plan(NamedTuple):
    """The counters of each client, and what is counted in all of them."""

    kinds: tuple[Kind, ...]
    frames: frozenset[str]


@lru_cache(maxsize=512)
def planned(
    scope: str,
    key: Key,
    rolling: bool,
    most: int,
    window: float,
    lockout: Lengths,
    forget: float,
    ceiling: int | None,
    spread: int | None,
    unsolved: int = 0,
) -> Plan:
    """Where an address is counted, that of the network around it comes first; then the ceiling's, if there is one; last
    the key's. Raises ImproperlyConfigured for a setting that makes no sense."""
    if wrong := nonsense(scope, key, rolling, most, lockout, ceiling, spread, unsolved):
        raise ImproperlyConfigured(wrong)
    rule = Rule(most, _milliseconds(window), _lengths(lockout), rolling, _milliseconds(forget), unsolved=unsolved)
    address = _widened(rule, ceiling or 1)._replace(spread=spread or 0)
    network = _widened(address, WIDER)
    counted = (scope, str(key), "rolling" if rolling else "fixed", str(rule.window))
    around = _kind(network, "network", counted, ceiling=True, wider=True)
    own = _kind(address if ceiling is None else rule, "key", counted)
    kinds: tuple[Kind, ...] = (around, own) if key.is_address else (own,)
    if ceiling is not None:
        kinds = around, _kind(address, "ceiling", counted, ceiling=True), own
    return Plan(kinds, frozenset([kind.frame for kind in kinds]))


def _widened(rule: Rule, times: int) -> Rule:
    """For so many times as many clients."""
    return rule._replace(
        max=min(times * rule.max, SLOTS), spread=times * rule.spread, unsolved=min(times * rule.unsolved, SLOTS)
    )


def _kind(rule: Rule, what: str, counted: Sequence[str], ceiling: bool = False, wider: bool = False) -> Kind:
    framed = frame(what, *counted)
    return Kind(rule, framed, ceiling, sha256(framed.encode()).hexdigest()[:NAME], wider)


def nonsense(
    scope: str,
    key: Key,
    rolling: bool,
    most: int,
    lockout: Lengths,
    ceiling: int | None,
    spread: int | None,
    unsolved: int,
) -> str:
    """What can't be beside each other, and comes from the settings in part; empty if nothing."""
    if lockout == 0 and not rolling:
        return "LOCKOUT_TIME is 0; it must be more, or None for ever, without rolling=True."
    if (ceiling or 1) * most > SLOTS:
        return f"LOCKOUT_MAX_ATTEMPTS is {most}; it must be less with ceiling={ceiling}."
    if unsolved >= most:
        return f"LOCKOUT_MAX_ATTEMPTS is {most}; it must be more with challenge_after={unsolved}."
    wrong = lost_spread(key, most, ceiling, spread)
    return wrong and f"Policy {scope!r}: {wrong}"


def lost_spread(key: Key, most: int, ceiling: int | None, spread: int | None) -> str:
    """Why a spread would come to nothing; empty if it does not."""
    if spread and ceiling is None and not key.is_address:
        return f'spread is {spread}; it counts the names that one address tries, so it needs a ceiling or key="ip".'
    if spread and spread >= (slots := (ceiling or 1) * most):
        return f"spread is {spread}; it must be less than the {slots} failures that lock an address."
    return ""


def _lengths(lockout: Lengths) -> tuple[int | None, ...]:
    if lockout == 0:
        return ()
    if isinstance(lockout, tuple):
        return tuple([_milliseconds(length) for length in lockout])
    return (None if lockout is None else _milliseconds(lockout),)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)

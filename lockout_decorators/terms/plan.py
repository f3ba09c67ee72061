"""What a policy's terms come to: the rule of each counter, and what its digest begins with. Worked out once."""

from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from ..clients.keys import Key, frame
from ..records.rule import Rule

Lengths = float | tuple[float, ...] | None

NAME = 10  # hexadecimal digits that tell the kinds of a project apart
SLOTS = 5000  # of one counter, at most


class Kind(NamedTuple):
    """A counter of each client: of its key, or of its address alone (the ceiling).

    Attributes:
        frame: Scope, key specification, kind, window and whether it rolls: what is counted.
        name: A short digest of that.
    """

    rule: Rule
    frame: str
    ceiling: bool
    name: str


@lru_cache(maxsize=512)
def kinds(
    scope: str, key: Key, rolling: bool, most: int, window: float, lockout: Lengths, forget: float, ceiling: int | None
) -> tuple[Kind, ...]:
    """The ceiling's, if there is one, and the key's. Raises ImproperlyConfigured for a setting that makes no sense."""
    if lockout == 0 and not rolling:
        raise ImproperlyConfigured("LOCKOUT_TIME is 0; it must be more, or None for ever, without rolling=True.")
    if (ceiling or 1) * most > SLOTS:
        raise ImproperlyConfigured(f"LOCKOUT_MAX_ATTEMPTS is {most}; it must be less with ceiling={ceiling}.")
    rule = Rule(most, _milliseconds(window), _lengths(lockout), rolling, _milliseconds(forget))
    counted = (scope, str(key), "rolling" if rolling else "fixed", str(rule.window))
    own = _kind(rule, frame("key", *counted), False)
    if ceiling is None:
        return (own,)
    return _kind(rule._replace(max=ceiling * most), frame("ceiling", *counted), True), own


def _kind(rule: Rule, framed: str, ceiling: bool) -> Kind:
    return Kind(rule, framed, ceiling, sha256(framed.encode()).hexdigest()[:NAME])


def _lengths(lockout: Lengths) -> tuple[int | None, ...]:
    if lockout == 0:
        return ()
    if isinstance(lockout, tuple):
        return tuple([_milliseconds(length) for length in lockout])
    return (None if lockout is None else _milliseconds(lockout),)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)

"""How many wrong guesses a policy lets be verified, from how many addresses, and whom it lets be kept out.

An address is a client's: of IPv6 its network (/64). That a wider network is bounded too makes no figure larger. Who is
known by a cookie is a client of its own, and in no figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..clients.keys import Key
from ..records import bounds
from ..records.rule import Rule
from .keepers import ACCOUNT, keepers, refusing
from .terms import Terms

ADDRESSES = (1, 1_000, 100_000)
HOUR, DAY = 3_600, 86_400


@dataclass(frozen=True, slots=True)
class Guesses:
    """The most wrong guesses that are verified; None: there is no bound.

    Attributes:
        addresses: From how many addresses.
        per_day: In the long run.
        hour: In the worst hour.
        day: In the worst day.
    """

    addresses: int
    per_day: float | None
    hour: int | None
    day: int | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a policy bounds, whatever an attacker does. A door with several policies has the least of each figure.

    Attributes:
        per_second: Wrong guesses of one client in the long run, by the best of tripping the lock and staying below it.
        interval: The most of one client in the worst stretch as long as the window.
        account: At one account, from 1, 1,000 and 100,000 addresses.
        total: At all accounts, from as many.
        keeps_out: Who can keep out whom, and by how many wrong guesses.
    """

    per_second: float
    interval: int
    account: tuple[Guesses, ...]
    total: tuple[Guesses, ...]
    keeps_out: tuple[str, ...]


def bounds_of(terms: Terms) -> Bounds:
    """The figures of one policy."""
    rule = terms.plan.kinds[-1].rule
    account, total = [tuple([guesses([terms], many, one) for many in ADDRESSES]) for one in (True, False)]
    kept_out = tuple(map(str, keepers([terms])))
    return Bounds(bounds.per_second(rule), bounds.within(rule, rule.window), account, total, kept_out)


def guesses(policies: Sequence[Terms], addresses: int, one_account: bool) -> Guesses:
    """At a door with these policies, at one account or at all."""
    rates = [count * bounds.per_second(rule) for rule, count in _reach(policies, addresses, one_account)]
    hour, day = [most_within(seconds, policies, addresses, one_account) for seconds in (HOUR, DAY)]
    return Guesses(addresses, min(rates) * DAY if rates else None, hour, day)


def most_within(seconds: int, policies: Sequence[Terms], addresses: int, one_account: bool) -> int | None:
    """In the worst stretch of so many seconds; None: there is no bound."""
    reach, time = _reach(policies, addresses, one_account), seconds * bounds.SECOND
    return min([count * bounds.within(rule, time) for rule, count in reach], default=None)


def _reach(policies: Sequence[Terms], addresses: int, one_account: bool) -> list[tuple[Rule, int]]:
    """The rules that hold, and how many clients the addresses can be under each."""
    found = []
    for terms in policies:
        for kind in refusing(terms):
            clients = addresses if kind.ceiling else _clients(terms.key, addresses, one_account)
            if clients is not None:
                found.append((kind.rule, clients))
    return found


def _clients(key: Key, addresses: int, one_account: bool) -> int | None:
    """None: as many as they make up, or, of a callable, nobody knows."""
    known = ("ip", *ACCOUNT) if one_account else ("ip",)
    if key.function is not None or not {*key.parts} <= {*known}:
        return None
    return addresses if "ip" in key.parts else 1

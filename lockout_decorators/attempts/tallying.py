"""Counts failures, locks and refusals for the charts: a failure once under each scope, whatever policies it has."""

from collections.abc import Iterable

from ..conf import conf
from ..journal import tallies
from ..journal.tally import Tally
from .driver import Refused
from .settling import Settled


def tally_failure(settled: Iterable[Settled]) -> None:
    """A failure under the scopes that have counted it, with the locks that it has written."""
    counted: dict[str, tuple[dict[str, Tally], int]] = {}
    for one in settled if conf.journal else ():
        terms = one.seat.counter.terms
        scopes = counted.get(terms.cache, ({}, one.now))[0]
        scopes[terms.scope] = scopes.get(terms.scope, Tally(failures=1)).plus(Tally(locks=int(one.fell)))
        counted[terms.cache] = scopes, one.now
    for alias, (scopes, now) in counted.items():
        tallies.count(alias, scopes, now)


def tally_refusal(refused: Refused) -> None:
    """Of the policy that refuses, or would."""
    if conf.journal:
        terms = refused.seat.counter.terms
        tallies.count(terms.cache, {terms.scope: Tally(refusals=1)}, refused.now)

"""manage.py lockout prove: bursts at a cache, and says whether guesses are counted exactly there."""

import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from lockout_decorators.conf import conf
from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import store_for
from lockout_decorators.stores.facts import Facts, facts
from lockout_decorators.stores.weaknesses import way_of, weaknesses

from .apart import said
from .costs import Cost, Size
from .crew import Crew, processes, threads
from .report import Report, as_json, as_table, failures
from .trials import Trials

HELP = "Burst at a cache with right and wrong guesses, and say whether it counts them exactly."
ROUNDS = 16  # of measuring; the first warms up


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--cache", metavar="ALIAS", help="the cache alias; default: the setting LOCKOUT_CACHE")
    parser.add_argument("--seconds", type=_between(float, 0, 3600), default=10.0, help="for about how long; default 10")
    parser.add_argument("--processes", type=_between(int, 1, 64), default=4, help="that guess together; default 4")
    parser.add_argument("--threads", type=_between(int, 1, 64), default=4, help="of each process; default 4")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
    """Raises CommandError if the cache is not exact, or can't be asked."""
    alias = str(options["cache"] or conf.cache)
    with _crew(_known(alias), options["processes"], options["threads"]) as crew:
        report = _prove(crew, alias, options["seconds"])
    write(as_json(report) if options["json"] else as_table(report))
    if not report.exact:
        raise CommandError(report.verdict)


def _prove(crew: Crew, alias: str, seconds: float) -> Report:
    if len(set(crew.all("begin", alias))) > 1:
        raise CommandError("Not exact: each process has a SECRET_KEY of its own, and so counts for itself.")
    trials = Trials(crew, alias)
    try:
        costs, sizes = crew.one("measure", [trials.stranger() for _ in range(ROUNDS)])
        began = time.monotonic()
        trials.run(seconds)
        took = time.monotonic() - began
    finally:
        trials.clean()
    store = store_for(alias)
    return Report(
        cache=alias,
        backend=f"{type(store.cache).__module__}.{type(store.cache).__qualname__}",
        store=f"{type(store).__name__}: {way_of(store)}",
        guessers=crew.shown,
        seconds=round(took, 1),
        trials=sorted(trials.rows.values(), key=lambda row: row.name),
        costs=[Cost(*cost) for cost in costs],
        sizes=[Size(*size) for size in sizes],
        complaints=[*trials.complaints, *failures(crew.raised)],
        weaknesses=weaknesses(alias),
    )


def _crew(known: Facts, count: int, each: int) -> AbstractContextManager[Crew]:
    return threads(count * each) if known.one_process else processes(count, each)


def _known(alias: str) -> Facts:
    """Raises CommandError for what is no cache."""
    try:
        known = facts(alias)
        if not known.forgets:
            store_for(alias)
    except Exception as error:
        why, names = said(error.error if isinstance(error, StoreError) else error), ", ".join(settings.CACHES)
        raise CommandError(f"The cache {alias!r} can't be used: {why} (CACHES has {names})") from error
    if known.forgets:
        raise CommandError(f"The cache {alias!r} is a DummyCache: nothing would ever be counted.")
    return known


def _between(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    def checked(told: str) -> float:
        value = kind(told)
        if not least <= value <= most:
            raise ArgumentTypeError(f"must be from {least} to {most}")
        return value

    checked.__name__ = kind.__name__  # which argparse names for what is no number at all
    return checked

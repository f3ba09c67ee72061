"""manage.py lockout prove: bursts at a cache, and says whether guesses are counted exactly there.

From below: worker (what a process does when it is told to), crew (the processes), trials (what they are told, and what
has to come of it), and here what is asked and printed.
"""

import json
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from django.core.checks import ERROR
from django.core.management.base import CommandError

from lockout_decorators.checks import about_cache
from lockout_decorators.conf import conf
from lockout_decorators.stores import store_for
from lockout_decorators.stores.facts import facts

from .crew import Crew
from .trials import Trials
from .worker import Cost, measure

HELP = "Burst at a cache with right and wrong guesses, and say whether it counts them exactly."
ROUNDS = 16  # of measuring; the first one warms up
FEW = 3  # kinds of failures that are told


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--cache", metavar="ALIAS", help="the cache alias; default: the setting LOCKOUT_CACHE")
    parser.add_argument("--seconds", type=float, default=10.0, help="for about how long, and once in any case; default 10")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
    """Raises CommandError if the cache is not exact, or can't be asked."""
    alias = str(options["cache"] or conf.cache)
    weaknesses = _expect_cache(alias)
    with closing(Crew(alone=facts(alias).one_process)) as crew:
        report = {**_names(alias), "guessers": crew.shown, **_prove(crew, alias, options["seconds"])}
    report["weaknesses"] = weaknesses
    write(json.dumps(report, indent=2) if options["json"] else as_table(report))
    if not report["exact"]:
        raise CommandError(report["verdict"])


def _expect_cache(alias: str) -> list[str]:
    """What the system checks warn of; what they call an error is one."""
    messages = about_cache(alias)
    for message in messages:
        if message.level >= ERROR:
            raise CommandError(f"{message.msg} {message.hint}")
    return [message.msg for message in messages]


def _names(alias: str) -> dict[str, Any]:
    store = store_for(alias)
    kind = type(store.cache)
    return {"cache": alias, "backend": f"{kind.__module__}.{kind.__qualname__}", "way": store.way}


def _prove(crew: Crew, alias: str, seconds: float) -> dict[str, Any]:
    crew.begin(alias)
    trials = Trials(crew, alias)
    try:
        costs = crew.one(measure, [trials.stranger() for _ in range(ROUNDS)])
        began = time.monotonic()
        trials.run(seconds)
        took = time.monotonic() - began
    finally:
        trials.clean()
    rows = list(trials.rows.values())
    wrong = [f"{row.verified} verified where {row.allowed} are allowed ({row.name})" for row in rows if not row.exact]
    wrong += [*trials.complaints, *_counted(trials.failures)]
    return {
        "seconds": round(took, 1),
        "exact": not wrong,
        "verdict": f"Not exact: {'; '.join(wrong)}." if wrong else "Exact.",
        "trials": [vars(row) for row in rows],
        "costs": [cost._asdict() for cost in costs],
    }


def _counted(failures: Iterable[str]) -> list[str]:
    """What the cache has raised: a few of it."""
    return [f"the cache failed, {times} times: {error}" for error, times in Counter(failures).most_common(FEW)]


def as_table(report: Mapping[str, Any]) -> str:
    """The verdict only where it is exact: else it is the error."""
    trials = [[*row.values()][:-1] + ["exact" if row["exact"] else "NOT EXACT"] for row in report["trials"]]
    costs = [_shown(Cost(**cost)) for cost in report["costs"]]
    lines = [
        f"Cache {report['cache']!r}: {report['backend']}",
        report["way"],
        f"{report['guessers']}, {report['seconds']} seconds",
        *_aligned(["guesses", "asked", "verified", "allowed", ""], trials),
        *_aligned(["one guess", "round trips", "median", "leaves entries", "of bytes"], costs),
        "",
        *[f"Weakness: {weakness}" for weakness in report["weaknesses"]],
        *([report["verdict"]] if report["exact"] else []),
    ]
    return "\n".join(lines)


def _shown(cost: Cost) -> Sequence[Any]:
    return [cost.guess, cost.trips or "-", f"{cost.ms:.2f} ms", cost.entries, cost.bytes]


def _aligned(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """After an empty line; the first column to the left, the others to the right."""
    table = [head, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    aligned = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in table]
    return ["", *["  ".join(row).rstrip() for row in aligned]]

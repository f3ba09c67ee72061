"""manage.py lockout prove: bursts at a cache, and says whether guesses are counted exactly there.

From below: guesses, costs, crew (the processes that make them), trials (which, and what has to come of them), and here
what is asked and printed.
"""

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from django.core.checks import ERROR
from django.core.management.base import CommandError

from lockout_decorators.checks.caches import about_cache
from lockout_decorators.conf import conf
from lockout_decorators.management.tables import aligned
from lockout_decorators.stores import store_for
from lockout_decorators.stores.facts import facts
from lockout_decorators.stores.probe import probe

from .costs import Cost, measure
from .crew import Crew
from .trials import Trials

HELP = "Burst at a cache with right and wrong guesses, and say whether it counts them exactly."
ROUNDS = 16  # of measuring; the first one warms up
FEW = 3  # kinds of failures that are told


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--cache", metavar="ALIAS", help="the cache alias; default: the setting LOCKOUT_CACHE")
    parser.add_argument("--seconds", type=float, default=10.0, help="for about how long; default 10")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
    """Raises CommandError if the cache is not exact, or can't be asked."""
    alias = str(options["cache"] or conf.cache)
    report = _about(alias)
    with closing(Crew(alone=facts(alias).one_process)) as crew:
        report |= {"processes": crew.processes, "threads": crew.threads, **_prove(crew, alias, options["seconds"])}
    write(json.dumps(report, indent=2) if options["json"] else as_table(report))
    if not report["exact"]:
        raise CommandError(report["verdict"])


def _about(alias: str) -> dict[str, Any]:
    """What the configuration tells. Raises CommandError for what the system checks call an error."""
    messages = about_cache(alias)
    for message in messages:
        if message.level >= ERROR:
            raise CommandError(f"{message.msg} {message.hint}")
    store = store_for(alias)
    backend = f"{type(store.cache).__module__}.{type(store.cache).__qualname__}"
    return {"cache": alias, "backend": backend, "way": store.way, "warnings": [message.msg for message in messages]}


def _prove(crew: Crew, alias: str, seconds: float) -> dict[str, Any]:
    """Raises CommandError."""
    crew.begin(alias)
    trials = Trials(crew, alias)
    try:
        costs = crew.one(measure, [trials.stranger() for _ in range(ROUNDS)])
        trials.run(seconds)
    finally:
        trials.clean()
    rows, failures = trials.rows.values(), Counter(crew.failures).most_common(FEW)
    wrong = [f"{one.verified} verified, {one.allowed} allowed ({one.guesses})" for one in rows if not one.exact]
    wrong += [
        *probe(alias),
        *trials.complaints,
        *[f"the cache failed, {times} times: {error}" for error, times in failures],
    ]
    return {
        "exact": not wrong,
        "verdict": f"Not exact: {'; '.join(wrong)}." if wrong else "Exact.",
        "trials": [vars(row) for row in rows],
        "costs": [cost._asdict() for cost in seen(costs, alias)],
    }


def seen(costs: Sequence[Cost], alias: str) -> Sequence[Cost]:
    """Of a server there are round trips: none were seen if its client is not written in Python."""
    about = facts(alias)
    if about.one_process or about.one_host or any(cost.trips for cost in costs):
        return costs
    return [cost._replace(trips=None) for cost in costs]


def as_table(report: Mapping[str, Any]) -> str:
    """The verdict only where it is exact: else it is the error."""
    trials = [[*counts, "yes" if exact else "NO"] for *counts, exact in map(dict.values, report["trials"])]
    costs = [["?" if one is None else one for one in cost.values()] for cost in report["costs"]]
    lines = [
        f"Cache {report['cache']!r}: {report['backend']}",
        report["way"],
        f"Processes: {report['processes']}, threads of each: {report['threads']}",
        *aligned(["guesses", "asked", "verified", "allowed", "exact"], trials),
        *aligned(["one guess", "round trips seen", "median ms", "leaves entries", "of bytes"], costs),
        "",
        *report["warnings"],
        *([report["verdict"]] if report["exact"] else []),
    ]
    return "\n".join(lines)

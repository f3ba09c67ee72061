"""What a guess costs: time against a bare view, and cache round trips, counted.

    tox -e bench                             everything
    tox -e bench -- --quick                  the same with fewer samples
    tox -e bench -- --store Valkey --only ours
    tox -e bench -- --save FILE              and later, with other code: --beside FILE
    tox -e bench -- --profile "third failure"

The view is a function; the backend answers at once, there is no form, no session and no middleware, and whatever else
could hide the cost of counting is left out: with a password hasher, the bare view takes a thousand times as long.
Requests go through Django's WSGIHandler in process. A bare one and a guarded one take turns, each guarded one with a
client of its own in the state that the row is named after. Medians; LocMem never waits: there it is the thread's CPU
time, elsewhere time by the clock, while no processor sleeps (see awake.py). The exit status is 1 if a guess takes more
round trips than its budget; times are printed and judged, but they depend on the machine's mood.
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests import servers
from tests.bench import load, measuring, profiles, sizes, tables
from tests.bench.awake import awake
from tests.bench.guards import GUARDS, OURS, SITE
from tests.bench.measuring import Plan, Row

STORES = {"LocMem": servers.locmem, "Valkey": servers.valkey, "Memcached": servers.memcached}
PARTS = ("ours", "peers", "form", "load", "memory")


def apart(function: Callable[..., Any], *args: Any) -> Any:
    """In a process of its own: what guards a site hooks into Django once and for all."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


@contextmanager
def caches(wanted: list[str]) -> Iterator[dict[str, dict[str, Any]]]:
    """CACHES["default"] for each store; servers live as long as the block."""
    found = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        for name in wanted:
            try:
                found[name] = stack.enter_context(STORES[name](folder)).cache
            except pytest.skip.Exception as skipped:
                print(f"{name} left out: {skipped}")
        if "LocMem" in found:
            found["LocMem"] = found["LocMem"] | {"OPTIONS": {"MAX_ENTRIES": 1_000_000}}
        if "Memcached" in found and tables.has_pylibmc():
            found["Memcached, C"] = found["Memcached"] | {"BACKEND": tables.PYLIBMC}
        yield found


def carried_out(plans: list[Plan], failed: list[str]) -> Iterator[list[Row]]:
    """The rows of each plan; who can't be measured is named, and spoils nothing for the others."""
    for plan in plans:
        try:
            yield apart(measuring.carry_out, plan)
        except Exception as error:
            failed.append(f"{plan.guard} on {plan.store}: {error}")
            print(f"{failed[-1]}\n")


def guards(store: str) -> list[str]:
    """Those that are installed, and can count there."""
    return [name for name, guard in GUARDS.items() if guard.installed and store in (guard.stores or [store])]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    parser.add_argument("--store", choices=STORES, action="append")
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--beside", type=Path, metavar="FILE", help="print what was written beside it")
    parser.add_argument("--profile", choices=measuring.CASES, metavar="ROW", help="where the time of a row goes")
    return parser.parse_args()


def main() -> int:
    options, failed = arguments(), list[str]()
    samples, parts = 60 if options.quick else 300, options.only or PARTS
    for name in [name for name, guard in GUARDS.items() if not guard.installed]:
        print(f"{name} left out: it is not installed.")
    with caches(options.store or list(STORES)) as found:
        if options.profile:
            for store, cache in found.items():
                apart(profiles.show, store, cache, options.profile, samples)
            return 0
        earlier = tables.Earlier(json.loads(options.beside.read_text()) if options.beside else [])
        with awake():
            rows = list(measured(found, parts, samples, earlier, failed))
        for store, cache in found.items() if "load" in parts else ():
            tables.show_loads(load.measure(store, name, cache) for name in guards(store))
    if "memory" in parts:
        apart(sizes.show)
    if options.save:
        options.save.write_text(json.dumps(rows))
    return tables.verdict(rows, failed)


def measured(
    found: dict[str, dict[str, Any]], parts: list[str], samples: int, earlier: tables.Earlier, failed: list[str]
) -> Iterator[Row]:
    tables.show_machine(samples)
    for store, cache in found.items():
        plan = Plan(OURS, store, cache, tables.OWN_ROWS, samples)
        plans = [plan, plan._replace(guard=SITE, rows=tables.PEER_ROWS)] if "ours" in parts else []
        plans += [plan._replace(rows=tables.FORM_ROWS, form=True)] if "form" in parts else []
        if "peers" in parts:
            others = [name for name in guards(store) if name not in (OURS, SITE)]
            plans += [plan._replace(guard=name, rows=tables.PEER_ROWS) for name in others]
        tables.show_trip(store, cache)
        for rows in carried_out(plans, failed):
            yield from tables.show(rows, earlier)


if __name__ == "__main__":
    sys.exit(main())

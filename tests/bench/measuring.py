"""What is measured at a site, and how: bare and guarded requests take turns, and each guarded one finds its client in
the very state that its row is named after."""

import gc
import statistics
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.bench.sites import Client, Site, clients
from tests.bench.trips import counting

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


class Case(NamedTuple):
    """A row: failures on record before, what is sent, and whether it is let through.

    A client that has a crowd of failures on record, at other names, is used again and again.
    """

    label: str
    before: int
    password: str
    accept: str = "*/*"
    refused: bool = False


LIMIT = 5
CROWD = 400
REUSED = 50  # times
CASES = {
    case.label: case
    for case in [
        Case("GET", 0, ""),
        Case("refused", LIMIT, "right", refused=True),
        Case("refused, HTML", LIMIT, "right", HTML, refused=True),
        Case("success", 0, "right"),
        Case("first failure", 0, "wrong"),
        Case("third failure", 2, "wrong"),
        Case("success after two", 2, "right"),
        Case("failure that locks", LIMIT - 1, "wrong"),
        Case("failure, 400 on record", CROWD, "wrong"),
        Case("success, 400 on record", CROWD, "right"),
    ]
}


class Row(NamedTuple):
    """Medians in microseconds of the bare and the guarded request, and the round trips of the guarded one."""

    store: str
    guard: str
    rule: str
    label: str
    bare: float
    guarded: float
    trips: tuple[str, ...]
    form: bool = False

    @property
    def ratio(self) -> float:
        return self.guarded / self.bare


class Plan(NamedTuple):
    """What one process measures: the rows of a guard on a store, by rule."""

    guard: str
    store: str
    cache: dict[str, Any]
    rows: tuple[tuple[str, str], ...]
    samples: int
    form: bool = False


def carry_out(plan: Plan) -> list[Row]:
    site = Site(plan.guard, plan.cache, plan.form)
    if plan.store == "LocMem":  # it never waits, so what others do on this machine can be left out
        site.clock = time.thread_time_ns
    for rule, label in plan.rows:
        for _ in range(20):
            _once(site, rule, CASES[label])
    return [_row(site, plan, rule, CASES[label]) for rule, label in plan.rows]


def _row(site: Site, plan: Plan, rule: str, case: Case) -> Row:
    gc.collect()
    pairs = [_once(site, rule, case, turn) for turn in range(plan.samples)]
    bare, guarded = (statistics.median(column) / 1000 for column in zip(*pairs, strict=True))
    return Row(plan.store, plan.guard, rule, case.label, bare, guarded, tuple(_trips(site, rule, case)), plan.form)


def _once(site: Site, rule: str, case: Case, turn: int = 0) -> tuple[int, int]:
    """Nanoseconds: of the bare view (for a refused guess: that its failure takes), and of the guarded one."""
    client = prepared(site, rule, case)
    password = "wrong" if case.refused else case.password
    if turn % 2:
        guarded = ask(site, rule, case, client)
        return site.send("bare", client, password, case.accept)[1], guarded
    bare = site.send("bare", client, password, case.accept)[1]
    return bare, ask(site, rule, case, client)


def prepared(site: Site, rule: str, case: Case) -> Client:
    client = next(clients)
    if rule == "known":
        client = site.known(rule, client)
    if case.before < CROWD:
        for _ in range(case.before):
            site.send(rule, client, "wrong")
        return client
    return site.crowded(rule, client, case.before, REUSED)


def ask(site: Site, rule: str, case: Case, client: Client) -> int:
    status, taken = site.send(rule, client, case.password, case.accept)
    expected = site.guard.refusal if case.refused else 302 if case.password == "right" else 200
    if status != expected:
        raise RuntimeError(f"{site.guard.package}, {rule}, {case.label}: status {status}")
    return taken


def _trips(site: Site, rule: str, case: Case) -> Iterator[str]:
    from django.core.cache import caches

    client = prepared(site, rule, case)
    with counting(caches["default"]) as names:
        ask(site, rule, case, client)
    yield from names

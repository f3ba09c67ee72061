"""Which rows there are, what they may cost, and how they are printed."""

import os
import socket
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import django

from tests.bench.guards import OURS, SITE
from tests.bench.load import Load
from tests.bench.measuring import Row

PYLIBMC = "django.core.cache.backends.memcached.PyLibMCCache"
USUAL = ("GET", "refused", "success", "first failure", "third failure", "success after two", "failure that locks")
OWN_ROWS = (
    *[("open", label) for label in ("GET", "success", "first failure")],
    *[("ip", label) for label in (*USUAL, "refused, HTML")],
    *[(rule, label) for rule in ("ip+username", "three") for label in USUAL],
    *[("challenge", label) for label in ("refused", "success", "first failure", "third failure", "success after two")],
    *[("known", label) for label in ("refused", "success", "third failure", "failure that locks")],
    *[("ip-500", label) for label in ("first failure", "failure, 400 on record")],
    *[("ip-500", label) for label in ("success", "success, 400 on record")],
    *[("spread", label) for label in ("success", "first failure", "failure, 400 on record")],
)
FREE = 30  # microseconds that the site's middleware may take of a request that guesses nothing
PEER_ROWS = tuple([("ip", label) for label in ("GET", "refused", "success", "third failure")])
FORM_ROWS = tuple([("ip", label) for label in USUAL])
RULES = {
    "open": "installed, not guarded",
    "ip": 'key="ip"',
    "ip+username": 'key="ip+username", ceiling',
    "three": "three policies",
    "challenge": 'key="ip", challenge_after=2',
    "known": 'key="username", a known browser',
    "ip-500": 'key="ip", max=500',
    "spread": 'key="ip", max=500, spread=100',
}
COLUMNS = ("LocMem", "Valkey", "Memcached")
TIMES = {  # for each of COLUMNS, times the bare view
    "GET": (1.1, 1.1, 1.1),
    "refused": (0.75, 1.3, 1.4),
    "success": (1.5, 2.6, 3.2),
    "first failure": (1.5, 2.6, 3.2),
    "third failure": (1.5, 2.6, 3.2),
    "success after two": (1.6, 2.7, 3.3),
    "failure that locks": (1.8, 3.0, 3.6),
}
SEVERAL = (1.9, 3.0, 4.5)  # with a ceiling, or three policies
TRIPS = {"GET": 0, "refused": 1, "refused, HTML": 1, "failure that locks": 4}  # any other: 3


class Earlier:
    """What was measured with other code."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        self.rows = {_what(row): row for row in [Row(*row) for row in rows]}

    def beside(self, row: Row) -> str:
        found = self.rows.get(_what(row))
        return f"{found.ratio:8.2f}{len(found.trips):4}" if found else ""


def _what(row: Row) -> tuple[Any, ...]:
    return row.store, row.guard, row.rule, row.label, row.form


def show_machine(samples: int) -> None:
    print(f"Python {sys.version.split()[0]}, Django {django.__version__}, medians of {samples} requests.")
    print(f"Other work on this machine makes round trips long: its load average is {os.getloadavg()[0]:.1f}.")
    print("Microseconds of the bare view and the guarded one, their ratio, round trips; then the same of --beside.\n")


def show(rows: Sequence[Row], earlier: Earlier) -> Iterator[Row]:
    titled = ""
    for row in rows:
        title = f"{row.store}, {row.guard}, {'LoginView' if row.form else RULES[row.rule]}"
        print("" if title == titled else f"{chr(10) if titled else ''}{title}\n", end="")
        titled, judged = title, judgement(row)
        times = f"{row.bare:7.0f}{row.guarded:7.0f}{row.ratio:7.2f} {judged:10}"
        print(f"    {row.label:24}{times}{len(row.trips):3}  {earlier.beside(row)}".rstrip(), flush=True)
        yield row
    print()


def judgement(row: Row) -> str:
    if row.guard == SITE and row.label == "GET":
        return f"{'ok' if row.guarded - row.bare <= FREE else 'over'} +{FREE} us"
    at_most = budget(row)
    return "" if at_most is None else f"{'ok' if row.ratio <= at_most else 'over'} {at_most:g}"


def budget(row: Row) -> float | None:
    """The ratio that is asked for. A refusal that has to wait for the name is no early one."""
    several = row.rule in ("ip+username", "three")
    if row.guard != OURS or row.form or row.label not in TIMES or not (several or row.rule in ("ip", "challenge")):
        return None
    if several and row.label == "refused":
        return None
    times = SEVERAL if several and row.label != "GET" else TIMES[row.label]
    return times[COLUMNS.index(row.store.partition(",")[0])]


def verdict(rows: Iterable[Row], failed: Sequence[str]) -> int:
    """The exit status: whether a row takes more round trips than it may, or could not be measured."""
    own = [row for row in rows if row.guard in (OURS, SITE)]
    over = [row for row in own if (most := trips(row)) is not None and len(row.trips) > most]
    wrong = [
        f"{row.store}, {row.rule}, {row.label}: {len(row.trips)} round trips, at most {trips(row)}" for row in over
    ]
    print("\n".join(["Wrong:", *wrong, *failed]) if wrong or failed else "Every round-trip budget is kept.")
    return 1 if wrong or failed else 0


def trips(row: Row) -> int | None:
    if row.rule == "open":
        return 0
    found = TRIPS.get(row.label, 3)
    if row.store.startswith("Memcached"):
        if row.rule not in ("ip", "challenge", "known", "ip-500"):
            return None  # it swaps one key at a time
        first = row.store != "Memcached" and row.label in ("success", "first failure")  # pylibmc finds nothing, twice
        return found + (found > 1) + 2 * (found > 3) + first  # to settle it looks once more; so does the list of locks
    return found


def show_loads(loads: Iterable[Load]) -> None:
    for one in loads:
        ratio = f"{one.refused / one.bare:.2f}" + (" (at most 1.2)" if one.guard == OURS else "")
        print(f"gunicorn, {one.store}, {one.guard}: ", end="")
        print(f"CPU of a refusal {one.refused:.0f} us, of the bare view {one.bare:.0f}: {ratio};", end=" ")
        print(f"a second {one.refused_rate:.0f} refusals, {one.bare_rate:.0f} of the bare view")


def show_trip(store: str, cache: dict[str, Any]) -> None:
    """What a round trip takes of itself, when the server was asleep: the floor that no client gets below."""
    if store == "LocMem" or "," in store:
        return
    place = urlsplit(cache["LOCATION"] if "//" in cache["LOCATION"] else f"//{cache['LOCATION']}")
    said = b"*1\r\n$4\r\nPING\r\n" if store == "Valkey" else b"version\r\n"
    with socket.create_connection((place.hostname, place.port)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        took = statistics.median([_trip(server, said) for _ in range(500)])
    print(f"{store}: a round trip takes {took / 1000:.0f} us of itself\n")


def _trip(server: socket.socket, said: bytes) -> int:
    end = time.perf_counter_ns() + 100_000
    while time.perf_counter_ns() < end:
        pass
    began = time.perf_counter_ns()
    server.sendall(said)
    server.recv(100)
    return time.perf_counter_ns() - began


def has_pylibmc() -> bool:
    return find_spec("pylibmc") is not None

"""Refusals under load: how many a second, over HTTP, and the CPU of each, as the workers of gunicorn count it."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.bench.guards import GUARDS
from tests.bench.served import served
from tests.bench.sites import Site

ROUNDS, REQUESTS = 6, 400  # the system counts CPU time in hundredths of a second, so it is the sum of all that tells
AT_ONCE, WORKERS = 4, 2
ALONE = ("LocMem",)  # where no two workers share what is counted
BODY = urlencode({"username": "bob", "password": "wrong"})
REQUEST = (
    "POST /{door}/ HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nAccept: */*\r\n"
    f"X-Bench: 192.0.2.1\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}"
)


class Load(NamedTuple):
    """Of the bare view's failure, and of a refusal.

    Attributes:
        bare: Microseconds of CPU for a request, in the workers.
        bare_rate: Requests a second, of all workers.
    """

    store: str
    guard: str
    bare: float
    refused: float
    bare_rate: float
    refused_rate: float


def measure(store: str, guard: str, cache: dict[str, Any]) -> Load:
    """Both take turns."""
    refusal = GUARDS[guard].refusal
    with served(partial(Site, guard, cache), workers=1 if store in ALONE else WORKERS) as (port, server):
        workers = _workers(port, server)
        for _ in range(6):
            _status(port, "ip")
        if (status := _status(port, "ip")) != refusal:
            raise RuntimeError(f"{guard} on {store} refuses nobody: {status}")
        rounds = [(_round(port, workers, "bare", 200), _round(port, workers, "ip", refusal)) for _ in range(ROUNDS)]
    (bare, bare_rate), (refused, rate) = [_summary(*zip(*one, strict=True)) for one in zip(*rounds, strict=True)]
    return Load(store, guard, bare, refused, bare_rate, rate)


def _summary(used: tuple[float, ...], rates: tuple[float, ...]) -> tuple[float, float]:
    return sum(used) / len(used), median(rates)


def _workers(port: int, server: int) -> list[Any]:
    import psutil

    with ThreadPoolExecutor(AT_ONCE) as pool:  # they are there when they answer
        list(pool.map(lambda _: _status(port, "bare"), range(10 * AT_ONCE)))
    return psutil.Process(server).children()


def _round(port: int, workers: list[Any], door: str, expected: int) -> tuple[float, float]:
    """Microseconds of CPU for a request, and requests a second."""
    before, began = _used(workers), time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = {*pool.map(lambda _: _status(port, door), range(REQUESTS))}
    taken = time.perf_counter() - began
    if found != {expected}:
        raise RuntimeError(f"/{door}/ answers {found}, not {expected}")
    return (_used(workers) - before) / REQUESTS * 1_000_000, REQUESTS / taken


def _used(workers: list[Any]) -> float:
    return sum(sum(worker.cpu_times()[:2]) for worker in workers)


def _status(port: int, door: str) -> int:
    """By a bare socket: what a client takes is missing from the workers, who share its processors."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(REQUEST.format(door=door).encode())
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return int(answer.split(maxsplit=2)[1])

"""CPU of a refusal under load: one worker of gunicorn, asked over HTTP, and its own count of the time it has used."""

import http.client
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.bench.guards import GUARDS
from tests.bench.sites import Site
from tests.servers import await_server, free_port

ROUNDS, REQUESTS = 6, 300  # the system counts CPU time in hundredths of a second, so it is the sum of all that tells
BODY = urlencode({"username": "bob", "password": "wrong"})
HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*", "X-Bench": "192.0.2.1"}


class Load(NamedTuple):
    """Microseconds of CPU for a request: of the bare view's failure, and of a refusal."""

    store: str
    guard: str
    bare: float
    refused: float


def measure(store: str, guard: str, cache: dict[str, Any]) -> Load:
    with _worker(guard, cache) as (port, worker):
        for _ in range(6):
            _send(port, "ip")
        if (status := _send(port, "ip")) != GUARDS[guard].refusal:
            raise RuntimeError(f"{guard} on {store} refuses nobody: {status}")
        rounds = [[_used(port, worker, door) for door in ("bare", "ip")] for _ in range(ROUNDS)]
    return Load(store, guard, *(sum(column) / ROUNDS for column in zip(*rounds, strict=True)))


def _used(port: int, worker: Any, door: str) -> float:
    before = sum(worker.cpu_times()[:2])
    for _ in range(REQUESTS):
        _send(port, door)
    return (sum(worker.cpu_times()[:2]) - before) / REQUESTS * 1_000_000


def _send(port: int, door: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", f"/{door}/", BODY, HEADERS)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


@contextmanager
def _worker(guard: str, cache: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    import psutil

    port = free_port()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(guard, cache, port))
    server.start()
    try:
        await_server(port)
        _send(port, "bare")  # the worker is there when it answers
        (worker,) = psutil.Process(server.pid).children()
        yield port, worker
    finally:
        server.terminate()
        server.join(10)


def _serve(guard: str, cache: dict[str, Any], port: int) -> None:
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):
        def load_config(self) -> None:
            for name, value in {"bind": f"127.0.0.1:{port}", "workers": 1, "loglevel": "critical"}.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return Site(guard, cache)

    with suppress(SystemExit):
        Server().run()

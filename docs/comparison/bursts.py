"""Bursts over HTTP at a guarded login, by four processes of gunicorn with sixteen threads each."""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from tests.bench import project
from tests.bench.served import served
from tests.bench.sites import Site

WRONG, RIGHT, AT_ONCE = 200, 40, 64
HASHING = 0.05  # seconds that it takes to verify a password
BURSTS = 3  # of which the worst is told
ROUNDS, BETWEEN = 6, 4  # so often so many wrong guesses, and a sign-in to an account of one's own
PROCESSES, THREADS = 4, 16


class SlowBackend(project.FreeBackend):
    """Takes as long as a hasher, and notes what it was asked."""

    noted: Path

    def authenticate(self, request: Any, username: str | None = None, password: str | None = None) -> Any:
        with self.noted.open("a") as file:
            file.write(f"{password}\n")
        time.sleep(HASHING)
        return super().authenticate(request, username, password)


def measure(guard: str, cache: dict[str, Any]) -> tuple[int, int, int]:
    """Wrong passwords verified in a burst; right ones that signed in at once; wrong ones verified between sign-ins."""
    with TemporaryDirectory() as folder:
        (noted := Path(folder) / "noted").touch()
        terms = {"workers": PROCESSES, "threads": THREADS, "backlog": 512}
        with served(partial(_load, guard, cache, noted), **terms) as (port, _):
            return _counted(port, noted)


def _counted(port: int, noted: Path) -> tuple[int, int, int]:
    _guess(port, "203.0.113.9", "right")
    bursts = [_burst(port, noted, f"198.51.100.{number}") for number in range(1, 1 + BURSTS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda number: _guess(port, "203.0.113.1", "right"), range(RIGHT)))
    before = _count(noted, "wrong")
    for _ in range(ROUNDS):
        for _ in range(BETWEEN):
            _guess(port, "203.0.113.2", "wrong")
        _guess(port, "203.0.113.2", "right", "mallory")
    return max(bursts), answers.count(302), _count(noted, "wrong") - before


def _burst(port: int, noted: Path, address: str) -> int:
    before = _count(noted, "wrong")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: _guess(port, address, "wrong"), range(WRONG)))
    return _count(noted, "wrong") - before


def _count(noted: Path, password: str) -> int:
    return noted.read_text().split().count(password)


def _guess(port: int, address: str, password: str, name: str = "bob") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*", "X-Bench": address}
    connection.request("POST", "/ip/", urlencode({"username": name, "password": password}), headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def _load(guard: str, cache: dict[str, Any], noted: Path) -> Site:
    SlowBackend.noted = noted
    site = Site(guard, cache, backend=f"{__name__}.SlowBackend")
    site.wear(site.doors["ip"])
    return site

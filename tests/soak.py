"""Mixed traffic against a web server of two workers: neither their memory nor the cache may grow.

    tox -e soak                                       ten minutes of gunicorn, on Valkey
    tox -e soak -- --server uvicorn --store sqlite    or memcached, postgresql, files

Windows and locks last five seconds, their entries a little longer, and a database sweeps them a minute later. So after
two minutes all goes as fast as it comes. The exit status is 0 if at the end memory and cache are as large as then.
"""

import argparse
import logging
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import django
import psutil

from tests.servers import DATABASE, STORES, Setup, use
from tests.web.servers import COMMANDS, Request, Server, serve

SECONDS = 5  # windows and locks
RATE = 100  # requests a second
THREADS = 8
LEAST = 3  # minutes
SHARED = [store for store in STORES if store != "locmem"]
SWEPT = ("sqlite", "postgresql", "files")  # what has expired lies there until it is swept, and its room longer
GROWTH = 1.1  # by so much the cache may be larger at the end than after two minutes, since chance sends the traffic,
SWEEPS = 2.0  # and chance the sweeps,
MEMORY = 1.03, 2**20  # and a worker: by this factor and these bytes
HOT = [f"192.0.2.{number}" for number in range(4)]
DOORS = ("form", "json", "token")
AGENTS = ("curl/8", "Mozilla/5.0")


def traffic() -> Request:
    """A look at the form, somebody who signs in, a guess out of nowhere, or one of a few who never stop."""
    stranger = f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"
    kind, door, agent = random.random(), random.choice(DOORS), random.choice(AGENTS)
    user = f"user{random.randrange(1000)}"
    if kind < 0.15:
        return Request("form", stranger, agent=agent, method="GET")
    if kind < 0.35:
        return Request(door, stranger, user, "right", agent)
    if kind < 0.6:
        return Request(door, stranger, user, "wrong", agent)
    return Request(door, random.choice(HOT), "bob", "wrong", agent)


class Traffic:
    """Threads that send `RATE` requests a second between them, for the length of the block, and count the answers."""

    def __init__(self, server: Server) -> None:
        self.server, self.over = server, threading.Event()
        self.answers: Counter[Any] = Counter()
        self.threads = [threading.Thread(target=self.send) for _ in range(THREADS)]

    def send(self) -> None:
        due = time.monotonic() + random.random()
        while not self.over.wait(max(0, due - time.monotonic())):
            due = max(due + THREADS / RATE, time.monotonic() - 1)
            try:
                (answer,) = self.server.send([traffic()])
            except OSError as error:
                answer = repr(error)
            self.answers[answer] += 1

    def __enter__(self) -> "Traffic":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


class Size(NamedTuple):
    """What a cache holds."""

    entries: int
    bytes: int


def measure(store: str, setup: Setup) -> Size:
    """Ask the store itself."""
    place = setup.cache["LOCATION"]
    if store == "valkey":
        import redis

        with redis.Redis.from_url(place) as client:
            sizes = [client.memory_usage(key) or 0 for key in client.scan_iter(count=1000)]
            return Size(len(sizes), sum(sizes))
    if store == "memcached":
        from pymemcache.client.base import Client

        with closing(Client(place)) as client:
            found = client.stats()
        return Size(found[b"curr_items"], found[b"bytes"])
    if store == "files":
        found = []
        for path in Path(place).glob("*.djcache"):
            with suppress(FileNotFoundError):
                found.append(path.stat().st_blocks * 512)
        return Size(len(found), sum(found))
    return measure_table(store, place)


def measure_table(store: str, table: str) -> Size:
    from django.db import connections

    with connections[DATABASE].cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        (entries,) = cursor.fetchone()
        if store == "postgresql":
            cursor.execute("SELECT pg_total_relation_size(%s)", [table])
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        (size,) = cursor.fetchone()
    return Size(entries, size)


class Sample(NamedTuple):
    """What is printed each minute."""

    requests: int  # within the minute
    cache: Size
    workers: dict[int, int]  # resident bytes by process


def workers(server: Server) -> dict[int, int]:
    """Those that answer requests: uvicorn has a helper of multiprocessing beside them."""
    children = psutil.Process(server.pid).children()
    return {p.pid: p.memory_info().rss for p in children if "resource_tracker" not in " ".join(p.cmdline())}


def soak(kind: str, store: str, minutes: int) -> Iterator[str]:
    """Print a line for each minute; yields what is wrong in the end."""
    samples: list[Sample] = []
    with started(store) as setup, tempfile.TemporaryDirectory() as folder:
        serving = serve(kind, setup, Path(folder), workers=2, verification=0.005, seconds=SECONDS)
        with use(setup), serving as server, Traffic(server) as sent:
            print(f"{kind}, 2 workers, {store}, {RATE} requests a second, windows and locks of {SECONDS} s")
            print(f"{'minute':>6}{'requests':>10}{'hasher':>8}{'entries':>9}{'cache kB':>10}   worker MB      answers")
            began, before = time.monotonic(), 0
            for minute in range(1, minutes + 1):
                time.sleep(max(0, began + 60 * minute - time.monotonic()))
                requests = sent.answers.total()
                samples.append(Sample(requests - before, measure(store, setup), workers(server)))
                before, (_, cache, found) = requests, samples[-1]
                resident = " ".join(f"{size / 2**20:.1f}" for size in found.values())
                answers = " ".join(f"{status}: {number}" for status, number in sorted(sent.answers.items(), key=str))
                print(
                    f"{minute:6}{requests:10}{server.hasher.stat().st_size:8}"
                    f"{cache.entries:9}{cache.bytes / 1000:10.0f}   {resident:15}{answers}",
                    flush=True,
                )
    yield from judge(store, samples[1], samples[-1], sent.answers)


def judge(store: str, second: Sample, last: Sample, answers: Counter[Any]) -> Iterator[str]:
    """Allow the cache what more traffic brings: a busy machine sends less than `RATE`."""
    growth = (SWEEPS if store in SWEPT else GROWTH) * max(1, last.requests / second.requests)
    entries = second.cache.entries * growth
    if last.cache.entries > entries:
        yield f"the cache has {last.cache.entries} entries, at most {entries:.0f} were expected"
    if store not in SWEPT and last.cache.bytes > second.cache.bytes * growth:
        yield f"the cache grew from {second.cache.bytes} to {last.cache.bytes} bytes"
    if second.workers.keys() != last.workers.keys():
        yield f"workers were replaced: {list(second.workers)} became {list(last.workers)}"
    for worker, size in last.workers.items():
        if size > second.workers.get(worker, size) * MEMORY[0] + MEMORY[1]:
            yield f"worker {worker} grew from {second.workers[worker]} to {size} bytes"
    if strange := answers.keys() - {200, 302, 401, 429}:
        yield f"answers that nobody expected: {strange}"


@contextmanager
def started(store: str) -> Iterator[Setup]:
    with tempfile.TemporaryDirectory() as folder, STORES[store](Path(folder)) as setup:
        yield setup


# Memory per client

CLIENTS = 100
CASES = [
    ("one failure, ip", "ip", 1),
    ("locked, ip", "ip", 5),
    ("one failure, ip+ua", "ip+ua", 1),
    ("locked, ip+ua", "ip+ua", 5),
]


def fail(key: str, failures: int) -> None:
    """So many failures of each client."""
    from django.test import RequestFactory

    from lockout_decorators import LockoutPolicy

    policy = LockoutPolicy(key=key, max=5, window=3600, lockout=3600, scope="soak")
    for number in range(CLIENTS):
        request = RequestFactory().post("/", REMOTE_ADDR=f"10.0.{number >> 8}.{number & 255}")
        for _ in range(failures):
            with policy.attempt(request):
                pass


def memory() -> None:
    """Print what a client takes up, the average of many."""
    print(f"Entries and bytes for each of {CLIENTS} clients, max=5, ip+ua with its ceiling")
    for store in SHARED:
        for label, key, failures in CASES:
            with tempfile.TemporaryDirectory() as folder, STORES[store](Path(folder)) as setup, use(setup):
                fail("user", 1)  # what grows only once has grown
                before = measure(store, setup)
                fail(key, failures)
                after = measure(store, setup)
            entries, size = ((one - other) / CLIENTS for one, other in zip(after, before, strict=True))
            print(f"{store:12}{label:22}{entries:6.1f}{size:8.0f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10, help=f"at least {LEAST}")
    parser.add_argument("--server", choices=COMMANDS, default="gunicorn")
    parser.add_argument("--store", choices=SHARED, default="valkey")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    logging.disable(logging.WARNING)
    wrong = list(soak(options.server, options.store, max(LEAST, options.minutes)))
    print("\n".join(["Not flat:", *wrong]) if wrong else "Flat.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

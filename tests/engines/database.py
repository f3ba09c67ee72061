"""Engines: databases, at several isolation levels, and the caches that keep rows of another layout in them."""

import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from getpass import getuser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.db import connections

from tests.servers import DATABASE, Setup, database, free_port, missing, postgresql, running, use
from tests.sizes import IN_FULL

NAME = "cache"


@contextmanager
def mariadb(folder: Path, **options: Any) -> Iterator[Setup]:
    binary = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    if binary is None:  # pragma: no cover
        missing("MariaDB: there is no mariadbd on the PATH")
    port, first = free_port(), folder / "first.sql"
    first.write_text(f"CREATE DATABASE {NAME};\n")
    command = [binary, "--no-defaults", f"--datadir={folder}", f"--socket={folder}/socket", f"--user={getuser()}"]
    command += [f"--port={port}", "--bind-address=127.0.0.1", f"--init-file={first}", "--skip-grant-tables"]
    command += ["--max-connections=300", "--innodb-flush-log-at-trx-commit=0", "--log-error=log"]
    with running(command, port, signal.SIGKILL, stderr=subprocess.DEVNULL):
        yield database("mysql", NAME=NAME, HOST="127.0.0.1", PORT=port, OPTIONS=options)


@contextmanager
def django_mysql(folder: Path) -> Iterator[Setup]:
    """The cache of django-mysql, which makes its table by a migration."""
    if find_spec("django_mysql") is None:  # pragma: no cover
        missing("django-mysql is not installed")
    with mariadb(folder) as setup:
        own = setup._replace(cache={"BACKEND": "tests.engines.mysql_cache.RoutedMySQLCache", "LOCATION": "rows"})
        with use(own), connections[DATABASE].cursor() as cursor:
            from django_mysql.cache import MySQLCache

            cursor.execute(MySQLCache.create_table_sql.format(table_name="rows"))
        yield own


@contextmanager
def postgresql_with(level: str, folder: Path) -> Iterator[Setup]:
    """Where each statement is a transaction of that isolation level."""
    with postgresql(folder) as setup:
        options = {"options": f"-c synchronous_commit=off -c default_transaction_isolation={level}"}
        yield setup._replace(database={**setup.database, "OPTIONS": options})


@contextmanager
def plain_sqlite(folder: Path) -> Iterator[Setup]:
    """As Django sets it up: a journal that keeps readers and writers apart, transactions that begin by reading."""
    yield database("sqlite3", NAME=str(folder / "cache.sqlite3"))


ENGINES: Mapping[str, Any] = {"mariadb": mariadb}
if IN_FULL:
    ENGINES = {
        **ENGINES,
        "mariadb-repeatable-read": partial(mariadb, isolation_level="repeatable read"),
        "mariadb-serializable": partial(mariadb, isolation_level="serializable"),
        "django-mysql": django_mysql,
        "postgresql-repeatable-read": partial(postgresql_with, "repeatable\\ read"),
        "postgresql-serializable": partial(postgresql_with, "serializable"),
        "sqlite-plain": plain_sqlite,
    }

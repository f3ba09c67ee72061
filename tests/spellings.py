"""Which texts a user store takes for one: each is asked for them in groups, by its own server or its own tool."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pymysql

from tests.engines.database import NAME, mariadb
from tests.servers import free_port, missing

Groups = Iterable[list[str]]
CHARACTERS = [chr(number) for number in range(0x110000) if not 0xD800 <= number < 0xE000]
AT_ONCE = 10_000
ASKED = "SELECT {} FROM names GROUP BY {} HAVING COUNT(*) > 1"


def grouped(texts: list[str], rows: Iterable[tuple[str]]) -> Groups:
    """Rows are the numbers of texts, with commas."""
    return [[texts[int(number)] for number in row[0].split(",")] for row in rows]


def slices(texts: list[str]) -> Iterator[range]:
    for start in range(0, len(texts), AT_ONCE):
        yield range(start, min(start + AT_ONCE, len(texts)))


@contextmanager
def in_mariadb(folder: Path) -> Iterator[Callable[[list[str], str], Any]]:
    """A function that files texts, and gives a cursor over them."""
    with (
        mariadb(folder) as setup,
        closing(pymysql.connect(host="127.0.0.1", port=setup.database["PORT"])) as connection,
    ):
        cursor = connection.cursor()
        cursor.execute(f"USE {NAME}")

        def file(texts: list[str], collation: str) -> Any:
            column = f"text VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_{collation}"
            cursor.execute(f"CREATE OR REPLACE TABLE names (number INT, {column}) ENGINE=Aria TRANSACTIONAL=0")
            for numbers in slices(texts):
                rows = ",".join([f"({number},_utf8mb4 X'{texts[number].encode().hex()}')" for number in numbers])
                cursor.execute(f"INSERT INTO names VALUES {rows}")
            return cursor

        yield file


@contextmanager
def mariadb_groups(folder: Path) -> Iterator[Callable[[list[str], str], Groups]]:
    with in_mariadb(folder) as file:

        def groups(texts: list[str], collation: str) -> Groups:
            cursor = file(texts, collation)
            cursor.execute("SET group_concat_max_len = 100000000")
            cursor.execute(ASKED.format("GROUP_CONCAT(number)", "text"))
            return grouped(texts, cursor.fetchall())

        yield groups


def postgresql_programs() -> Path:
    """Debian's, which is built with ICU."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:  # pragma: no cover
        missing("PostgreSQL with ICU: there is none in /usr/lib/postgresql")
    return found[-1].parent


@contextmanager
def postgresql() -> Iterator[psycopg.Connection[Any]]:
    programs, port = postgresql_programs(), free_port()
    who = {"user": "nobody"} if os.geteuid() == 0 else {}  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    shutil.chown(folder, who.get("user", os.geteuid()))
    initdb = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)
    control = [programs / "pg_ctl", "-D", folder / "data", "-w", "-s", "-l", folder / "log"]
    try:
        subprocess.run([*control, "-o", f"-p {port} -k {folder} -F", "start"], check=True, cwd=folder, **who)
        with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres", autocommit=True) as connection:
            yield connection
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, cwd=folder, **who)
        shutil.rmtree(folder)


def postgresql_groups(connection: psycopg.Connection[Any], texts: list[str], locale: str) -> Groups:
    """By a collation that is not deterministic. NUL is no character there."""
    connection.execute("DROP TABLE IF EXISTS names")
    connection.execute("DROP COLLATION IF EXISTS c")
    connection.execute(f"CREATE COLLATION c (provider = icu, locale = '{locale}', deterministic = false)")
    connection.execute("CREATE TEMPORARY TABLE names (number int, text text COLLATE c)")
    with connection.cursor().copy("COPY names FROM STDIN") as copy:
        for number, text in enumerate(texts):
            if "\0" not in text:
                copy.write_row((number, text))
    asked = ASKED.format("string_agg(number::text, ',')", "text")
    return grouped(texts, connection.execute(asked).fetchall())


def sqlite_groups(texts: list[str]) -> Groups:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE names (number INTEGER, text TEXT COLLATE NOCASE)")
        connection.executemany("INSERT INTO names VALUES (?, ?)", enumerate(texts))
        return grouped(texts, connection.execute(ASKED.format("group_concat(number)", "text")).fetchall())


def openldap_groups(folder: Path, texts: list[str]) -> Groups:
    """By what slapd's own tool normalises values of caseIgnoreMatch to. It prints lines, so no line feeds."""
    program = shutil.which("slapdn") or shutil.which("slapdn", path="/usr/sbin")
    if program is None:  # pragma: no cover
        missing("OpenLDAP: there is no slapdn on the PATH")
    (folder / "slapd.conf").write_text("include /etc/ldap/schema/core.schema\n")
    found = defaultdict(list)
    texts = [text for text in texts if "\n" not in text and text.strip(" ")]
    for numbers in slices(texts):
        names = ["cn=" + "".join([f"\\{byte:02x}" for byte in texts[number].encode()]) for number in numbers]
        done = subprocess.run([program, "-N", "-f", folder / "slapd.conf", *names], check=True, capture_output=True)
        for number, line in zip(numbers, done.stdout.split(b"\n")[:-1], strict=True):
            found[line].append(texts[number])
    return [group for group in found.values() if len(group) > 1]

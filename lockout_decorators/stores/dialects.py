# ruff: noqa: S608  # what is pasted into SQL are the names that Django has quoted
"""The databases that say it in their own way: several changes in one statement, or one change in several."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

from .store import Change, Found
from .tables import Statement, Table, places


def table_of(cache: Any, connection: Any) -> Table:
    if any(one.__module__.startswith("django_mysql.") for one in type(cache).__mro__):
        return DjangoMySQLTable(cache, connection)
    return TABLES.get(connection.vendor, Table)(cache, connection)


class PostgreSQLTable(Table):
    """Several changes are one statement: it locks the rows in order, and goes on if all are what was read."""

    def needs_transaction(self, changes: Sequence[Change]) -> bool:
        return False

    def swap(self, cursor: Any, changes: Sequence[Change], now: int) -> bool:
        if len(changes) == 1:
            return super().swap(cursor, changes, now)
        sql, params = zip(*self._held(changes), *self._changes(changes, now), strict=True)
        cursor.execute(f"WITH {', '.join(sql)} SELECT COUNT(*) FROM go", list(chain(*params)))
        return bool(cursor.fetchone()[0])

    def _held(self, changes: Sequence[Change]) -> list[Statement]:
        """`go` has a row if all are held."""
        held = [(self.cache.make_key(key), token) for key, token, _, _ in changes if token is not None]
        where = " OR ".join(["FALSE", *[f"({self.unchanged})"] * len(held)])
        return [
            (f"held AS (SELECT 1 FROM {self.name} WHERE {where} ORDER BY {self.key} FOR UPDATE)", list(chain(*held))),
            ("go AS (SELECT 1 FROM held HAVING COUNT(*) = %s)", [len(held)]),
        ]

    def _changes(self, changes: Sequence[Change], now: int) -> list[Statement]:
        statements = [self._change(change, now) for change in changes]
        return [(f"change{number} AS ({sql})", params) for number, (sql, params) in enumerate(statements)]

    def _change(self, change: Change, now: int) -> Statement:
        sql, params = self.statement(change, now)
        if kind_of(change) == "insert":
            return self.insertion(f"SELECT {self.values} FROM go"), params
        return f"{sql} AND EXISTS (SELECT 1 FROM go)", params


class MySQLTable(Table):
    """Several changes of one kind are one statement, which finds all rows as they were read, or nothing."""

    def needs_transaction(self, changes: Sequence[Change]) -> bool:
        return len({kind_of(change) for change in changes}) > 1

    def swap(self, cursor: Any, changes: Sequence[Change], now: int) -> bool:
        if len(changes) == 1 or self.needs_transaction(changes):
            return super().swap(cursor, changes, now)
        cursor.execute(*self._at_once(kind_of(changes[0]), changes, now))
        return bool(cursor.rowcount)

    def _at_once(self, kind: str, changes: Sequence[Change], now: int) -> Statement:
        names = [self.cache.make_key(change.key) for change in changes]
        if kind == "insert":
            new = [(*self.new(change, now), name) for change, name in zip(changes, names, strict=True)]
            return self.insertion(f"VALUES {', '.join([f'({self.values})'] * len(names))}"), [*chain(*new)]
        rows = [f"row{number}" for number in range(len(names))]
        where = " AND ".join([f"{row}.{self.key} = %s AND {row}.{self.value} = %s" for row in rows])
        held = chain(*[(name, change.token) for change, name in zip(changes, names, strict=True)])
        tables = ", ".join([f"{self.name} AS {row}" for row in rows])
        if kind == "delete":
            return f"DELETE {', '.join(rows)} FROM {tables} WHERE {where}", [*held]
        assigned = ", ".join([self.assigned(f"{row}.") for row in rows])
        return f"UPDATE {tables} SET {assigned} WHERE {where}", [
            *chain(*[self.new(one, now) for one in changes]),
            *held,
        ]


class DjangoMySQLTable(MySQLTable):
    """That of django-mysql: bytes, a letter that says what they are, and milliseconds."""

    extra: ClassVar[Mapping[str, str]] = {"value_type": "'t'"}  # a letter that its own reading refuses

    def found(self, value: Any, expired: int) -> Found:
        return Found(None if expired else value.decode("ascii", "backslashreplace"), value)

    def raw(self, text: str | None) -> Any:
        return text and text.encode()

    def end(self, now: int, life: int | None) -> Any:
        return self.cache.FOREVER_TIMEOUT if life is None else now + life * 1000

    def moment(self, seconds: int) -> Any:
        return seconds * 1000


class OracleTable(Table):
    """Long texts can't be compared there, so the rows are locked and looked at before they are written."""

    def __init__(self, cache: Any, connection: Any) -> None:
        super().__init__(cache, connection)
        self.unchanged: str = f"{self.key} = %s"

    def needs_transaction(self, changes: Sequence[Change]) -> bool:
        return True

    def swap(self, cursor: Any, changes: Sequence[Change], now: int) -> bool:
        names = [self.cache.make_key(change.key) for change in changes]
        sql = f"SELECT {self.key}, {self.value} FROM {self.name} WHERE {self.key} IN ({places(names)})"
        cursor.execute(f"{sql} ORDER BY {self.key} FOR UPDATE", names)
        held = {name: self.found(value, False).token for name, value in cursor.fetchall()}
        unchanged = [change.token == held.get(name) for change, name in zip(changes, names, strict=True)]
        return all(unchanged) and super().swap(cursor, changes, now)

    def statement(self, change: Change, now: int) -> Statement:
        sql, params = super().statement(change, now)
        return sql, params if kind_of(change) == "insert" else params[:-1]


TABLES: Mapping[str, type[Table]] = {"postgresql": PostgreSQLTable, "mysql": MySQLTable, "oracle": OracleTable}


def kind_of(change: Change) -> str:
    if change.text is None:
        return "delete"
    return "insert" if change.token is None else "update"

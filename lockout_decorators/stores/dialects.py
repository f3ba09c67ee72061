# ruff: noqa: S608  # what is pasted into SQL are the names that Django has quoted
"""The databases that say it in their own way."""

from collections.abc import Sequence
from typing import Any

from .store import Change, Found
from .tables import Statement, Table, places


def table_of(cache: Any, connection: Any) -> Table:
    if any(one.__module__.startswith("django_mysql.") for one in type(cache).__mro__):
        return DjangoMySQLTable(cache, connection)
    return (OracleTable if connection.vendor == "oracle" else Table)(cache, connection)


class DjangoMySQLTable(Table):
    """That of django-mysql: bytes, a letter that says what they are, and milliseconds."""

    def found(self, value: Any, expired: int) -> Found:
        return Found(None if expired else value.decode("ascii", "backslashreplace"), value)

    def new(self, text: str, end: Any) -> dict[str, Any]:
        return {**super().new(text, end), "value_type": "t"}  # a letter that its own reading refuses

    def raw(self, text: str | None) -> Any:
        return text and text.encode()

    def end(self, now: int, life: int | None) -> Any:
        return self.cache.FOREVER_TIMEOUT if life is None else now + life * 1000

    def moment(self, seconds: int) -> Any:
        return seconds * 1000


class OracleTable(Table):
    """Long texts can't be compared there, so the rows are locked and looked at before they are written."""

    holds = True

    def swap(self, cursor: Any, changes: Sequence[Change], now: int) -> bool:
        names = [self.cache.make_key(change.key) for change in changes]
        sql = f"SELECT {self.key}, {self.value} FROM {self.name} WHERE {self.key} IN ({places(names)})"
        cursor.execute(f"{sql} ORDER BY {self.key} FOR UPDATE", names)
        held = {name: self.found(value, False).token for name, value in cursor.fetchall()}
        unchanged = [change.token == held.get(name) for change, name in zip(changes, names, strict=True)]
        return all(unchanged) and super().swap(cursor, changes, now)

    def unchanged(self, name: str, token: Any) -> Statement:
        return f"{self.key} = %s", [name]

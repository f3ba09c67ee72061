# ruff: noqa: S608  # what is pasted into SQL are the names that Django has quoted
"""How a database speaks of the rows of its cache: one for each entry, changed only while its value is what was read.

A token is the value of a row as it lies there, expired or not; None where there is no row. So nobody has to remove an
expired row before it is written over, and of many who find the same one only one wins.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db.models.constants import OnConflict

from .store import ABSENT, Change, Found

FOREVER = 221_845_392_000  # the year 9000: no time zone carries it past the last year there is
CHANGE_OF_CLOCKS = 7200  # seconds by which local time may be set back

Statement = tuple[str, list[Any]]


class Table:
    """The table of Django's database cache, and of whatever has its columns.

    Attributes:
        holds: Whether rows are locked first, which takes a transaction for a single one too.
    """

    holds: ClassVar[bool] = False
    name: str
    key: str
    value: str
    expires: str

    def __init__(self, cache: Any, connection: Any) -> None:
        self.cache: Any = cache
        self.connection: Any = connection
        names = (cache._table, "cache_key", "value", "expires")
        self.name, self.key, self.value, self.expires = map(connection.ops.quote_name, names)

    def read(self, cursor: Any, keys: Sequence[str], now: int) -> list[Found]:
        """What stands under `keys`, in their order."""
        names = [self.cache.make_key(key) for key in keys]
        has_expired = f"CASE WHEN {self.expires} <= %s THEN 1 ELSE 0 END"
        sql = f"SELECT {self.key}, {self.value}, {has_expired} FROM {self.name} WHERE {self.key} IN ({places(names)})"
        cursor.execute(sql, [self.moment(now // 1000), *names])
        rows = {name: self.found(value, expired) for name, value, expired in cursor.fetchall()}
        return [rows.get(name, ABSENT) for name in names]

    def swap(self, cursor: Any, changes: Sequence[Change], now: int) -> bool:
        """Make the changes, up to the first that is lost; whether none was."""
        for change in changes:
            cursor.execute(*self.statement(change, now))
            if not cursor.rowcount:
                return False
        return True

    def sweep(self, cursor: Any, before: int, most: int) -> None:
        """Remove rows that have expired, at most so many."""
        moment, few = self.moment(before // 1000), self.connection.ops.limit_offset_sql(0, most)
        over = f"{self.expires} < %s"
        cursor.execute(f"SELECT {self.key} FROM {self.name} WHERE {over} ORDER BY {self.expires} {few}", [moment])
        if names := [name for (name,) in cursor.fetchall()]:
            where = f"{self.key} IN ({places(names)}) AND {over}"
            cursor.execute(f"DELETE FROM {self.name} WHERE {where}", [*names, moment])

    def statement(self, change: Change, now: int) -> Statement:
        """Touches one row if the change is won, else none."""
        name = self.cache.make_key(change.key)
        where, held = self.unchanged(name, change.token)
        if change.text is None:
            return f"DELETE FROM {self.name} WHERE {where}", held
        new = self.new(change.text, self.end(now, change.life))
        if change.token is not None:
            assigned = ", ".join([f"{column} = %s" for column in new])
            return f"UPDATE {self.name} SET {assigned} WHERE {where}", [*new.values(), *held]
        new[self.key] = name
        lost = self.connection.ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], [])
        return f"INSERT INTO {self.name} ({', '.join(new)}) VALUES ({places(new)}) {lost}", [*new.values()]

    def unchanged(self, name: str, token: Any) -> Statement:
        """The condition by which a row is still what was read."""
        return f"{self.key} = %s AND {self.value} = %s", [name, token]

    def new(self, text: str, end: Any) -> dict[str, Any]:
        """What is to be written, by columns."""
        return {self.value: self.raw(text), self.expires: end}

    def found(self, value: Any, expired: int) -> Found:
        value = self.connection.ops.process_clob(value)
        return Found(None if expired else value, value)

    def raw(self, text: str | None) -> Any:
        """`text` as its column holds it, which is its token too."""
        return text

    def end(self, now: int, life: int | None) -> Any:
        """When an entry expires: in whole seconds, rounded up."""
        if life is None:
            return self.moment(FOREVER)
        back = 0 if self.connection.timezone_name == "UTC" else CHANGE_OF_CLOCKS
        return self.moment(-(-now // 1000) + life + back)

    def moment(self, seconds: int) -> Any:
        """A time as its column holds it."""
        time = datetime.fromtimestamp(seconds, UTC if settings.USE_TZ else None)
        return self.connection.ops.adapt_datetimefield_value(time)


def places(names: Collection[str]) -> str:
    return ", ".join(["%s"] * len(names))

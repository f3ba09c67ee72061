# ruff: noqa: S608  # what is pasted into SQL are the names that Django has quoted
"""How a database speaks of the rows of its cache: one for each entry, changed only while its value is what was read.

A token is the value of a row as it lies there, expired or not; None where there is no row. So nobody has to remove an
expired row before it is written over, and of many who find the same one only one wins.
"""

from collections.abc import Mapping, Sequence
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
        extra: Further columns of an entry, and what is written there, in SQL.
    """

    extra: ClassVar[Mapping[str, str]] = {}
    name: str
    key: str
    value: str
    expires: str

    def __init__(self, cache: Any, connection: Any) -> None:
        self.cache: Any = cache
        self.connection: Any = connection
        names = (cache._table, "cache_key", "value", "expires")
        self.name, self.key, self.value, self.expires = map(connection.ops.quote_name, names)
        self.unchanged: str = f"{self.key} = %s AND {self.value} = %s"

    def read(self, cursor: Any, keys: Sequence[str], now: int) -> list[Found]:
        """What stands under `keys`, in their order."""
        names = [self.cache.make_key(key) for key in keys]
        has_expired = f"CASE WHEN {self.expires} <= %s THEN 1 ELSE 0 END"
        sql = f"SELECT {self.key}, {self.value}, {has_expired} FROM {self.name} WHERE {self.key} IN ({places(names)})"
        cursor.execute(sql, [self.moment(now // 1000), *names])
        rows = {name: self.found(value, expired) for name, value, expired in cursor.fetchall()}
        return [rows.get(name, ABSENT) for name in names]

    def needs_transaction(self, changes: Sequence[Change]) -> bool:
        """Whether these changes take several statements."""
        return len(changes) > 1

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
        if change.text is None:
            return f"DELETE FROM {self.name} WHERE {self.unchanged}", [name, change.token]
        if change.token is None:
            lost = self.connection.ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], [])
            return self.insertion(f"VALUES ({self.values}) {lost}"), [*self.new(change, now), name]
        sql = f"UPDATE {self.name} SET {self.assigned()} WHERE {self.unchanged}"
        return sql, [*self.new(change, now), name, change.token]

    def insertion(self, source: str) -> str:
        return f"INSERT INTO {self.name} ({', '.join([self.value, self.expires, self.key, *self.extra])}) {source}"

    @property
    def values(self) -> str:
        return ", ".join(["%s", "%s", "%s", *self.extra.values()])

    def assigned(self, row: str = "") -> str:
        more = [f"{row}{column} = {value}" for column, value in self.extra.items()]
        return ", ".join([f"{row}{self.value} = %s", f"{row}{self.expires} = %s", *more])

    def new(self, change: Change, now: int) -> list[Any]:
        """What is to be written: the value, and when it expires."""
        return [self.raw(change.text), self.end(now, change.life)]

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


def places(names: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(names))

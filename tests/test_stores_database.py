"""Database caches: what they say to the database, and what they do when it says no."""

import datetime
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from secrets import token_hex
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.db import OperationalError, connections, transaction

from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Change, database, host_clock, store_for
from lockout_decorators.stores.dialects import DjangoMySQLTable, OracleTable, table_of
from lockout_decorators.stores.tables import Table
from tests.engines import ENGINES
from tests.racers import number, text
from tests.servers import DATABASE, hang_up, use
from tests.sizes import IN_FULL
from tests.swaps import keys, standing

ALL = [name for name in ENGINES if name.startswith(("sqlite", "postgresql", "mariadb", "django-mysql"))]
THREADS = 6


@pytest.fixture
def engine(request, set_up, django_db_blocker):
    setup = set_up(request.param)
    own = setup._replace(cache={**setup.cache, "KEY_PREFIX": token_hex(4)})
    with django_db_blocker.unblock(), use(own):
        yield request.param


@pytest.fixture
def store(engine):
    return store_for("default")


@pytest.fixture
def never_sweeps(monkeypatch):
    monkeypatch.setattr(database.random, "randrange", lambda most: 1)


def on(*names):
    return pytest.mark.parametrize("engine", names, indirect=True)


on_all = on(*ALL)


def put(store, *changes):
    """Write pairs of a key and a text over whatever stands there."""
    found = store.read([key for key, _ in changes]).found
    swap = [Change(key, one.token, text, 60) for (key, text), one in zip(changes, found, strict=True)]
    return store.swap(swap, host_clock()).won


def connection():
    return connections[DATABASE]


def rows(sql="SELECT cache_key FROM lockouts", *params):
    with connection().cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def said(work):
    """The first words of what is said to the database in the course of `work`."""
    words = []
    connection().ensure_connection()

    def listen(execute, sql, params, many, context):
        words.append(sql.split()[0])
        return execute(sql, params, many, context)

    with connection().execute_wrapper(listen):
        work()
    return words


@on_all
def test_what_is_said(engine, store, never_sweeps):
    """A read is one statement, whatever the number of keys; so is a swap of one key; who loses reads again."""
    key, *others = keys(4)

    def swap(token, value, late=0):
        return said(lambda: store.swap([Change(key, token, value, 60)], host_clock() - late))

    assert ["SELECT"] == said(lambda: store.read([key])) == said(lambda: store.read([key, *others]))
    assert [["INSERT"], ["INSERT", "SELECT"]] == [swap(None, value) for value in "ab"]
    token = store.read([key]).found[0].token
    assert [["UPDATE"], ["UPDATE", "SELECT"], ["DELETE", "SELECT"]] == [
        swap(token, value) for value in ("b", "b", None)
    ]
    token = store.read([key]).found[0].token
    assert [["DELETE"], ["SELECT"]] == [swap(token, None), swap(token, None, late=3000)]


@on_all
def test_what_is_said_for_several(engine, store, never_sweeps):
    """Each change has its own statement, all in one transaction."""
    names = keys(2)
    kinds = {"INSERT": "a", "UPDATE": "b", "DELETE": None}
    for kind, value in kinds.items():
        words = said(lambda value=value: put(store, *[(key, value) for key in names]))
        assert [kind] * 2 == [word for word in words if word in kinds]
    assert put(store, (names[0], "a"))
    words = said(lambda: put(store, (names[0], "b"), (names[1], "b")))
    assert {"UPDATE", "INSERT"} == set(kinds).intersection(words)
    assert ["b", "b"] == standing(store, *names)


class Ledger:
    """Takes steps up and down at several keys at once; an entry that is at nought is removed."""

    def __init__(self, names):
        self.names = names

    def step(self, store, random):
        chosen = random.sample(self.names, random.randint(1, len(self.names)))
        found, won = store.read(chosen).found, False
        while not won:
            steps = {key: random.choice((-1, 1)) if number(one) else 1 for key, one in zip(chosen, found, strict=True)}
            sums = [number(one) + steps[key] for key, one in zip(chosen, found, strict=True)]
            changes = [
                Change(key, one.token, text(sum_) if sum_ else None, 60)
                for key, one, sum_ in zip(chosen, found, sums, strict=True)
            ]
            won, found, _, _ = store.swap(changes, host_clock())
        return steps


def walk(ledger, seed):
    """Many steps in a thread of its own; their sums."""
    store, random, sums = store_for("default"), Random(seed), Counter(dict.fromkeys(ledger.names, 0))
    for _ in range(25 if IN_FULL else 10):
        sums.update(ledger.step(store, random))
    hang_up()
    return sums


def no_step_is_lost(store):
    """Threads insert, update and delete several rows at once, in every mixture."""
    ledger = Ledger(keys(3))
    with ThreadPoolExecutor(THREADS) as pool:
        walked = list(pool.map(walk, [ledger] * THREADS, range(THREADS)))
    sums = [sum(one[key] for one in walked) for key in ledger.names]
    return sums == [number(found) for found in store.read(ledger.names).found]


@on_all
def test_rows_that_come_and_go(store):
    """No step is lost, and none made twice."""
    assert no_step_is_lost(store)


@on("postgresql", "mariadb")
def test_rows_that_are_held_first(store, monkeypatch):
    """The same in Oracle's way, which these databases know as well."""
    monkeypatch.setattr(database, "table_of", OracleTable)
    assert no_step_is_lost(store)


@on("sqlite")
def test_the_text_lies_plainly_there(store):
    """So that a database can compare it; and until a whole second that is not before its time."""
    (key,) = keys()
    now = host_clock()
    store.swap([Change(key, None, "a1", 60)], now)
    ((value, expires),) = rows("SELECT value, expires FROM lockouts WHERE cache_key = %s", cache.make_key(key))
    ends = expires.replace(tzinfo=datetime.UTC).timestamp()
    assert ("a1", 0) == (value, ends % 1)
    assert now / 1000 + 60 <= ends < now / 1000 + 61


@on("sqlite", "postgresql", "mariadb")
def test_reading_removes_nothing(store, never_sweeps, travel):
    """What has expired is absent, and stays for the next sweep."""
    (key,) = keys()
    put(store, (key, "a"))
    travel(61.5)
    assert [None] == standing(store, key)
    assert [(1,)] == rows("SELECT COUNT(*) FROM lockouts WHERE cache_key = %s", cache.make_key(key))


@on("sqlite", "postgresql", "mariadb")
def test_sweeping(store, monkeypatch, travel):
    """One of many swaps removes rows that have expired for a minute, at most a hundred; whoever put them there."""
    connection().cursor().execute("DELETE FROM lockouts")
    monkeypatch.setattr(database.random, "randrange", lambda most: 1)
    for batch in range(0, 130, 10):
        store.swap([Change(f"old{number}", None, "a", 10) for number in range(batch, batch + 10)], host_clock())
    travel(30)
    put(store, ("fresh", "a"))
    cache.set("of_another", "value", 600)
    put(store, ("late", "a"))
    monkeypatch.setattr(database.random, "randrange", lambda most: 0)
    travel(65)
    put(store, ("fresh", "b"))
    assert 133 == len(rows())
    travel(75)
    put(store, ("fresh", "c"))
    assert 33 == len(rows())
    put(store, ("fresh", "d"))
    assert 3 == len(rows())
    assert "value" == cache.get("of_another")


def failing(error, times):
    """Makes the database fail so often, whatever it is asked, in the words of its driver."""
    left = [times]

    def execute(execute, sql, params, many, context):
        left[0] -= 1
        if left[0] < 0:
            return execute(sql, params, many, context)
        raise OperationalError from error

    return connection().execute_wrapper(execute)


def noting(asked, seconds=0):
    """Notes what the database is asked, which takes so long."""

    def execute(execute, sql, params, many, context):
        asked.append(sql)
        time.sleep(seconds)
        return execute(sql, params, many, context)

    return connection().execute_wrapper(execute)


def of_standard(name):
    error = Exception("of the driver")
    setattr(error, name, "40001" if name == "sqlstate" else "40P01")
    return error


def of_sqlite(code):
    error = Exception("of the driver")
    error.sqlite_errorcode = code
    return error


CONFLICTS = {
    "psycopg 3": of_standard("sqlstate"),
    "psycopg 2": of_standard("pgcode"),
    "MySQL's deadlock": Exception(1213, "deadlock"),
    "MySQL's timeout": Exception(1205, "lock wait timeout"),
    "MariaDB's snapshot": Exception(1020, "record has changed"),
    "ODBC": Exception("40001", "deadlock victim"),
    "Oracle": Exception(SimpleNamespace(code=8177)),
    "Oracle's deadlock": Exception(SimpleNamespace(code=60)),
    "SQLite busy": of_sqlite(5),
    "SQLite busy with a stale snapshot": of_sqlite(5 + 2 * 256),
    "SQLite locked": of_sqlite(6 + 256),
}


@on("sqlite")
@pytest.mark.parametrize("error", CONFLICTS.values(), ids=CONFLICTS)
def test_conflicts_are_tried_again(store, error):
    """The database gave up for others' sake: what was asked is asked again."""
    (key,) = keys()
    with failing(error, 3):
        assert store.swap([Change(key, None, "a", 60)], host_clock()).won
    with failing(error, 3):
        assert ["a"] == standing(store, key)


@on("sqlite")
def test_conflicts_that_never_end(store, monkeypatch):
    """After a while that is an outage."""
    monkeypatch.setattr(database, "REPEATING", 0.3)
    began, asked = time.monotonic(), []
    with noting(asked), failing(of_sqlite(5), 10_000), pytest.raises(StoreError):
        store.read(keys())
    assert 0.3 <= time.monotonic() - began < 2
    assert 3 < len(asked) < 60


@on("sqlite", "postgresql", "mariadb")
def test_whoever_has_waited_does_not_wait_again(engine, store, monkeypatch):
    """SQLite's driver has waited for its turn, as long as it was told to, when it says that it is busy."""
    store.read(keys())
    monkeypatch.setitem(connection().settings_dict["OPTIONS"], "timeout", 0.05)
    monkeypatch.setattr(database, "REPEATING", 0.2)
    asked = []
    with noting(asked, 0.05), failing(of_sqlite(5), 10_000), pytest.raises(StoreError):
        store.read(keys())
    assert (engine == "sqlite") == (len(asked) == 1)


@on("sqlite")
@pytest.mark.parametrize("error", [Exception(2006, "gone away"), of_sqlite(10), Exception()], ids=repr)
def test_other_errors_are_outages(store, error):
    """At once."""
    (key,) = keys()
    with failing(error, 1), pytest.raises(StoreError) as caught:
        store.swap([Change(key, None, "a", 60)], host_clock())
    assert isinstance(caught.value.error, OperationalError)


@on("sqlite", "postgresql", "mariadb")
def test_errors_in_a_transaction_of_the_caller(store):
    """End neither it nor what was done in it; and nothing is tried again there, where it would fail again."""
    missing = store_for("default")
    (key,) = keys()
    with transaction.atomic(DATABASE):
        put(store, (key, "a"))
        missing.cache._table = "nowhere"
        for operation in (lambda: missing.read([key]), lambda: put(missing, (key, "b"))):
            with pytest.raises(StoreError):
                operation()
        missing.cache._table = "lockouts"
        with failing(of_sqlite(5), 2), pytest.raises(StoreError):
            store.read([key])
        assert ["a"] == standing(store, key)
    assert ["a"] == standing(store, key)


@on("sqlite", "postgresql", "mariadb")
def test_a_swap_in_a_transaction_of_the_caller(store):
    """Stands and falls with it; one that is lost leaves it alone, with all that was done before."""
    one, other = keys(2)
    with transaction.atomic(DATABASE):
        assert put(store, (one, "a"))
        lost = [Change(other, None, "b", 60), Change(one, None, "b", 60)]
        assert not store.swap(lost, host_clock()).won
        assert ["a", None] == standing(store, one, other)
    assert ["a", None] == standing(store, one, other)
    with transaction.atomic(DATABASE):
        assert put(store, (one, "c"), (other, "c"))
        transaction.set_rollback(True, DATABASE)
    assert ["a", None] == standing(store, one, other)


@on("sqlite", "postgresql")
def test_without_autocommit(store):
    """All is one transaction of the caller's: nothing is durable there."""
    store.expect_durable()
    connection().set_autocommit(False)
    with pytest.raises(StoreError, match="AUTOCOMMIT"):
        store.expect_durable()
    connection().set_autocommit(True)
    store.expect_durable()


@on("sqlite")
def test_the_transaction_of_a_test_case(store):
    """Is none: what is counted there stays as long as the test."""
    around = transaction.atomic(DATABASE)
    around._from_testcase = True
    with around:
        store.expect_durable()
        with transaction.atomic(DATABASE), pytest.raises(StoreError):
            store.expect_durable()


@on("sqlite")
def test_held_up_in_the_transaction(store, monkeypatch):
    """Whoever has waited for the lock until the decision was too old writes nothing, and is told so."""
    answers = iter([False, True, True])
    monkeypatch.setattr(database, "is_stale", lambda now: next(answers))
    names = keys(2)
    swapped = store.swap([Change(key, None, "a", 60) for key in names], host_clock())
    assert (False, True, [None, None]) == (swapped.won, swapped.stale, [found.text for found in swapped.found])


@on("sqlite", "postgresql", "mariadb")
def test_a_line_that_does_not_move(engine, store, never_sweeps, monkeypatch):
    """Threads stand in line for SQLite, but not for ever; nor within a transaction, where they have had their turn."""
    monkeypatch.setattr(database, "TURN", turn := database.TURN / 3)
    (key,) = keys()
    store.read([key])
    with database._line:
        began = time.monotonic()
        assert put(store, (key, "a"))
        assert (engine == "sqlite") == (time.monotonic() - began > 0.5 > turn)
        with transaction.atomic(DATABASE):
            began = time.monotonic()
            assert ["a"] == standing(store, key)
            assert time.monotonic() - began < 0.3
    assert ["a"] == standing(store, key)
    assert not database._line.locked()


class ReadElsewhere:
    """Sends what reads to a replica."""

    db_for_read = lambda self, model, **hints: "replica"  # noqa: E731

    def db_for_write(self, model, **hints):
        return DATABASE


@on("sqlite")
def test_replicas_are_not_asked(store, settings):
    """Always the database of the write router."""
    settings.DATABASE_ROUTERS = [ReadElsewhere()]
    (key,) = keys()
    assert put(store, (key, "a"))
    assert ["a"] == standing(store, key)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "WET"])
def test_clocks_that_are_set_back(settings, zone):
    """Where a database holds local time, no entry ends early because an hour comes twice."""
    settings.USE_TZ, settings.TIME_ZONE = False, zone
    table = Table(SimpleNamespace(_table="rows"), connections["default"])
    began = int(datetime.datetime(2026, 10, 25, 0, 50, tzinfo=datetime.UTC).timestamp())
    end = table.end(began * 1000, 1200)
    assert all(table.moment(began + passed) < end for passed in range(0, 1200, 60))
    assert table.moment(began + 3 * 3600) > end


class Cursor:
    """Notes what is said, and answers as it was told to."""

    def __init__(self, *answers, rowcount=1):
        self.answers, self.rowcount, self.notes = list(answers), rowcount, []

    def execute(self, sql, params):
        self.notes.append((sql, params))

    def fetchall(self):
        return self.answers.pop(0)


class Ops:
    def quote_name(self, name):
        return name.upper()

    def process_clob(self, value):
        return value.read()

    def on_conflict_suffix_sql(self, *args):
        return ""

    def adapt_datetimefield_value(self, value):
        return value.timestamp()


class Clob:
    def __init__(self, text):
        self.read = lambda: text


def oracle():
    cache = SimpleNamespace(_table="rows", make_key=lambda key: f":1:{key}")
    return table_of(cache, SimpleNamespace(vendor="oracle", ops=Ops(), timezone_name="UTC"))


def test_oracle_holds_the_rows():
    """Long texts can't be compared there: the rows are locked, in order, and looked at, then written."""
    cursor, table = Cursor([(":1:a", Clob("old")), (":1:c", Clob("over"))]), oracle()
    changes = [Change("a", "old", "new", 60), Change("b", None, "first", None), Change("c", "over", None, 60)]
    assert table.holds
    assert table.swap(cursor, changes, 100_000)
    select, update, insert, delete = cursor.notes
    where = "WHERE CACHE_KEY IN (%s, %s, %s) ORDER BY CACHE_KEY FOR UPDATE"
    assert (f"SELECT CACHE_KEY, VALUE FROM ROWS {where}", [":1:a", ":1:b", ":1:c"]) == select
    assert ("UPDATE ROWS SET VALUE = %s, EXPIRES = %s WHERE CACHE_KEY = %s", ["new", 160, ":1:a"]) == update
    assert "INSERT INTO ROWS (VALUE, EXPIRES, CACHE_KEY) VALUES (%s, %s, %s)" == insert[0].strip()
    assert ["first", ":1:b"] == [insert[1][0], insert[1][2]]
    assert ("DELETE FROM ROWS WHERE CACHE_KEY = %s", [":1:c"]) == delete


@pytest.mark.parametrize("row", [(":1:a", Clob("else")), None])
def test_oracle_loses(row):
    """By what stands there, or stands there no more, before anything is written."""
    cursor = Cursor([row] if row else [])
    assert not oracle().swap(cursor, [Change("a", "old", "new", 60)], 100_000)
    assert 1 == len(cursor.notes)


class MySQLCache:
    """Stands for that of django-mysql, which is tried where that is installed."""

    __module__ = "django_mysql.cache"
    _table, FOREVER_TIMEOUT = "rows", 2**63
    make_key = "{}".format


def test_rows_of_django_mysql():
    """Bytes, a letter that says what they are, and milliseconds."""
    cursor = Cursor([("a", b"old", 0), ("b", b"\xff", 0), ("c", b"over", 1)])
    table = table_of(MySQLCache(), SimpleNamespace(vendor="mysql", ops=Ops()))
    assert isinstance(table, DjangoMySQLTable)
    found = table.read(cursor, ["a", "b", "c", "d"], 100_500)
    assert [("old", b"old"), ("\\xff", b"\xff"), (None, b"over"), (None, None)] == found
    assert table.swap(cursor, [Change("a", b"old", "new", 60)], 100_500)
    assert table.swap(cursor, [Change("d", None, "new", None)], 100_500)
    read, update, insert = cursor.notes
    assert [100_000, "a", "b", "c", "d"] == read[1]
    words = "UPDATE ROWS SET VALUE = %s, EXPIRES = %s, value_type = %s WHERE CACHE_KEY = %s AND VALUE = %s"
    assert (words, [b"new", 160_500, "t", "a", b"old"]) == update
    assert "INSERT INTO ROWS (VALUE, EXPIRES, value_type, CACHE_KEY) VALUES (%s, %s, %s, %s)" == insert[0].strip()
    assert [b"new", 2**63, "t", "d"] == insert[1]
    assert (b"new", None) == (table.raw("new"), table.raw(None))

"""What the caches of Django that are not atomic by themselves need around an operation: file and database caches."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.exceptions import ImproperlyConfigured
from django.core.files import locks
from django.db import DatabaseError, IntegrityError, connections, router, transaction
from django.utils import timezone

from .operations import Access, Add, Write, is_head

AHEAD = timedelta(seconds=1)  # how long before its time an expired entry is removed from a database cache


def exclusion(cache: BaseCache, operation: Access, durable: bool) -> AbstractContextManager[None] | None:
    """What to hold around `operation` so that nobody comes between; None for caches that see to it themselves.

    Raises ImproperlyConfigured if it has to be `durable` and a transaction of the caller's could take it back.
    """
    if isinstance(cache, FileBasedCache):
        return _locked_files(Path(vars(cache)["_dir"]), operation.keys)
    if not isinstance(cache, DatabaseCache):
        return None
    if durable:
        _expect_no_transaction(router.db_for_write(cache.cache_model_class))
    if isinstance(operation, Add | Write):
        return _written(cache, operation.keys)
    _sweep(cache, filter(is_head, operation.keys))
    return None


@contextmanager
def _locked_files(folder: Path, keys: tuple[str, ...]) -> Iterator[None]:
    """The OS locks of the clients of `keys`; there are sixteen, taken in order."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        for stripe in sorted({key.rpartition(":")[2][0] for key in keys}):
            file = stack.enter_context((folder / f"lockout-{stripe}.lock").open("a"))
            locks.lock(file, locks.LOCK_EX)
            stack.callback(locks.unlock, file)
        yield


@contextmanager
def _written(cache: DatabaseCache, keys: tuple[str, ...]) -> Iterator[None]:
    """A transaction that begins by writing, since one of SQLite's that has read may not wait for its turn to write, and
    whose errors are told: Django's `add` and `set` take each for a lost race, and so would lose a mark unheard."""
    connection = connections[router.db_for_write(cache.cache_model_class)]
    with transaction.atomic(using=connection.alias), connection.execute_wrapper(_tell):
        _sweep(cache, keys)
        yield


def _expect_no_transaction(database: str) -> None:
    """Inside one other workers don't see the slots, and a rollback frees them. That Django's TestCase opens is none."""
    if connections[database].in_atomic_block:
        try:
            with transaction.atomic(database, savepoint=False, durable=True):
                pass
        except RuntimeError as error:
            raise ImproperlyConfigured(
                f"inside transaction.atomic() on {database!r} a rollback would undo what is counted there: verify "
                "outside of it, or set LOCKOUT_CACHE to a cache elsewhere"
            ) from error


def _tell(execute: Callable[..., Any], *args: Any) -> Any:
    try:
        return execute(*args)
    except IntegrityError:  # the race was lost indeed
        raise
    except DatabaseError as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _sweep(cache: DatabaseCache, keys: Iterable[str]) -> None:
    """Remove expired entries: on one of those Django's `add` lets several win, and its `get` deletes what a peer may
    just have renewed. A second ahead of their time, so that neither meets one that expires under its hands."""
    connection = connections[router.db_for_write(cache.cache_model_class)]
    quote = connection.ops.quote_name
    table = quote(vars(cache)["_table"])
    sql = f"DELETE FROM {table} WHERE {quote('cache_key')} = %s AND {quote('expires')} < %s"  # noqa: S608
    now = connection.ops.adapt_datetimefield_value(timezone.now() + AHEAD)
    for key in keys:
        with connection.cursor() as cursor:
            cursor.execute(sql, [cache.make_and_validate_key(key), now])

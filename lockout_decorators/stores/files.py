# ruff: noqa: PTH103, PTH105, PTH107, PTH118, PTH120, PTH123  # making Path objects takes longer than their use
"""File caches: who writes an entry holds its lock file, one of sixteen beside the entries.

Entries are read and written in the cache's own format, but not by its `get` and `set`. That `get` deletes what has
expired, which may be what a writer has just renewed; that `set` lists the whole folder, and makes room at the cost of
entries that chance picks. Here a reader deletes nothing, and now and then a writer removes some that have expired.
"""

import os
import pickle
import random
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import lru_cache
from io import BytesIO
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.files import locks
from django.core.files.move import file_move_safe

from .store import Change, LockingStore, Reading, Swapped, found_in, host_clock

SWEEP, MOST = 50, 100  # one of so many swaps looks at so many entries, whether they have expired


class FileStore(LockingStore):
    """A folder of one host, or of several that lock over the network."""

    way = "Whoever swaps holds an OS lock on a file beside the entries."

    @classmethod
    def serves(cls, cache: BaseCache) -> bool:
        return isinstance(cache, FileBasedCache)

    def __init__(self, alias: str, cache: Any) -> None:
        super().__init__(alias, cache)
        self._file = lru_cache(1000)(cache._key_to_file)  # which looks at each letter of a key

    def hold(self, keys: Sequence[str]) -> AbstractContextManager[Any]:
        return held(map(self._file, keys))

    def _read(self, keys: Sequence[str]) -> Reading:
        return Reading([found_in(value_of(content_of(self._file(key)))) for key in keys], host_clock)

    def _swap(self, changes: Sequence[Change], now: int) -> Swapped:
        if not random.randrange(SWEEP):  # noqa: S311
            sweep(self.cache._list_cache_files())
        return super()._swap(changes, now)

    def _write(self, change: Change) -> None:
        file = self._file(change.key)
        if change.text is None:
            with suppress(FileNotFoundError):
                os.remove(file)
            return
        new = beside(file, "new")  # nobody else writes it while the lock is held
        with open(new, "wb", opener=private) as output:
            self.cache._write_content(output, change.life, change.text)
        move(new, file)


@contextmanager
def held(files: Iterable[str]) -> Iterator[None]:
    """The lock files of these entries, in the order in which everybody takes them."""
    with ExitStack() as stack:
        for name in sorted({beside(file, "lock") for file in files}):
            lock = opened(name)
            stack.callback(os.close, lock)
            if not locks.lock(lock, locks.LOCK_EX):
                raise OSError(f"{name} can't be locked on this system")
            stack.callback(locks.unlock, lock)
        yield


def opened(name: str) -> int:
    """A lock file. The folder may be deleted at any time."""
    try:
        return private(name, os.O_RDWR | os.O_CREAT)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(name), mode=0o700, exist_ok=True)
        return private(name, os.O_RDWR | os.O_CREAT)


def move(new: str, file: str) -> None:
    try:
        os.replace(new, file)
    except PermissionError:  # on Windows, while somebody reads it
        file_move_safe(new, file, allow_overwrite=True)


def beside(file: str, ending: str) -> str:
    """A file that belongs to a sixteenth of the entries, by the first digit of the digest that is an entry's name."""
    folder, name = os.path.split(file)
    return os.path.join(folder, f"lockout-{name[0]}.{ending}")


def private(name: str, flags: int) -> int:
    """Opened for this user alone, as the cache's own files are."""
    return os.open(name, flags, 0o600)


def content_of(file: str) -> bytes:
    """Empty if there is none."""
    try:
        with open(file, "rb") as source:
            return source.read()
    except FileNotFoundError:
        return b""


def value_of(content: bytes) -> Any:
    """What was written; None if there is nothing, or nothing any more. What can't be read is told as it is."""
    try:
        if is_over(content):
            return None
        source = BytesIO(content)
        pickle.load(source)  # noqa: S301  # when it expires
        return pickle.loads(zlib.decompress(source.read()))  # noqa: S301
    except Exception:  # whatever has become of the file
        return content


def is_over(content: bytes) -> bool:
    """Whether an entry has expired: a content begins with when it does."""
    expiry = pickle.loads(content) if content else 0  # noqa: S301
    return expiry is not None and expiry < time.time()


def sweep(files: Sequence[str]) -> None:
    """Remove those of some entries that have expired."""
    for file in random.sample(files, min(MOST, len(files))):
        with suppress(Exception):  # whatever has become of it, the next one finds it again
            if is_over(content_of(file)):
                remove_expired(file)


def remove_expired(file: str) -> None:
    with held([file]):
        if is_over(content_of(file)):
            os.remove(file)

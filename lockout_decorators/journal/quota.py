"""What may be done only so often: places in a cache that are taken by a swap, and are free again after an hour."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ..clients.keys import digest
from ..conf import conf
from ..stores import Change, store_for
from ..stores.facts import facts
from . import entries
from .lock import stamped

HOUR = 3600
DIGITS = 30  # hexadecimal, of what a place is for

Place = tuple[str, str]  # the cache alias, and the key there


def take(aliases: Iterable[str], *name: str, limit: int = 1) -> Sequence[Place]:
    """Take one of the `limit` places of `name` for an hour, in each of the caches that keep anything; none if one of
    them has none left. Exact among all who take them at the same time. Raises StoreError."""
    taken: list[Place] = []
    for alias in [one for one in dict.fromkeys(aliases) if not facts(one).forgets]:
        if not (place := _take(alias, name, limit)):
            give_back(taken)
            return []
        taken.append(place)
    return taken


def take_both(aliases: Iterable[str], first: Sequence[str], second: Sequence[str], limit: int = 1) -> Sequence[Place]:
    """A place of each of two names, or of none; `limit` is that of the second. Raises StoreError."""
    if not (own := take(aliases, *first)):
        return []
    if not (other := take(aliases, *second, limit=limit)):
        give_back(own)
        return []
    return [*own, *other]


@contextmanager
def kept(places: Iterable[Place]) -> Iterator[None]:
    """Unless what they were taken for fails. Raises StoreError."""
    try:
        yield
    except BaseException:
        give_back(places)
        raise


def give_back(places: Iterable[Place]) -> None:
    """What they were taken for was not done. Raises StoreError."""
    for alias, key in places:
        entries.lift(alias, key)


def is_last(places: Iterable[Place], limit: int) -> bool:
    """Whether one of them was the last of `limit`."""
    return any(key.endswith(f":{limit - 1}") for _, key in places)


def _take(alias: str, name: Sequence[str], limit: int) -> Place | None:
    store, kept = store_for(alias), digest(conf.secret_key, "quota", *name)[:DIGITS]
    keys = [f"{conf.cache_prefix}:{{locks}}:{kept}:{number}" for number in range(limit)]
    found, clock = store.read(keys)
    for key, one in zip(keys, found, strict=True):
        if one.text is None and store.swap([Change(key, one.token, stamped(), HOUR)], clock()).won:
            return alias, key
    return None

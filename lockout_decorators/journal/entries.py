"""The entries of the journal in a cache: one for each lock, under its reference; and a few pages that list the recent
ones, so that no cache has to list its keys.

A page is picked by the reference, and holds so many locks that even one page's worth of them is never lost. Whoever
writes one goes by how it last saw it: mostly that is one write a lock.
"""

import logging
from collections.abc import Sequence
from zlib import crc32

from ..conf import conf
from ..exceptions import StoreError
from ..logs import extra
from ..records.record import FOREVER, Record
from ..records.record import parse as parse_record
from ..stores import ABSENT, UNKNOWN, Change, Found, Store, store_for
from .lock import Lock, parse, spell, spell_reference, stamped

logger: logging.Logger = logging.getLogger("lockout_decorators")

PAGES, PAGE = 16, 32  # how many there are, and how many locks one holds
TRIES = 5  # writes that may be lost to others before a lock is left out of the list
LIFTING = 100  # removals that may be lost to others
KEPT = 7 * 86400  # seconds for which a page is kept after its last lock
ENDLESS = 365 * 86400  # seconds for which a lock without end is found
AFTER = 86400  # seconds for which a lock is found after its end

_seen: dict[tuple[str, str, str], Found] = {}  # each page as this process saw it last, by its store: tokens differ


def enter(store: Store, locks: Sequence[Lock], now: int) -> None:
    """Put on file what is about to fall. A store that fails now is told in the log: the lock matters more."""
    try:
        lost = _enter(store, locks, now)
        for batch in store.batches(list(lost)) if lost else ():
            store.swap([lost[key] for key in batch], now)
    except StoreError as error:
        line = "cache %a failed, locks can't be found by reference: %.300a"
        facts = extra("lock_unfiled", alias=error.alias)
        logger.error(line, error.alias, error.error, extra=facts)


def _enter(store: Store, locks: Sequence[Lock], now: int) -> dict[str, Change]:
    """The locks that were not written, since others were always quicker to write the page that is swapped with them."""
    page = page_key(crc32(locks[0].reference.encode()) % PAGES)
    seen = _seen.get((store.alias, store.way, page), ABSENT)
    pending = {_key(lock.reference): _change(lock, now) for lock in locks}
    for _ in range(TRIES):
        if seen.token is UNKNOWN:
            seen = store.read([page]).found[0]
        lines = [*map(spell, locks), *_lines(seen)]
        pending[page] = Change(page, seen.token, stamped(lines[:PAGE]), KEPT)
        for batch in store.batches(list(pending)):
            won, found, *_ = store.swap([pending[key] for key in batch], now)
            for key, one in zip(batch, found, strict=True):
                seen = one if key == page else seen
                if won or (key != page and one.text is not None):
                    del pending[key]
        if page not in pending:
            break
    _seen[store.alias, store.way, page] = seen
    return {key: change for key, change in pending.items() if key != page}


def find(alias: str, reference: str) -> Lock | None:
    """The lock of a reference, spelled as people see it, in one round trip. Raises StoreError."""
    key = _key(reference)
    return next(iter(_listed(key, store_for(alias).read([key]).found[0])), None)


def recent(alias: str) -> list[Lock]:
    """What is listed, the last one first. Raises StoreError."""
    keys = list(map(page_key, range(PAGES)))
    found = store_for(alias).read(keys).found
    locks = dict.fromkeys([lock for key, one in zip(keys, found, strict=True) for lock in _listed(key, one)])
    return sorted(locks, key=lambda lock: lock.began, reverse=True)


def records(alias: str, locks: Sequence[Lock]) -> tuple[list[Record | None], int]:
    """The records of locks, where these stand there still, by their references; and what time it is. Raises
    StoreError."""
    keys = list(dict.fromkeys([lock.record for lock in locks]))
    found, clock = store_for(alias).read(keys)
    texts = {key: one.text for key, one in zip(keys, found, strict=True)}
    return [_standing(lock.reference, texts[lock.record]) for lock in locks], clock()


def lift(alias: str, record: str, reference: str = "") -> bool:
    """Remove the record under a key, if there is one; with a `reference` only if that lock stands there still. Raises
    StoreError."""
    store = store_for(alias)
    for _ in range(LIFTING):
        (found,), clock = store.read([record])
        if found.text is None or (reference and _standing(reference, found.text) is None):
            return False
        if store.swap([Change(record, found.token, None, 0)], clock()).won:
            return True
    raise StoreError(alias, TimeoutError(f"others came between {LIFTING} times"))


def page_key(number: int) -> str:
    return f"{conf.cache_prefix}:{{locks}}:page{number:02}"


def _key(reference: str) -> str:
    return f"{conf.cache_prefix}:{{locks}}:{reference}"


def _change(lock: Lock, now: int) -> Change:
    """A lock that ends is found a day longer: somebody may ask what it was."""
    life = ENDLESS if lock.ends >= FOREVER else -((now - lock.ends) // 1000) + AFTER
    return Change(_key(lock.reference), None, stamped([spell(lock)]), life)


def _lines(found: Found) -> list[str]:
    return found.text.split("\n")[1:] if isinstance(found.text, str) else []


def _listed(key: str, found: Found) -> list[Lock]:
    return [lock for line in _lines(found) if (lock := _parsed(key, line))]


def _parsed(key: str, line: str) -> Lock | None:
    """What is no lock has been put there by somebody else, and counts as absent."""
    try:
        return parse(line)
    except Exception:  # noqa: BLE001  # whatever it is
        facts = extra("journal_damaged")
        logger.error("%s holds what is no lock, and counts as absent: %.80a", key, line, extra=facts)
        return None


def _standing(reference: str, text: object) -> Record | None:
    try:
        record = parse_record(text)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001  # no record, or nothing
        return None
    return record if record.locked and spell_reference(record.reference) == reference else None

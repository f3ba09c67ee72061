"""Puts locks on file before they fall, so that whoever is shown a reference can be helped by it."""

from collections.abc import Iterable

from ..clients.identities import text_of
from ..conf import conf
from ..journal import entries
from ..journal.lock import Lock, spell_reference
from .counters import Client
from .guess import Guess
from .seats import Book
from .settling import Settled

NAME = 150  # characters of a user name that are kept


def file_locks(guess: Guess, client: Client, book: Book, settled: Iterable[Settled]) -> None:
    """Those that the failure of a guess is about to write."""
    locks = []
    for one in settled:
        if one.fell and not one.seat.filed:
            one.seat.filed = True
            locks.append(_lock(guess, client, one))
    if locks:
        entries.enter(book.store, locks, book.clock())


def _lock(guess: Guess, client: Client, settled: Settled) -> Lock:
    counter, record = settled.seat.counter, settled.after
    who = (client.address, _name(guess, settled)) if conf.journal else ()
    terms, reference = counter.terms, spell_reference(record.reference)
    return Lock(reference, terms.scope, str(terms.key), counter.kind, counter.key, record.since, record.until, *who)


def _name(guess: Guess, settled: Settled) -> str | None:
    name = guess.name_at(settled.seat.counter.terms)
    return None if name is None else text_of(name)[:NAME]

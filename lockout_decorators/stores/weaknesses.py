"""What a proof can't show: how a store swaps, and what its configuration tells of days that are not like today."""

import inspect
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from . import kind_of, store_for
from .facts import Facts, facts
from .store import Store

ROOM = 10_000  # entries, below which a flood of other clients may push locks out

FAILS_OVER = "A failover loses the last writes: up to `max` further guesses a client."
FORGETS = "A server that is full or restarted forgets: up to `max` further guesses a client."

# By the name of a class somewhere in the cache, its client or its options.
NAMED = {
    "Herd": "A Herd client serves entries that have expired, and renews what it reads.",
    "Sentinel": FAILS_OVER,
    "Cluster": FAILS_OVER,
    "bmemcached": "It writes to several servers without asking most of them: who reads another may find nothing.",
    "Memcache": FORGETS,
    "PyLibMC": FORGETS,
}


def way_of(store: Store) -> str:
    """How it swaps: the first sentence of its file."""
    said = inspect.cleandoc(inspect.getmodule(type(store)).__doc__ or type(store).__name__)
    return " ".join(said.split(".\n")[0].split("\n\n")[0].split()).removesuffix(".") + "."


def weaknesses(alias: str) -> list[str]:
    """What the configuration of a cache alias tells: no server is asked."""
    return list(dict.fromkeys([*_of_store(alias), *_of_facts(facts(alias)), *_of_names(alias), *_of_servers(alias)]))


def _of_store(alias: str) -> Iterator[str]:
    """What the file of its store says."""
    store = store_for(alias)
    weakness = getattr(inspect.getmodule(type(store)), "weakness", None)
    if weakness and (said := weakness(store.cache)):
        yield f"{said[0].upper()}{said[1:]}."


def _of_facts(known: Facts) -> Iterator[str]:
    if known.one_process:
        yield "It lives in one process: each worker of the site counts for itself."
    if known.one_host:
        yield "Only the processes of one host share it."
    if known.rolled_back:
        yield "It lies in a database with ATOMIC_REQUESTS: a view that fails takes back what was counted."
    if known.max_entries is not None and known.max_entries < ROOM:
        yield f"It holds {known.max_entries} entries: whoever guesses from enough addresses pushes locks out."


def _of_names(alias: str) -> Iterator[str]:
    store = store_for(alias)
    options = settings.CACHES[alias].get("OPTIONS", {})
    classes = [*type(store).__mro__, *type(store.cache).__mro__]
    spelled = " ".join([*[f"{one.__module__}.{one.__name__}" for one in classes], *_texts(options)])
    yield from [weakness for name, weakness in NAMED.items() if name in spelled]


def _of_servers(alias: str) -> Iterator[str]:
    location = settings.CACHES[alias].get("LOCATION", "")
    servers = location if isinstance(location, list | tuple) else str(location).replace(";", ",").split(",")
    if len(servers) > 1:
        yield "It has several servers: one that dies takes with it what it alone had."
    if kind_of(store_for(alias).cache).__name__ != "RedisStore":
        yield "The hosts' clocks decide: one that is wrong by t ends windows and locks early or late by t."


def _texts(options: Any) -> list[str]:
    """All that is named in OPTIONS, by classes or by dotted paths."""
    if isinstance(options, dict):
        return [text for value in options.values() for text in _texts(value)]
    return (
        [text for value in options for text in _texts(value)] if isinstance(options, list | tuple) else [str(options)]
    )

"""The caches: those that can't count, that do not keep what they are given, or that surprise."""

from collections.abc import Iterator
from contextlib import suppress

from django.conf import settings
from django.core.checks import ERROR, CheckMessage, Error, Info, Warning

from ..stores import store_for
from ..stores.facts import Facts, facts
from ..stores.probe import probe
from ..stores.store import ASYNCHRONOUS


def about_cache(alias: str) -> list[CheckMessage]:
    """What its configuration tells, whatever is counted there: no server is asked."""
    try:
        cache, weakness = facts(alias), store_for(alias).weakness()
    except Exception as error:  # noqa: BLE001  # a backend may raise anything
        return [
            Error(
                f"The cache {alias!r} can't be used: {error}",
                hint=f"Add it to CACHES, which has {', '.join(settings.CACHES)}, or name another with cache=.",
                id="lockout_decorators.E004",
            )
        ]
    return list(_cache(alias, cache, weakness))


def _cache(alias: str, cache: Facts, weakness: str | None) -> Iterator[CheckMessage]:
    if cache.forgets:
        yield Error(
            f"The cache {alias!r} is a DummyCache: nothing would ever be counted.",
            hint="Use any other cache; for tests and development LocMemCache will do.",
            id="lockout_decorators.E005",
        )
    elif weakness == ASYNCHRONOUS:
        yield Error(
            f"The cache {alias!r} can't count: {weakness}.",
            hint="Name a cache with a synchronous client; asynchronous views use that too.",
            id="lockout_decorators.E007",
        )
    elif weakness:
        yield Warning(
            f"The cache {alias!r} can't promise all: {weakness}.",
            hint=f"Use one that swaps by itself; or run `manage.py lockout prove --cache {alias}`, and silence this.",
            id="lockout_decorators.W009",
        )
    if cache.rolled_back:
        yield Error(
            f"The cache {alias!r} lies in a database with ATOMIC_REQUESTS: an exception in the view, and DRF's "
            "rollback, would undo the failure that was counted.",
            hint='Set "ATOMIC_REQUESTS": False there, or keep the cache under another alias, or one of another kind.',
            id="lockout_decorators.E006",
        )
    if not settings.DEBUG:
        yield from _shared(alias, cache)


def about_sharing(alias: str) -> Iterator[CheckMessage]:
    """What is told of a cache while DEBUG is off, where it is on."""
    if settings.DEBUG:
        with suppress(Exception):  # about_cache() tells what is wrong with it
            yield from _shared(alias, facts(alias))


def _shared(alias: str, cache: Facts) -> Iterator[CheckMessage]:
    if cache.one_process:
        yield Warning(
            f"The cache {alias!r} is a LocMemCache: each worker process counts for itself.",
            hint="Use a cache that all processes share.",
            id="lockout_decorators.W004",
        )
    if cache.one_host:
        yield Info(
            f"The cache {alias!r} is a FileBasedCache: only the processes of one host share it.",
            hint="If the site runs on several hosts, use a cache that they share; on one, silence this.",
            id="lockout_decorators.I001",
        )


def probed(alias: str) -> Iterator[CheckMessage]:
    """What shows when its server is asked; nothing where it need not be."""
    sound = all(message.level < ERROR for message in about_cache(alias))
    if sound and (complaints := probe(alias)):
        yield Error(
            f"The cache {alias!r} failed a probe: {'; '.join(complaints)}.",
            hint=f"Name another with cache=. `manage.py lockout prove --cache {alias}` tells more.",
            id="lockout_decorators.E008",
        )

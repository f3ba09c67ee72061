"""A guess that fails where no block watches: told once per route, so that a forgotten door is found."""

import logging
from contextlib import suppress
from typing import Any

from ..conf import conf
from ..logs import extra
from .watch import BLOCKS, home

logger: logging.Logger = logging.getLogger("lockout_decorators")

MOST = 1000  # routes; more would be made up
_told: dict[str | None, object] = {}  # by each process


def tell(request: Any) -> None:
    """Never raises, whatever a signal was sent with. What a policy has let through, or forgotten by now, is no news."""
    with suppress(Exception):
        found = home(request)
        if BLOCKS in found or not conf.enabled:
            return
        route = getattr(found.get("resolver_match"), "route", None)
        if not isinstance(route, str):
            route = None
        if len(_told) < MOST and _told.setdefault(route, mine := object()) is mine:  # one of many threads
            where = "at no known route" if route is None else f"at the route {route!a}"
            facts = extra("guess_unseen", route=route)
            logger.warning("a guess failed %s, and no policy saw it; see `manage.py lockout doors`", where, extra=facts)

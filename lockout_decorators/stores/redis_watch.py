"""What takes the place of the script where a server forbids it: WATCH, MULTI, EXEC, which respect scripts and are
respected by them.

It takes and gives what redis_scripts.py does; a swap takes two round trips instead of one. The time is asked after
WATCH: if nothing has changed from then to EXEC, the decision was as good as one made at that moment.
"""

import logging
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from ..logs import extra
from ..records.record import STAMP
from .redis_clients import Clients
from .redis_lines import Command, Line
from .store import DRIFT, Change

logger: logging.Logger = logging.getLogger("lockout_decorators")


@cache
def warn() -> None:
    """Once in a process."""
    logger.warning(
        "The server of a Redis or Valkey cache forbids scripts (EVALSHA). Guesses are counted exactly all the same, "
        "by WATCH and MULTI, in two round trips instead of one. Let the cache's user run scripts (ACL +@scripting).",
        extra=extra("scripts_forbidden"),
    )


def ask(clients: Clients, names: Sequence[str], changes: Sequence[Change] = (), now: int = 0) -> list[Any]:
    """See redis_scripts.ask()."""
    return clients.use(names[0], partial(_ask, names, changes, now))


def _ask(names: Sequence[str], changes: Sequence[Change], now: int, line: Line) -> list[Any]:
    look = ("TIME",), ("MGET", *names)
    if not changes:
        return _told(*line.execute(*look))
    _, *found = line.execute(("WATCH", *names), *look)
    told = _told(*found)
    if abs(told[1] - now) > DRIFT:
        told[0] = -1
    elif all(text[:STAMP] == (change.token or b"") for text, change in zip(told[2:], changes, strict=True)):
        return [1] if _executed(line, names, changes) else _told(*line.execute(*look))
    line.execute(("UNWATCH",))
    return told


def _executed(line: Line, names: Sequence[str], changes: Sequence[Change]) -> bool:
    *_, done = line.execute(("MULTI",), *map(_written, names, changes), ("EXEC",), check_health=False)
    for reply in done or ():
        if isinstance(reply, Exception):
            raise reply
    return done is not None


def _written(name: str, change: Change) -> Command:
    if change.text is None:
        return "DEL", name
    return ("SET", name, change.text, *(("EX", change.life) if change.life else ()))


def _told(now: Sequence[bytes], texts: Sequence[bytes | None]) -> list[Any]:
    seconds, micros = map(int, now)
    return [0, seconds * 1000 + micros // 1000, *[text or b"" for text in texts]]

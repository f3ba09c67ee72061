"""What takes the place of the script where a server forbids it: WATCH, MULTI, EXEC, which respect scripts and are
respected by them.

It takes and gives what redis_scripts.py does, in four round trips instead of one. The time is asked after WATCH: if
nothing has changed from then to EXEC, the decision was as good as one made at that moment.
"""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

from ..logs import extra
from ..records.record import STAMP
from .redis_clients import Clients
from .redis_scripts import RAW
from .store import DRIFT, Change

logger: logging.Logger = logging.getLogger("lockout_decorators")


@cache
def warn() -> None:
    """Once in a process."""
    logger.warning(
        "The server of a Redis or Valkey cache forbids scripts (EVALSHA). Guesses are counted exactly all the same, "
        "by WATCH and MULTI, in four round trips instead of one. Let the cache's user run scripts (ACL +@scripting).",
        extra=extra("scripts_forbidden"),
    )


def ask(clients: Clients, names: Sequence[str], changes: Sequence[Change] = (), now: int = 0) -> list[Any]:
    """See redis_scripts.ask()."""
    client = clients.of(names[0])
    if not changes:
        return _look(client, names)
    with client.pipeline() as pipe:
        pipe.watch(*names)
        told = _told(pipe.execute_command("TIME"), pipe.execute_command("MGET", *names, **RAW))
        if abs(told[1] - now) > DRIFT:
            return [-1, *told[1:]]
        if any(text[:STAMP] != (change.token or b"") for text, change in zip(told[2:], changes, strict=True)):
            return told
        if _executed(pipe, names, changes):
            return [1]
    return _look(client, names)


def _look(client: Any, names: Sequence[str]) -> list[Any]:
    with client.pipeline(transaction=False) as pipe:
        pipe.execute_command("TIME")
        pipe.execute_command("MGET", *names, **RAW)
        return _told(*pipe.execute())


def _executed(pipe: Any, names: Sequence[str], changes: Sequence[Change]) -> bool:
    pipe.multi()
    for name, change in zip(names, changes, strict=True):
        if change.text is None:
            pipe.execute_command("DEL", name)
        else:
            pipe.execute_command("SET", name, change.text, *(("EX", change.life) if change.life else ()))
    try:
        pipe.execute()
    except Exception as error:
        if type(error).__name__ != "WatchError":
            raise
        return False
    return True


def _told(now: tuple[int, int], texts: Sequence[bytes | None]) -> list[Any]:
    return [0, now[0] * 1000 + now[1] // 1000, *[text or b"" for text in texts]]

"""What a guess costs, and what a client takes: measured while nothing else goes on."""

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from statistics import median, median_low
from typing import Any, NamedTuple

from django.db import connections

from lockout_decorators.policy import LockoutPolicy

from .guesses import RIGHT, WRONG, Secret, guess, standing

# One after another, at a client whose fifth failure locks; those without a name are not told.
KINDS: Sequence[tuple[str, Secret]] = (
    ("right", RIGHT),
    ("wrong", WRONG),
    *[("", WRONG)] * 2,
    ("wrong, the last but one", WRONG),
    ("wrong, which locks", WRONG),
    ("refused", WRONG),
)

# By these Python sends something to a server.
SENDING: Sequence[tuple[type, str]] = ((socket.socket, "sendall"), (socket.socket, "send"), (ssl.SSLSocket, "send"))

_trips: list[None] = []


class Cost(NamedTuple):
    """What a guess costs (milliseconds, the median), and what it leaves.

    Attributes:
        trips: Round trips, statements of a database; None where none can be seen: by clients not written in Python.
        bytes: Of the texts of the entries.
    """

    guess: str
    trips: int | None
    ms: float
    entries: int
    bytes: int


def measure(policies: Sequence[LockoutPolicy]) -> list[Cost]:
    """At each of these clients; the first of them warms up."""
    rounds = [[_measured(policy, *kind) for kind in KINDS] for policy in policies]
    return [_middle(alike) for alike in zip(*rounds[1:], strict=True) if alike[0].guess]


def _measured(policy: LockoutPolicy, kind: str, secret: Secret) -> Cost:
    before, began = len(_trips), time.perf_counter()
    guess(policy, secret, dwell=0)
    trips, ms = len(_trips) - before, (time.perf_counter() - began) * 1000
    texts = standing(policy)
    return Cost(kind, trips, ms, len(texts), sum(map(len, texts)))


def _middle(costs: Sequence[Cost]) -> Cost:
    trips, ms = median_low([cost.trips or 0 for cost in costs]), median([cost.ms for cost in costs])
    return costs[-1]._replace(trips=trips, ms=round(ms, 3))


def count_trips() -> None:
    """From now on, in this process."""
    for kind, name in SENDING:
        setattr(kind, name, _seen(getattr(kind, name)))
    for connection in connections.all():
        connection.execute_wrappers.append(_execute)


def _seen(send: Callable[..., Any]) -> Callable[..., Any]:
    def seen(*args: Any) -> Any:
        _trips.append(None)
        return send(*args)

    return seen


def _execute(execute: Callable[..., Any], *args: Any) -> Any:
    """A statement is one trip, whether or not Python is seen to send it."""
    before = len(_trips)
    came = execute(*args)
    _trips[before:] = [None]
    return came

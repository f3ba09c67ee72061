"""What a worker process of a proof does when it is told to: real guesses, at clients that are made up."""

import logging
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import cache, partial
from itertools import chain
from secrets import token_hex
from statistics import median, median_low
from typing import Any, NamedTuple

import django
from django.conf import settings
from django.db import connections
from django.dispatch import Signal
from django.http import HttpRequest

from lockout_decorators import signals
from lockout_decorators.attempts.counters import Client
from lockout_decorators.attempts.seats import books_of
from lockout_decorators.clients.keys import digest
from lockout_decorators.exceptions import LockedOut, StoreError
from lockout_decorators.policy import LockoutPolicy
from lockout_decorators.stores import store_for

ADDRESS = "192.0.2.1"  # of nobody
DWELL = 0.005  # seconds that a secret takes to be verified
REST = 0.003  # seconds that a refused guesser rests
EACH = 4  # guesses of a thread in a burst

Secret = tuple[str, bool]  # who is tried, and whether it is right
WRONG, RIGHT, OTHER = ("bob", False), ("bob", True), ("alice", True)

# Nothing of the site hears of a proof, and no setting of the site lets its guesses through.
SETTINGS = {"LOCKOUT_ENABLED": True, "LOCKOUT_FAIL_OPEN": False, "LOCKOUT_CLIENT_IP": None}

# By these Python sends something to a server.
SENDING: Sequence[tuple[type, str]] = ((socket.socket, "sendall"), (socket.socket, "send"), (ssl.SSLSocket, "send"))

_trips: list[None] = []  # to a server
_failures: list[str] = []  # what the cache has raised


class Guess(NamedTuple):
    """When it began, and when it was admitted; None: it was refused."""

    right: bool
    began: float
    admitted: float | None


class Cost(NamedTuple):
    """What a guess costs, and what it leaves.

    Attributes:
        trips: Round trips, statements of a database; 0 where none are seen: there are none, or the client is not Python.
        ms: Milliseconds.
        bytes: Of the texts of the entries.
    """

    guess: str
    trips: int
    ms: float
    entries: int
    bytes: int


def work(pipe: Any) -> None:
    """Do what the other end of a pipe says, until there is none any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever interrupts the command closes the pipe
    os.dup2(2, 1)  # what the project prints is no part of a report
    with suppress(EOFError):
        while True:
            act, args = pipe.recv()
            pipe.send(_answer(act, args))


def _answer(act: Callable[..., Any], args: Sequence[Any]) -> tuple[Any, str]:
    try:
        return act(*args), ""
    except Exception as error:  # noqa: BLE001
        return None, said(error)


def said(error: Exception) -> str:
    return str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"


def set_up(alias: str) -> str:
    """Gives the marks. Raises what the project raises, and StoreError."""
    django.setup()
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    logging.getLogger("lockout_decorators").disabled = True
    for one in filter(Signal.__instancecheck__, vars(signals).values()):
        one.receivers = []
    signals.store_failed.connect(_note)
    for kind, name in SENDING:
        setattr(kind, name, _seen(getattr(kind, name)))
    for connection in connections.all():
        connection.execute_wrappers.append(_execute)
    store_for(alias).read([f"lockout-prove:{token_hex(8)}"])
    return marks(alias)


def marks(alias: str) -> str:
    """What is the same in all processes that count together."""
    cache = settings.CACHES[alias]
    return digest(f"{cache['BACKEND']} {cache.get('LOCATION')}")


def _note(detail: signals.StoreDetail, **kwargs: Any) -> None:
    _failures.append(said(detail.error))


def _seen(send: Callable[..., Any]) -> Callable[..., Any]:
    def seen(*args: Any) -> Any:
        _trips.append(None)
        return send(*args)

    return seen


def _execute(execute: Callable[..., Any], *args: Any) -> Any:
    """A statement is one, whether or not Python is seen to send it."""
    before = len(_trips)
    came = execute(*args)
    _trips[before:] = [None]
    return came


def request(policy: LockoutPolicy, turn: int = 0) -> HttpRequest:
    """Of a stranger: its policy has a scope of its own. Under a ceiling it makes up more keys than that, in turn."""
    found = HttpRequest()
    found.META = {"REMOTE_ADDR": ADDRESS, "HTTP_X_PROVE": str(turn % keys(policy))}
    return found


def keys(policy: LockoutPolicy) -> int:
    return 2 * (policy.ceiling or 0) or 1


def guess(policy: LockoutPolicy, secret: Secret, turn: int = 0, dwell: float = DWELL) -> Guess:
    (username, right), began, admitted = secret, time.time(), None
    with suppress(LockedOut), policy.attempt(request(policy, turn), username) as block:
        admitted = time.time()
        time.sleep(dwell)
        if right:
            block.succeed()
    return Guess(right, began, admitted)


def hold(policy: LockoutPolicy) -> Guess:
    """Begin a guess that is never finished. Raises LockedOut."""
    began = time.time()
    copy_context().run(policy.attempt(request(policy), "bob").__enter__)
    return Guess(False, began, time.time())


def burst(
    policy: LockoutPolicy, secrets: Sequence[Secret], threads: int, at: float, until: float
) -> tuple[list[Guess], list[str]]:
    """All threads guess from the instant `at` to the instant `until`, and each a few times more; what the cache raised."""
    _failures.clear()
    made = _pool(threads).map(partial(_guess_on, policy, secrets, at, until), range(threads))
    return [*chain(*made)], [*_failures]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _guess_on(policy: LockoutPolicy, secrets: Sequence[Secret], at: float, until: float, turn: int) -> list[Guess]:
    time.sleep(max(0.0, at - time.time()))
    made: list[Guess] = []
    left = EACH
    while left:
        left -= time.time() >= until
        made.append(guess(policy, secrets[turn % len(secrets)], turn))
        turn += 1
        if made[-1].admitted is None:
            time.sleep(REST)
    return made


def standing(policy: LockoutPolicy) -> list[str]:
    """The texts of its stranger's entries. Raises StoreError."""
    (book,) = books_of(Client(request(policy)).counters(policy, None))
    book.read()
    return [seat.found.text for seat in book.seats if seat.found.text is not None]


def clean(policies: Sequence[LockoutPolicy]) -> None:
    """Remove the entries. Raises StoreError."""
    for policy in policies:
        for turn in range(keys(policy)):
            policy.reset(request(policy, turn))


def measure(policies: Sequence[LockoutPolicy]) -> list[Cost]:
    """What each kind of guess costs, one after another, at each of these; the first of them warms up."""
    rounds = [[_measured(policy, *kind) for kind in _kinds(policy.max)] for policy in policies]
    return [_middle(alike) for alike in zip(*rounds[1:], strict=True) if alike[0].guess]


def _kinds(most: int) -> list[tuple[str, Secret]]:
    names = ["right", "wrong", *[""] * (most - 3), "wrong, the last but one", "wrong, which locks", "refused"]
    return list(zip(names, [RIGHT, *[WRONG] * (most + 1)], strict=True))


def _measured(policy: LockoutPolicy, kind: str, secret: Secret) -> Cost:
    trips, began = len(_trips), time.perf_counter()
    guess(policy, secret, dwell=0)
    ms, trips = (time.perf_counter() - began) * 1000, len(_trips) - trips
    texts = standing(policy)
    return Cost(kind, trips, ms, len(texts), sum(map(len, texts)))


def _middle(costs: Sequence[Cost]) -> Cost:
    return costs[-1]._replace(trips=median_low([one.trips for one in costs]), ms=round(median([one.ms for one in costs]), 3))

"""The guessers: processes with threads; one process for a cache that lives in one."""

import logging
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import get_context
from secrets import token_hex
from typing import Any

import django
from django.conf import settings
from django.core.management.base import CommandError
from django.dispatch import Signal

from lockout_decorators import signals
from lockout_decorators.clients.keys import digest
from lockout_decorators.exceptions import StoreError
from lockout_decorators.policy import LockoutPolicy
from lockout_decorators.stores import store_for

from .costs import count_trips
from .guesses import Guess, hold

PROCESSES, THREADS = 4, 4
PATIENCE = 120  # seconds in which a process has to answer
CONTEXT = get_context("spawn")  # what is forked shares connections

# No setting of the site lets guesses through.
SETTINGS: Mapping[str, Any] = {
    "LOCKOUT_ENABLED": True,
    "LOCKOUT_FAIL_OPEN": False,
    "LOCKOUT_CLIENT_IP": None,
    "LOCKOUT_JOURNAL": None,
}

_failures: list[str] = []  # what the cache has raised in this process


class Worker:
    """A process that does what it is told, and answers once."""

    def __init__(self) -> None:
        self._pipe, there = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=work, args=[there], daemon=True)
        self._process.start()
        there.close()

    def tell(self, act: Callable[..., Any], *args: Any) -> None:
        with suppress(OSError):  # it has ended, which the answer tells
            self._pipe.send((act, args))

    def answer(self) -> tuple[Any, list[str]]:
        """What came of it, and what the cache has raised meanwhile. Raises CommandError."""
        came, failures, wrong = None, [], "A worker process has ended, or does not answer."
        with suppress(EOFError, OSError):
            if self._pipe.poll(PATIENCE):
                came, failures, wrong = self._pipe.recv()
        if wrong:
            raise CommandError(wrong)
        return came, failures

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """When it has done what it was told."""
        self._pipe.close()
        self._process.join(timeout=5)
        self.kill()


class Crew:
    """All that guess together, and one more that is there to be killed."""

    def __init__(self, alone: bool) -> None:
        self.failures: list[str] = []
        self.processes, self.threads = (1, PROCESSES * THREADS) if alone else (PROCESSES, THREADS)
        self._workers = [Worker() for _ in range(self.processes)]
        self._doomed = self._workers[0] if alone else Worker()
        self._all = {*self._workers, self._doomed}

    def begin(self, alias: str) -> None:
        """Raises CommandError if the cache does not answer, or the processes count apart."""
        if {*self._ask(self._all, set_up, alias)} != {marks(alias)}:
            raise CommandError("Not exact: the processes differ in SECRET_KEY or CACHES, and so count apart.")

    def all(self, act: Callable[..., Any], *args: Any) -> list[Any]:
        """Tell each process. Raises CommandError."""
        return self._ask(self._workers, act, *args)

    def one(self, act: Callable[..., Any], *args: Any) -> Any:
        """Tell one process. Raises CommandError."""
        return self._ask(self._workers[:1], act, *args)[0]

    def abandon(self, policy: LockoutPolicy) -> Guess:
        """Begin a guess, and let its process die. Raises CommandError."""
        guess: Guess = self._ask([self._doomed], hold, policy)[0]
        if self._doomed not in self._workers:
            self._doomed.kill()
        return guess

    def close(self) -> None:
        for worker in self._all:
            worker.close()

    def _ask(self, workers: Iterable[Worker], act: Callable[..., Any], *args: Any) -> list[Any]:
        for worker in workers:
            worker.tell(act, *args)
        answers = [worker.answer() for worker in workers]
        self.failures += [failure for _, failures in answers for failure in failures]
        return [came for came, _ in answers]


def work(pipe: Any) -> None:
    """In the process: do what the other end of the pipe says, until there is none any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever interrupts the command closes the pipe
    os.dup2(2, 1)  # what the project prints is no part of a report
    with suppress(EOFError, OSError):
        while True:
            pipe.send(come_of(*pipe.recv()))


def come_of(act: Callable[..., Any], args: Sequence[Any]) -> tuple[Any, list[str], str]:
    _failures.clear()
    try:
        return act(*args), [*_failures], ""
    except Exception as error:  # noqa: BLE001
        return None, [*_failures], said(error)


def set_up(alias: str) -> str:
    """Nothing of the site hears of what this process does. Raises what the project raises, and StoreError."""
    django.setup()
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    logging.getLogger("lockout_decorators").disabled = True
    for one in [one for one in vars(signals).values() if isinstance(one, Signal)]:
        one.receivers = []
    signals.store_failed.connect(note)
    count_trips()
    store_for(alias).read([f"lockout-prove:{token_hex(8)}"])
    return marks(alias)


def marks(alias: str) -> str:
    """What is the same in all processes that count together."""
    cache = settings.CACHES[alias]
    return digest(settings.SECRET_KEY, f"{cache['BACKEND']} {cache.get('LOCATION')}")


def note(detail: signals.StoreDetail, **kwargs: Any) -> None:
    _failures.append(said(detail.error))


def said(error: Exception) -> str:
    return str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"

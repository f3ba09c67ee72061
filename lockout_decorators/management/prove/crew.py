"""The guessers: processes with threads; one process for a cache that lives in one."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

from django.core.management.base import CommandError

from lockout_decorators.policy import LockoutPolicy

from .worker import Guess, hold, marks, set_up, work

PROCESSES, THREADS = 4, 4
PATIENCE = 120  # seconds in which a process has to answer
CONTEXT = get_context("spawn")  # what is forked shares connections


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

    def answer(self) -> Any:
        """Raises CommandError."""
        try:
            came, failed = self._pipe.recv() if self._pipe.poll(PATIENCE) else (None, "A worker process does not answer.")
        except (EOFError, OSError):
            came, failed = None, "A worker process has ended unexpectedly."
        if failed:
            raise CommandError(failed)
        return came

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """When it has done what it was told."""
        self._pipe.close()
        self._process.join(timeout=5)
        self.kill()


class Crew:
    """All that guess together; one of them is there to be killed."""

    def __init__(self, alone: bool) -> None:
        self.threads: int = PROCESSES * THREADS if alone else THREADS
        self._workers = [Worker() for _ in range(1 if alone else PROCESSES)]
        self._doomed = None if alone else Worker()

    @property
    def shown(self) -> str:
        many = f"{len(self._workers)} processes" if self._doomed else "One process, in which the cache lives,"
        return f"{many} of {self.threads} threads"

    def begin(self, alias: str) -> None:
        """Raises CommandError if the cache does not answer, or the processes count apart."""
        if {*_ask(self._all, set_up, alias)} != {marks(alias)}:
            raise CommandError("Not exact: the processes differ in their SECRET_KEY or CACHES, and so count apart.")

    def all(self, act: Callable[..., Any], *args: Any) -> list[Any]:
        """Tell each process. Raises CommandError."""
        return _ask(self._workers, act, *args)

    def one(self, act: Callable[..., Any], *args: Any) -> Any:
        """Tell one process. Raises CommandError."""
        return _ask(self._workers[:1], act, *args)[0]

    def abandon(self, policy: LockoutPolicy) -> Guess:
        """Begin a guess, and let its worker die. Raises CommandError."""
        guess: Guess = _ask(self._all[-1:], hold, policy)[0]
        if self._doomed:
            self._doomed.kill()
        return guess

    def close(self) -> None:
        for worker in self._all:
            worker.close()

    @property
    def _all(self) -> Sequence[Worker]:
        return [*self._workers, *([self._doomed] if self._doomed else [])]


def _ask(workers: Sequence[Worker], act: Callable[..., Any], *args: Any) -> list[Any]:
    for worker in workers:
        worker.tell(act, *args)
    return [worker.answer() for worker in workers]

"""The guessers: processes with threads, or threads alone for a cache that lives in one process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Protocol

from django.conf import settings
from django.core.management.base import CommandError

from .acts import Acts
from .apart import apart, said

PATIENCE = 120  # seconds in which a process has to answer
MODULE = "lockout_decorators.management.prove.worker"

Answer = tuple[Any, str, list[str]]  # what an act gave, why it failed, and what the cache has raised meanwhile


class Worker(Protocol):
    """A process that is told an act, and answers once."""

    def tell(self, act: str, *args: Any) -> None: ...
    def answer(self) -> Answer: ...
    def kill(self) -> None: ...


class Crew:
    """All that guess together.

    Attributes:
        shown: Who they are, in words.
        raised: What the cache has raised while they guessed.
    """

    def __init__(self, workers: Sequence[Worker], doomed: Worker, shown: str) -> None:
        self.shown: str = shown
        self.raised: list[str] = []
        self._workers, self._doomed = workers, doomed

    def all(self, act: str, *args: Any) -> list[Any]:
        """Tell each process. Raises CommandError."""
        return self._ask(self._workers, act, *args)

    def one(self, act: str, *args: Any) -> Any:
        """Tell one process. Raises CommandError."""
        return self._ask(self._workers[:1], act, *args)[0]

    def dies(self, stranger: Sequence[Any]) -> Any:
        """Begin a guess, and let its worker die. Raises CommandError."""
        (came,) = self._ask([self._doomed], "hold", stranger)
        self._doomed.kill()
        return came

    def _ask(self, workers: Sequence[Worker], act: str, *args: Any) -> list[Any]:
        for worker in workers:
            worker.tell(act, *args)
        answers = [worker.answer() for worker in workers]
        for _, failed, raised in answers:
            self.raised += raised
            if failed:
                raise CommandError(failed)
        return [came for came, _, _ in answers]


class Here:
    """This process."""

    def __init__(self, acts: Acts, raised: list[str]) -> None:
        self._acts, self._raised = acts, raised
        self._answer: Answer = (None, "", [])

    def tell(self, act: str, *args: Any) -> None:
        self._answer = come_of(self._acts, [act, *args], self._raised)

    def answer(self) -> Answer:
        return self._answer

    def kill(self) -> None:
        """What it has begun is not finished anyway."""


def come_of(acts: Acts, told: Sequence[Any], raised: list[str]) -> Answer:
    """Do what was told."""
    raised.clear()
    try:
        return acts.do(*told), "", list(raised)
    except Exception as error:  # noqa: BLE001
        return None, said(error), list(raised)


class Process:
    """A worker that reads an act from each line of its input, and writes an answer."""

    def __init__(self, threads: int, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-P", "-m", MODULE, str(threads)]
        pipe = subprocess.PIPE
        self._process: Any = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)  # noqa: S603
        self._lines: Queue[str] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def tell(self, act: str, *args: Any) -> None:
        with suppress(BrokenPipeError):  # the answer, or that there is none, tells
            self._process.stdin.write(json.dumps([act, *args]) + "\n")
            self._process.stdin.flush()

    def answer(self) -> Answer:
        try:
            line = self._lines.get(timeout=PATIENCE)
        except Empty:
            return None, f"A worker process did not answer within {PATIENCE} seconds.", []
        answer: Answer = json.loads(line) if line else (None, "A worker process has ended unexpectedly.", [])
        return answer

    def hang_up(self) -> None:
        """There is nothing more to tell; it ends by itself."""
        with suppress(OSError):
            self._process.stdin.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def close(self) -> None:
        """See to it that it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self.kill()


@contextmanager
def threads(count: int) -> Iterator[Crew]:
    with apart() as raised, ThreadPoolExecutor(count) as pool:
        here = Here(Acts(pool, count), raised)
        yield Crew([here], here, f"{count} threads of this process, in which the cache lives")


@contextmanager
def processes(count: int, each: int) -> Iterator[Crew]:
    """They set themselves up from the same settings module. Raises CommandError where there is none."""
    if not settings.SETTINGS_MODULE:
        raise CommandError("The worker processes need a settings module: set DJANGO_SETTINGS_MODULE.")
    path = os.pathsep.join([entry or str(Path.cwd()) for entry in sys.path])
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE, "PYTHONPATH": path}
    started: list[Process] = []
    try:
        started += [Process(each, environment) for _ in range(count + 1)]
        yield Crew(started[1:], started[0], f"{count} processes of {each} threads")
    finally:
        for process in started:
            process.hang_up()
        for process in started:
            process.close()

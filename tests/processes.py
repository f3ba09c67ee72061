"""Processes with threads that do what the lines of their input say."""

import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from subprocess import PIPE, Popen
from threading import Barrier
from typing import Any

import django

from tests.servers import Setup, hang_up, use


class Processes:
    """So many of a module, with its arguments."""

    def __init__(self, count: int, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self.all = [Popen(command, stdin=PIPE, stdout=PIPE, text=True) for _ in range(count)]

    def tell(self, messages: Sequence[Any]) -> None:
        """A line to each."""
        for process, message in zip(self.all, messages, strict=True):
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()

    def hear(self) -> list[Any]:
        return [json.loads(process.stdout.readline()) for process in self.all]

    def ask(self, message: Any) -> list[Any]:
        """The same of all."""
        self.tell([message] * len(self.all))
        return self.hear()

    def close(self) -> None:
        for process in self.all:
            process.communicate()
        assert [0] * len(self.all) == [process.returncode for process in self.all]


def obey(pool: ThreadPoolExecutor, carry_out: Callable[..., Any]) -> None:
    """A `Setup` is put to use until the next; what other lines hold, `carry_out` is called with."""
    django.setup()
    with ExitStack() as stack:
        for line in sys.stdin:
            message = json.loads(line)
            if len(message) == len(Setup._fields):
                stack.close()
                stack.enter_context(use(Setup(*message)))
                stack.callback(all_hang_up, pool)
                answer = None
            else:
                answer = carry_out(*message)
            print(json.dumps(answer), flush=True)


def all_hang_up(pool: ThreadPoolExecutor) -> None:
    """Close what each thread has open to the store."""
    together = Barrier(pool._max_workers)
    for done in [pool.submit(lambda: (hang_up(), together.wait())) for _ in range(together.parties)]:
        done.result()

"""Guesses at a protected view from many threads at once; run as a module, a process of them."""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from subprocess import PIPE, Popen
from threading import Barrier
from typing import Any, NamedTuple

import django
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from lockout_decorators import LockedOut, lockout_protect
from tests.servers import Setup, hang_up, use

THREADS = 16
PROCESSES = 4
SCOPE = "burst"
LOCKOUT = 600
VERIFICATION = 0.05  # seconds


class Job(NamedTuple):
    """`guesses` are pairs of user name and password, sent from `address` at the instant `at`, all together.

    With `insist`, a guess refused for a second only, by a lock that is about to end, is made again.
    """

    address: str
    guesses: list[tuple[str, str]]
    at: float
    insist: bool = False
    max: int = 5
    patience: float = 5


class Result(NamedTuple):
    """How often the hasher ran, the status of each guess, and how often a lock about to end was met."""

    verified: int
    statuses: list[int]
    early: int


class Crew:
    """Threads of one process that carry out jobs."""

    def __init__(self, threads: int) -> None:
        from tests.backends import CountingBackend  # has models, which need a Django that is set up

        self.pool, self.backend = ThreadPoolExecutor(threads), CountingBackend

    def play(self, job: Job) -> Result:
        self.backend.verified.clear()
        self.backend.delay = VERIFICATION
        view = login_view(job)
        answers = list(self.pool.map(lambda guess: insist(view, job, *guess), job.guesses))
        statuses = [status for status, _ in answers]
        return Result(len(self.backend.verified), statuses, sum(early for _, early in answers))

    def hang_up(self) -> None:
        """Close what each thread has open."""
        together = Barrier(self.pool._max_workers)
        for done in [self.pool.submit(lambda: (hang_up(), together.wait())) for _ in range(together.parties)]:
            done.result()

    def close(self) -> None:
        self.pool.shutdown()


def login_view(job: Job) -> Any:
    @lockout_protect(
        key="ip", max=job.max, window=60, lockout=LOCKOUT, scope=SCOPE, patience=job.patience, response=refused
    )
    def login(request: HttpRequest) -> HttpResponse:
        user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
        return HttpResponse(status=401 if user is None else 200)

    return login


def refused(request: HttpRequest, locked_out: LockedOut) -> HttpResponse:
    """Short, so that the template engine takes no part in the race."""
    return HttpResponse(status=locked_out.status_code)


def insist(view: Any, job: Job, username: str, password: str) -> tuple[int, int]:
    time.sleep(max(0, job.at - time.time()))
    early = 0
    while True:
        request = RequestFactory().post("/", {"username": username, "password": password}, REMOTE_ADDR=job.address)
        response = view(request)
        if not job.insist or response.status_code != 429 or int(response["Retry-After"]) > 1:
            return response.status_code, early
        early += 1
        time.sleep(0.02)


class Processes:
    """Crews in processes of their own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.guessers"]
        self.all = [Popen(command, stdin=PIPE, stdout=PIPE, text=True) for _ in range(PROCESSES)]

    def ask(self, messages: Sequence[Any]) -> list[Any]:
        for process, message in zip(self.all, messages, strict=True):
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in self.all]

    def use(self, setup: Setup) -> None:
        self.ask([setup] * PROCESSES)

    def play(self, job: Job) -> Result:
        jobs = [job._replace(guesses=job.guesses[number::PROCESSES]) for number in range(PROCESSES)]
        verified, statuses, early = zip(*self.ask(jobs), strict=True)
        return Result(sum(verified), list(chain(*statuses)), sum(early))

    def close(self) -> None:
        for process in self.all:
            process.communicate()
        assert [0] * PROCESSES == [process.returncode for process in self.all]


def main() -> None:
    """Answer the lines of the input: a `Setup` is put to use until the next, a `Job` is carried out."""
    django.setup()
    crew = Crew(THREADS)
    with ExitStack() as stack:
        for line in sys.stdin:
            message = json.loads(line)
            if len(message) == len(Setup._fields):
                stack.close()
                stack.enter_context(use(Setup(*message)))
                stack.callback(crew.hang_up)
                answer = None
            else:
                answer = crew.play(Job(*message))
            print(json.dumps(answer), flush=True)
    crew.close()


if __name__ == "__main__":
    main()

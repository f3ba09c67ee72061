"""Guesses at a protected view from many threads at once, and processes of them."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from lockout_decorators import LockedOut, lockout_protect
from tests.processes import Processes, obey

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
    spread: int | None = None


class Result(NamedTuple):
    """How often the hasher ran, the status of each guess, and how often a lock about to end was met."""

    verified: int
    statuses: list[int]
    early: int


def play(pool: ThreadPoolExecutor, job: Job) -> Result:
    """In the threads of this process."""
    from tests.backends import CountingBackend  # has models, which need a Django that is set up

    CountingBackend.verified.clear()
    CountingBackend.delay = VERIFICATION
    view = login_view(job)
    answers = list(pool.map(lambda guess: insist(view, job, *guess), job.guesses))
    return Result(len(CountingBackend.verified), [status for status, _ in answers], sum(early for _, early in answers))


def login_view(job: Job) -> Any:
    rule = {"max": job.max, "spread": job.spread, "patience": job.patience}

    @lockout_protect(key="ip", window=60, lockout=LOCKOUT, scope=SCOPE, response=refused, **rule)
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


class Guessers(Processes):
    """Of one job, each has its share."""

    def __init__(self) -> None:
        super().__init__(PROCESSES, __name__)

    def play(self, job: Job) -> Result:
        self.tell([job._replace(guesses=job.guesses[number::PROCESSES]) for number in range(PROCESSES)])
        verified, statuses, early = zip(*self.hear(), strict=True)
        return Result(sum(verified), list(chain(*statuses)), sum(early))


def main(orders: Connection) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        obey(orders, pool, lambda *job: play(pool, Job(*job)))

"""Hosts whose clocks differ: processes that guess when they are told to."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import time_machine
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from lockout_decorators import LockedOut, lockout_protect
from tests.processes import Processes, obey

THREADS = 16


class Order(NamedTuple):
    """Guess the passwords of `bob` from `address`, all at once, under a policy with the arguments `rule`."""

    rule: dict[str, Any]
    address: str
    passwords: Sequence[str]


class Outcome(NamedTuple):
    """Statuses with Retry-After, and what the hasher was run for."""

    answers: list[tuple[int, str | None]]
    verified: list[str]


class Host(Processes):
    """A process whose clock is `ahead` of the others by so many seconds."""

    def __init__(self, ahead: int) -> None:
        super().__init__(1, __name__, ahead)


def refused(request: HttpRequest, locked_out: LockedOut) -> HttpResponse:
    return HttpResponse(status=locked_out.status_code)


def carry_out(order: Order, pool: ThreadPoolExecutor) -> Outcome:
    from tests.backends import CountingBackend

    CountingBackend.verified.clear()

    @lockout_protect(**order.rule, response=refused)
    def login(request: HttpRequest) -> HttpResponse:
        user = authenticate(request, username="bob", password=request.POST["password"])
        return HttpResponse(status=401 if user is None else 200)

    def guess(password: str) -> tuple[int, str | None]:
        response = login(RequestFactory().post("/", {"password": password}, REMOTE_ADDR=order.address))
        return response.status_code, response.get("Retry-After")

    answers = list(pool.map(guess, order.passwords))
    return Outcome(answers, [password for _, password in CountingBackend.verified])


def main(orders: Connection, ahead: float) -> None:
    with time_machine.travel(time.time() + ahead), ThreadPoolExecutor(THREADS) as pool:
        obey(orders, pool, lambda *order: carry_out(Order(*order), pool))

"""Hosts whose clocks differ: processes that guess when they are told to. Run as a module, one of them."""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from subprocess import PIPE, Popen
from threading import Barrier
from typing import Any, NamedTuple

import django
import time_machine
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from tests.servers import Setup, hang_up, use

THREADS = 16


class Order(NamedTuple):
    """Guess the passwords of `bob` from `address`, all at once, under a policy with the arguments `rule`."""

    rule: dict[str, Any]
    address: str
    passwords: Sequence[str]


class Outcome(NamedTuple):
    """Statuses with Retry-After; what the hasher was run for; the failures on record afterwards."""

    answers: list[tuple[int, str | None]]
    verified: list[str]
    failures: int


class Host:
    """A process whose clock is `ahead` of the others by so many seconds."""

    def __init__(self, ahead: int) -> None:
        command = [sys.executable, "-m", "tests.hosts", str(ahead)]
        self.process = Popen(command, stdin=PIPE, stdout=PIPE, text=True)

    def tell(self, message: Setup | Order) -> None:
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        return json.loads(self.process.stdout.readline())

    def ask(self, message: Setup | Order) -> Any:
        self.tell(message)
        return self.hear()

    def close(self) -> None:
        self.process.communicate()
        assert 0 == self.process.returncode


def refused(request: HttpRequest, locked_out: LockedOut) -> HttpResponse:
    return HttpResponse(status=locked_out.status_code)


def carry_out(order: Order, pool: ThreadPoolExecutor) -> Outcome:
    from tests.backends import CountingBackend

    CountingBackend.verified.clear()
    policy = LockoutPolicy(**order.rule, response=refused)

    @lockout_protect(policy)
    def login(request: HttpRequest) -> HttpResponse:
        user = authenticate(request, username="bob", password=request.POST["password"])
        return HttpResponse(status=401 if user is None else 200)

    def guess(password: str) -> tuple[int, str | None]:
        response = login(RequestFactory().post("/", {"password": password}, REMOTE_ADDR=order.address))
        return response.status_code, response.get("Retry-After")

    answers = list(pool.map(guess, order.passwords))
    failures = policy.status(RequestFactory().get("/", REMOTE_ADDR=order.address)).failures
    return Outcome(answers, [password for _, password in CountingBackend.verified], failures)


def main(ahead: float) -> None:
    """Answer the lines of the input: a `Setup` is put to use until the next, an `Order` is carried out."""
    django.setup()
    together = Barrier(THREADS)
    with time_machine.travel(time.time() + ahead), ThreadPoolExecutor(THREADS) as pool, ExitStack() as stack:
        for line in sys.stdin:
            message = json.loads(line)
            if len(message) == len(Setup._fields):
                stack.close()
                stack.enter_context(use(Setup(*message)))
                stack.callback(lambda: list(pool.map(lambda _: (hang_up(), together.wait()), range(THREADS))))
                answer = None
            else:
                answer = carry_out(Order(*message), pool)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))

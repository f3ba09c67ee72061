"""Guesses that end in the middle, at any of their steps: by a signal that kills the process, or by an exception."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import django
from django.contrib.auth import authenticate
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from lockout_decorators import lockout_protect
from lockout_decorators.stores import Store, files
from tests.processes import forks
from tests.servers import DATABASE, Setup, use

# Before these a guess may end; what is so after one of them is what is so before the next.
PLACES = [(Store, "read"), (Store, "swap"), (files, "private"), (files, "content_of"), (files, "file_move_safe")]
MAX, WINDOW, LOCKOUT = 2, 200, 400

for client in ("psycopg", "pymemcache", "redis"):  # so that no fork need import them
    with suppress(ImportError):
        import_module(client)
django.setup()  # in the fork server; elsewhere it has been done

from tests.backends import CountingBackend  # noqa: E402  # has models, which need a Django that is set up


class Guess(NamedTuple):
    """Somebody's try, from somewhere."""

    username: str
    password: str
    agent: str = "a"
    address: str = "10.0.0.1"


class Record:
    """Stands in for `CountingBackend.verified` in several processes: the lines of a file."""

    def __init__(self, path: Path, before: Callable[[], None] = lambda: None) -> None:
        self.path, self.before = path, before
        path.touch()

    def append(self, credentials: tuple[str, str]) -> None:
        self.before()
        with self.path.open("a") as file:
            file.write(json.dumps(credentials) + "\n")

    def count(self, *passwords: str) -> int:
        """How often the hasher ran for one of these."""
        return sum(json.loads(line)[1] in passwords for line in self.path.read_text().splitlines())


class Steps:
    """Counts down, and calls `end` once, at nought."""

    def __init__(self, left: int, end: Callable[[], None]) -> None:
        self.left, self.end = left, end

    def __call__(self) -> None:
        self.left -= 1
        if self.left == -1:
            self.end()

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*args: Any, **kwargs: Any) -> Any:
            self()
            return function(*args, **kwargs)

        return stepping

    def after_statement(self, execute: Callable[..., Any], *args: Any) -> Any:
        result = execute(*args)
        self()
        return result


@contextmanager
def stepping(steps: Steps) -> Iterator[None]:
    """Take a step before each operation of a store and what it does to files, and after each SQL statement."""
    wrappers = connections[DATABASE].execute_wrappers if DATABASE in connections.settings else []
    with ExitStack() as stack:
        for owner, name in PLACES:
            stack.enter_context(patch.object(owner, name, steps.before(getattr(owner, name))))
        wrappers.append(steps.after_statement)
        stack.callback(wrappers.remove, steps.after_statement)
        yield


def login(policy: dict[str, Any], guess: Guess) -> int:
    """The status that a protected view answers with."""

    @lockout_protect(max=MAX, window=WINDOW, lockout=LOCKOUT, patience=0, scope="crash", **policy)
    def view(request: HttpRequest) -> HttpResponse:
        user = authenticate(request, username=guess.username, password=guess.password)
        return HttpResponse(status=401 if user is None else 200)

    return int(view(request_of(guess)).status_code)


def request_of(guess: Guess) -> HttpRequest:
    return RequestFactory().post("/", REMOTE_ADDR=guess.address, HTTP_USER_AGENT=guess.agent)


def killed(setup: Setup, path: Path, policy: dict[str, Any], guess: Guess, step: int) -> bool:
    """Whether a process that makes a guess comes to that step; it is killed there."""
    process = forks.Process(target=die, args=(setup, path, policy, guess, step))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def die(setup: Setup, path: Path, policy: dict[str, Any], guess: Guess, step: int) -> None:
    steps = Steps(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
    with use(setup):
        CountingBackend.verified = Record(path, before=steps)
        with stepping(steps):
            login(policy, guess)

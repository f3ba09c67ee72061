"""Clients that hang up and tasks that are cancelled: the guess counts, at whichever step it ends."""

import asyncio
import json
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib.util import find_spec

import pytest
from django.contrib.auth import aauthenticate
from django.http import HttpResponse

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from tests import hanging
from tests.backends import CountingBackend
from tests.crashing import LOCKOUT, MAX, WINDOW, Guess, Record, request_of
from tests.servers import free_port, missing, running, stores
from tests.sizes import IN_FULL
from tests.test_crashes import assert_nothing_is_immortal

POLICY = LockoutPolicy(key="ip", max=MAX, window=WINDOW, lockout=LOCKOUT, patience=0, scope="disconnect")
BROADER = LockoutPolicy(key="ip", max=5 * MAX, window=WINDOW, lockout=LOCKOUT, patience=0, scope="the whole site")


@lockout_protect(POLICY)
async def login(request):
    async with BROADER.observe(request):
        user = await aauthenticate(request, username="bob", password=request.GET["password"])
    return HttpResponse(status=401 if user is None else 200)


class Asked(CountingBackend):
    """Notes that it was asked, even if it is cancelled before the hasher runs."""

    asked: list[str] = []

    async def aauthenticate(self, request, username=None, password=None):
        self.asked.append(password)
        return await super().aauthenticate(request, username=username, password=password)


class Cancelled:
    """Awaits a coroutine in a task that is cancelled where it waits for the `step`th time."""

    def __init__(self, coroutine, step):
        self.coroutine, self.left = coroutine, step

    def __await__(self):
        steps, send = self.coroutine.__await__(), None
        while True:
            try:
                waiting = steps.send(None) if send is None else steps.throw(send)
            except StopIteration as stop:
                return stop.value
            if self.left == 0:
                asyncio.current_task().cancel()
            self.left -= 1
            try:
                yield waiting
                send = None
            except (asyncio.CancelledError, LockedOut) as error:
                send = error


async def guess(password, address, step=-1):
    request = request_of(Guess("bob", password, address=address))
    request.GET = {"password": password}

    async def run():
        return (await Cancelled(login(request), step)).status_code

    task = asyncio.ensure_future(run())
    with suppress(asyncio.CancelledError):
        return await task
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})  # what was shielded from the end
    return None


@pytest.mark.parametrize("store", stores("locmem"), indirect=True)
@pytest.mark.parametrize("failures", [0, MAX - 1])
@pytest.mark.parametrize("password", ["wrong", "right"])
async def test_cancelled(store, verified, failures, password, settings):
    """A task that is cancelled wherever it waits: who was asked about has guessed, who was not has its slot back."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Asked"]
    step, cancelled = -1, True
    while cancelled:
        step += 1
        address = f"10.0.0.{step}"
        verified.clear()
        for _ in range(failures):
            assert 401 == await guess("before", address)
        Asked.asked.clear()
        cancelled = await guess(password, address, step) is None
        asked = bool(Asked.asked)
        if not asked:
            status = await BROADER.astatus(request_of(Guess("bob", "", address=address)))
            assert failures == status.failures
        for _ in range(MAX + 1):
            await guess("after", address)
        wrong = [tried for _, tried in verified if tried != "right"]
        forgiven = failures if password == "right" and asked else 0
        assert MAX - asked <= len(wrong) <= MAX + forgiven
        assert 429 == await guess("right", address)
    assert step >= 4
    assert_nothing_is_immortal(store)


@pytest.fixture
def server(request, store, set_up, settings, tmp_path):
    """The port of a server process and the record of its hasher."""
    if find_spec("uvicorn") is None:  # pragma: no cover
        missing("uvicorn is not installed")
    port, record = free_port(), Record(tmp_path / "verified")
    setup = set_up(store)._replace(cache=settings.CACHES["default"])
    command = [sys.executable, "-m", "tests.hanging", json.dumps([request.param, port, str(record.path), setup])]
    with running(command, port, signal.SIGINT) as process:
        yield request.param, port, record
    assert 0 == process.returncode


def until(expected, ask):
    """Wait until the answer is as expected."""
    end = time.monotonic() + 10
    while (found := ask()) != expected:
        assert time.monotonic() < end, found
        time.sleep(0.01)


@pytest.mark.servers
@pytest.mark.parametrize("store", stores("files"), indirect=True)
@pytest.mark.parametrize("server", ["wsgi", "asgi"] if IN_FULL else ["asgi"], indirect=True)
def test_client_hangs_up(store, server):
    """A client that closes the connection while its password is verified has guessed; so it locks itself out."""
    kind, port, record = server

    def send(password):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(f"GET /{kind}/?password={password} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return connection

    with send("right") as connection:
        assert b" 200 " in connection.makefile("rb").readline()
    client = request_of(Guess("bob", "", address="127.0.0.1"))
    for failures in range(1, MAX + 1):
        with send("wrong"):
            until(failures, lambda: record.count("wrong"))
        until(failures, lambda: hanging.POLICY.status(client).failures)
    with send("right") as connection:
        assert b" 429 " in connection.makefile("rb").readline()
    assert (MAX, 1) == (record.count("wrong"), record.count("right"))
    assert (MAX if kind == "asgi" else 0) == record.count("cancelled")
    assert_nothing_is_immortal(store)

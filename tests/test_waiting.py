"""Guesses that wait for the slots of others: how long, how often they look, and in whose thread they never sleep."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import time_machine
from asgiref.sync import sync_to_async
from django.contrib.auth import authenticate
from django.core.cache import cache
from django.test import RequestFactory

from lockout_decorators import LockedOut, LockoutPolicy
from lockout_decorators.attempts import waiting
from lockout_decorators.attempts.claiming import Claiming
from lockout_decorators.attempts.waiting import aclaim
from lockout_decorators.stores import Store
from tests.backends import CountingBackend

POLICY = LockoutPolicy(key="ip", max=5, window=300, lockout=600, scope="waiting", patience=5)
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def request_from(address=HERE):
    return RequestFactory().post("/", REMOTE_ADDR=address)


def fail(times=1):
    for _ in range(times):
        with POLICY.attempt(request_from()):
            pass


@pytest.fixture
def held():
    """Holds slots of other requests, being verified, until the end of the test, or until they are freed."""
    with ExitStack() as stack:

        def hold(slots):
            for _ in range(slots):
                stack.enter_context(POLICY.attempt(request_from())).cancel()

        hold.free = stack.close
        yield hold


def refused(policy=POLICY):
    """The status that a guess meets."""
    with pytest.raises(LockedOut) as caught:
        policy.attempt(request_from()).__enter__()
    return caught.value.status


@pytest.mark.parametrize("failures", range(POLICY.max))
def test_patience_shrinks_with_the_failures(failures, held, slept):
    """Who has none on record waits all of it, who sits on four of five places a fifth."""
    fail(failures)
    held(POLICY.max - failures)
    slept.clear()
    assert (False, 1) == ((status := refused()).locked, status.retry_after)
    assert POLICY.patience * (1 - failures / POLICY.max) == pytest.approx(sum(slept))


def test_looks_of_a_wait_are_few(held, slept, monkeypatch):
    """About twenty-five in five seconds: the pauses grow."""
    held(POLICY.max)
    looks, read, swap = [], Store.read, Store.swap
    monkeypatch.setattr(Store, "read", lambda self, keys: (looks.append(keys), read(self, keys))[1])
    monkeypatch.setattr(Store, "swap", lambda self, *swapped: (looks.append(swapped), swap(self, *swapped))[1])
    refused()
    assert 20 <= len(looks) <= 30
    assert len(slept) == len(looks) - 1
    assert max(slept[:5]) < 0.03 < 0.5 < max(slept)


def test_nobody_waits_for_whom_nobody_will_free(held, slept):
    """A guess that has been undecided for over a minute has lost its worker: Retry-After is when its window ends."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        held(POLICY.max)
        clock.shift(61)
        slept.clear()
        assert 300 - 61 == refused().retry_after
    assert slept == []


async def test_nobody_waits_in_a_thread_that_others_need(held, slept):
    """That of an event loop, and the one that synchronous consumers of Channels share with all of the process."""
    held(POLICY.max)
    told = [refused(), *await asyncio.gather(*[sync_to_async(refused)() for _ in range(3)])]
    assert ([1] * 4, []) == ([status.retry_after for status in told], slept)


async def test_tasks_wait_on_the_loop():
    """Guesses that wait for the slots of others, as tasks of one loop, all come through; meanwhile the loop is free."""
    verifying = 0.02

    async def login():
        async with POLICY.attempt(request_from()) as attempt:
            await asyncio.sleep(verifying)
            attempt.succeed()

    async def others():
        for _ in range(5):
            began = time.monotonic()
            await asyncio.sleep(verifying)
            yield time.monotonic() - began

    logins = asyncio.gather(*[login() for _ in range(4 * POLICY.max)])
    assert 1 > max([took async for took in others()])
    await logins
    assert 0 == (await POLICY.astatus(request_from())).failures


async def test_who_hangs_up_waits_no_longer(held):
    """A task that is cancelled while it waits takes no slot thereafter."""
    held(POLICY.max)
    waiter = asyncio.create_task(POLICY.attempt(request_from()).__aenter__())
    await asyncio.sleep(0.05)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    held.free()
    for _ in range(5):
        await asyncio.sleep(0.02)
        assert 0 == len(cache._cache)


@pytest.mark.parametrize("find", [lambda: None, lambda: 1 / 0], ids=["no guess", "error"])
async def test_who_hangs_up_without_a_guess_leaves_nothing_to_undo(find):
    """Its step is waited for, and no more is done."""
    entering = asyncio.ensure_future(aclaim(Claiming(POLICY.observe(request_from())._guesses, find)))
    await asyncio.sleep(0)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert [None] == await asyncio.gather(*waiting._undoing)
    assert 0 == (await POLICY.astatus(request_from())).failures


def test_an_attacker_holds_no_server(verified):
    """Sixteen connections of whoever has failed four times of five, at a server of four threads: who would verify one
    after the other all the same is told to come back, and the others have their turn."""
    verifying, connections = 0.15, 16
    policy = LockoutPolicy(key="ip", max=5, scope="server", patience=1)

    def login(address, username, password):
        try:
            with policy.observe(request := request_from(address)):
                return authenticate(request, username=username, password=password)
        except LockedOut:
            return "refused"

    for number in range(4):
        login(HERE, "bob", f"wrong{number}")
    CountingBackend.delay = verifying
    with ThreadPoolExecutor(4) as server:
        began = time.monotonic()
        attack = [server.submit(login, HERE, "eve", "eves") for _ in range(connections)]
        assert server.submit(login, ELSEWHERE, "bob", "right").result().username == "bob"
        assert time.monotonic() - began < 0.8 * verifying * connections
        users = [guess.result() for guess in attack]
    assert verified.count(("eve", "eves")) == len(users) - users.count("refused") < connections

"""Guesses at once, and in threads and tasks of others: each is counted by the blocks that it belongs to."""

import asyncio
import contextvars
import copy
import pickle
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.contrib import auth
from django.contrib.auth import aauthenticate, authenticate

from lockout_decorators import LockedOut, lockout_protect
from lockout_decorators.attempts.guess import Guess
from lockout_decorators.attempts.guesses import Guesses
from lockout_decorators.attempts.watch import BLOCKS, here
from tests.backends import CountingBackend
from tests.guessing import BROKEN, SECOND, ask, login, post, rule, stops
from tests.sizes import IN_FULL

TIMES = range(20 if IN_FULL else 2)


@pytest.fixture
def policy():
    return rule()


def alone(what, *args, **kwargs):
    """Call it in a context of its own, which knows no block."""
    return contextvars.Context().run(what, *args, **kwargs)


# Threads


@pytest.mark.parametrize("way", ["positional", "keywords", "authenticate"])
def test_a_call_is_known_by_its_request(way, policy, verified):
    """In a thread that was not given the context, nothing else tells whose it is; outside of a block it is nobody's."""
    request, found = post(), auth.load_backend("tests.backends.CountingBackend")

    def check(password):
        if way == "positional":
            return alone(found.authenticate, request, "bob", password)
        return alone(
            found.authenticate if way == "keywords" else authenticate,
            request=request,
            username="bob",
            password=password,
        )

    assert [None] * 3 == [check(f"before{n}") for n in range(3)]
    for n in range(3):
        with policy.observe(request), ThreadPoolExecutor(1) as pool:
            assert pool.submit(check, f"wrong{n}").result() is None
    with pytest.raises(LockedOut):
        policy.observe(request).__enter__()
    assert (6, 3) == (len(verified), policy.status(request).failures)
    assert check("right")


def pickled(request):
    return pickle.loads(pickle.dumps(request))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_request_is_duplicated_as_without_the_package(duplicate, verified):
    """And its copies are watched; what was pickled is nobody's."""

    @lockout_protect(rule())
    def view(request):
        sent, other = request.POST, duplicate(request)
        assert other.POST == sent
        with ThreadPoolExecutor(1) as pool:
            user = pool.submit(ask, request if duplicate is pickled else other).result()
        return login(request, lambda _: user)

    assert view(post("right")).content == b"welcome"
    stops(view, verified)


def test_an_anonymous_call_in_a_thread_is_no_guess(policy):
    """Of a pool, with the request: nothing was presented."""
    for _ in range(5):
        with policy.observe(request := post()), ThreadPoolExecutor(1) as pool:
            pool.submit(authenticate, request).result()
    assert 0 == policy.status(post()).failures


def test_work_that_outlives_the_request_is_not_counted(policy, verified):
    """A thread that was started inside a block and goes on after it is none of the block's business."""
    go = threading.Event()
    with policy.observe(request := post()):
        (kept,) = auth.get_backends()
        context = contextvars.copy_context()

        def later():
            go.wait(5)
            context.run(authenticate, username="bob", password="wrong")
            return context.run(kept.authenticate, None, username="bob", password="right")

        pool = ThreadPoolExecutor(1)
        left = pool.submit(later)
    go.set()
    pool.shutdown()
    assert left.result().username == "bob"
    assert (2, 0) == (len(verified), policy.status(request).failures)


def test_what_was_closed_in_another_thread_is_forgotten():
    """A generator may end anywhere; a thread lives long, and a request has passwords."""

    def chunks(request):
        with rule().observe(request):
            yield

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for _ in range(5):
            begun = chunks(post("right"))
            one.submit(next, begun).result()
            other.submit(begun.close).result()
        assert len(one.submit(here).result()) <= 1
        assert other.submit(here).result() == ()


@pytest.fixture
def busy():
    """Threads take turns a thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.000_001)
    yield
    sys.setswitchinterval(usual)


def guess_at_once(guess):
    """Call `guess` from eight threads at once, three times each, with a password of its own."""
    ready = threading.Barrier(8)

    def several(thread):
        ready.wait()
        for number in range(3):
            with suppress(LockedOut):
                guess(f"wrong{thread}{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(several, range(8)))


@pytest.mark.parametrize("round_", TIMES)
def test_threads_of_one_request_are_watched_each(policy, verified, busy, round_):
    """Eight threads that share a request, each with a block of its own."""
    request = post()

    def guess(password):
        with policy.observe(request):
            return authenticate(request, username="bob", password=password)

    guess_at_once(guess)
    assert (3, True) == (len(verified), policy.status(request).locked)
    assert [] == vars(request)[BLOCKS]


@pytest.mark.parametrize("round_", TIMES)
def test_threads_of_one_block_are_watched_together(policy, verified, busy, round_):
    """Eight threads that were given a copy of the context share its block; each guess takes a slot of its own."""
    with policy.observe(post()):
        blocks = contextvars.copy_context()
        guess_at_once(lambda password: blocks.copy().run(authenticate, username="bob", password=password))
    assert (3, True) == (len(verified), policy.status(post()).locked)


def test_one_thread_at_a_time_asks_whose_a_guess_is():
    """Or several might take its last call."""
    guesses, inside, seen = Guesses(post()), set(), []
    guesses.made.append(Guess([]))

    def take(guess):
        inside.add(threading.get_ident())
        time.sleep(0.01)
        seen.append(len(inside))
        inside.discard(threading.get_ident())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: guesses.joined(take), range(4)))
    assert [1] * 4 == seen


def test_no_thread_forgets_the_block_of_another(policy):
    """All that are open at the same time are known by their request."""
    request, together = post(), threading.Barrier(4)

    def enter(_):
        with policy.observe(request):
            together.wait()
            found = len(vars(request)[BLOCKS])
            together.wait()
            return found

    with ThreadPoolExecutor(4) as pool:
        assert [4] * 4 == list(pool.map(enter, range(4)))
    assert [] == vars(request)[BLOCKS]


@pytest.mark.parametrize("backend", [SECOND, BROKEN])
def test_nobody_waits_for_what_never_comes(backend, settings):
    """A slot of the same request, or one whose backend broke down: a thread is held for nothing."""
    policy, settings.AUTHENTICATION_BACKENDS = rule(max=1, patience=2), [backend]
    began = time.monotonic()
    with suppress(ConnectionError), policy.observe(request := post("wrong")):
        try:
            ask(request)
        finally:
            with pytest.raises(LockedOut):
                policy.attempt(request).__enter__()
    with pytest.raises(LockedOut):
        policy.attempt(request).__enter__()
    assert time.monotonic() - began < 1


# Tasks


async def test_a_task_is_watched_by_its_own_block(policy):
    """A neighbour of the same request that leaves meanwhile settles nothing of it."""
    CountingBackend.delay, request = 0.05, post()
    opened, neighbour = asyncio.Event(), asyncio.Event()

    async def resolve():
        async with policy.observe(request):
            opened.set()
            await neighbour.wait()
            return await aauthenticate(request, username="bob", password="right")

    task = asyncio.create_task(resolve())
    await opened.wait()
    async with policy.observe(request):
        neighbour.set()
        await asyncio.sleep(0.02)
    assert (await task).username == "bob"
    assert 0 == (await policy.astatus(request)).failures


async def test_parallel_tasks_of_one_request_are_watched_each(policy, verified):
    """As resolvers of one GraphQL request: blocks that are open at the same time see their own guesses, once."""
    request = post()

    async def resolve(number):
        async with copy.copy(policy).observe(request):  # equal will do
            await asyncio.sleep(0.01)
            return await aauthenticate(request, username="bob", password=f"wrong{number}")

    assert [None] * 2 == await asyncio.gather(*map(resolve, range(2)))
    assert (2, 2) == (len(verified), (await policy.astatus(request)).failures)
    answers = await asyncio.gather(*map(resolve, range(10, 20)), return_exceptions=True)
    assert (1, 3, 9) == (answers.count(None), len(verified), sum(isinstance(answer, LockedOut) for answer in answers))


async def test_parallel_guesses_in_one_request(verified):
    """A hundred aliases at once: three are verified, nobody waits for slots of its own block."""
    async with asyncio.timeout(20), rule(patience=60).observe(request := post()):
        calls = [aauthenticate(request, username="bob", password=f"wrong{n}") for n in range(100)]
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert (3, 97) == (ends.count(None), sum(isinstance(end, LockedOut) for end in ends))
    assert (3, True) == (len(verified), (await rule().astatus(request)).locked)


@pytest.mark.parametrize("ends", ["cancelled", "left behind"])
async def test_a_verification_that_its_block_does_not_see_end_was_a_failure(ends, policy):
    """Whoever hangs up has guessed; so has a task that goes on alone: its late success settles nothing twice."""
    CountingBackend.delay, begun = 0.1, asyncio.Event()

    async def guess():
        begun.set()
        return await aauthenticate(request, username="bob", password="right")

    async def view():
        async with policy.observe(request):
            tasks.append(asyncio.create_task(guess()))
            await begun.wait()
            await asyncio.sleep(0.05)
            if ends == "cancelled":
                await tasks[0]

    request, tasks = post(), []
    whole = asyncio.create_task(view())
    if ends == "cancelled":
        await begun.wait()
        await asyncio.sleep(0.07)
        whole.cancel()
        with pytest.raises(asyncio.CancelledError):
            await whole
    else:
        await whole
        assert (await tasks[0]).username == "bob"
    assert 1 == (await policy.astatus(request)).failures


async def test_two_requests_interleaved_in_one_loop(rf):
    """Each task counts for its own client."""
    policy, CountingBackend.delay = rule(), 0.01
    requests = [rf.post("/", REMOTE_ADDR=f"192.0.2.{n}") for n in range(6)]

    async def view(request, password):
        async with policy.observe(request):
            return await aauthenticate(request, username="bob", password=password)

    tasks = [view(request, "wrong" if n % 2 else "right") for n, request in enumerate(requests)]
    assert [False, True] * 3 == [user is None for user in await asyncio.gather(*tasks)]
    assert [0, 1] * 3 == [(await policy.astatus(request)).failures for request in requests]


async def test_a_background_task_is_not_counted(policy):
    """A task that was started inside a block and outlives it."""
    over = asyncio.Event()

    async def later():
        await over.wait()
        return await aauthenticate(request, username="bob", password="wrong")

    async with policy.observe(request := post()):
        task = asyncio.create_task(later())
    over.set()
    assert await task is None
    assert 0 == (await policy.astatus(request)).failures


async def test_a_task_that_outlives_the_block_that_counts_for_it():
    """Breaks nothing; its own block has left the counting to that one."""
    request, over, entered = post("wrong"), asyncio.Event(), asyncio.Event()

    async def outlive():
        async with rule(failure=401).observe(request):
            entered.set()
            await over.wait()
            return await aauthenticate(request, username="bob", password="wrong")

    async with rule().observe(request):
        task = asyncio.create_task(outlive())
        await entered.wait()
    over.set()
    assert await task is None

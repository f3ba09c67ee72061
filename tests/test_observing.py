"""What is a guess: every way in which `authenticate()` may be called inside, and outside, of a block."""

import asyncio
import contextvars
import inspect
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import copy, deepcopy
from functools import partial

import pytest
from asgiref.sync import sync_to_async
from django.contrib import auth
from django.contrib.auth import aauthenticate, authenticate, get_user
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import LockedOut, LockoutPolicy
from lockout_decorators.attempts.guess import Guess
from lockout_decorators.attempts.guesses import Guesses
from lockout_decorators.attempts.hook import ObservedBackend
from lockout_decorators.attempts.watch import BLOCKS, asked_last, here
from lockout_decorators.signals import lockout_reset
from tests.backends import CountingBackend
from tests.sizes import IN_FULL

COUNTING = "tests.backends.CountingBackend"


class EmailBackend(BaseBackend):
    """Takes an e-mail address; asks the counting backend."""

    def authenticate(self, request, email=None, password=None):
        return email and CountingBackend().authenticate(request, email.partition("@")[0], password)


class ForbiddingBackend(BaseBackend):
    def authenticate(self, request, username=None, password=None):
        raise PermissionDenied


class BrokenBackend(BaseBackend):
    def authenticate(self, request, username=None, password=None):
        CountingBackend.verified.append((username, password))
        raise ConnectionError("the directory is away")


class TokenBackend(BaseBackend):
    """Takes a token and no user name."""

    def authenticate(self, request, token):
        CountingBackend.verified.append(("", token))
        return CountingBackend().get_user(1) if token == "sesame" else None


class StaticBackend(BaseBackend):
    """Needs no instance."""

    @staticmethod
    def authenticate(request, username=None, password=None):
        return CountingBackend().authenticate(request, username, password)


class OnlyAsyncBackend:
    """Has no sync door."""

    async def aauthenticate(self, request, username=None, password=None):
        return await sync_to_async(CountingBackend().authenticate)(request, username, password)

    authenticate = aauthenticate  # Django asks for its signature


def backend(cls):
    return f"tests.test_observing.{cls.__name__}"


@pytest.fixture
def request_(rf):
    return rf.post("/login/")


@pytest.fixture
def policy():
    return LockoutPolicy(scope="login", key="ip", max=3, patience=0)


def failures(policy, request):
    return policy.status(request).failures


def guess(policy, request, password, username="bob", **more):
    with policy.observe(request):
        return authenticate(request, username=username, password=password, **more)


def test_wrong_guesses_lock_and_the_right_one_is_refused(policy, request_, verified):
    """Three failures are verified; then nothing reaches a backend, not even the right password."""
    assert [guess(policy, request_, f"wrong{n}") for n in range(3)] == [None] * 3
    with pytest.raises(LockedOut) as caught:
        guess(policy, request_, "right")
    assert len(verified) == 3
    assert (caught.value.status.failures, caught.value.status.maximum, caught.value.status.locked) == (3, 3, True)


def test_a_call_without_a_request_is_observed(policy, request_, verified):
    """The context tells which block is open; the call needs no request."""
    for _ in range(3):
        with policy.observe(request_):
            authenticate(username="bob", password="wrong")
    with policy.observe(RequestFactory().get("/")), pytest.raises(LockedOut):
        authenticate(username="bob", password="right")
    assert len(verified) == 3


def test_a_module_that_bound_authenticate_before_is_observed():
    """`from django.contrib.auth import authenticate` before the import of this package makes no difference."""
    program = """
import django
from django.conf import settings
settings.configure(AUTHENTICATION_BACKENDS=["tests.backends.CountingBackend"], SECRET_KEY="x",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"])
django.setup()
from django.contrib.auth import authenticate
from django.http import HttpResponse
from django.test import RequestFactory
import lockout_decorators
policy = lockout_decorators.LockoutPolicy(scope="x", max=2)
for password in ("a", "b", "right"):
    try:
        with policy.observe(RequestFactory().post("/")):
            print(authenticate(username="bob", password=password))
    except lockout_decorators.LockedOut:
        print("refused")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "None", "refused"]


def test_outside_of_a_block_everything_is_as_without_the_package(request_, verified):
    """No block, no count; and what is handed out is copied and pickled as the backend that it stands for."""
    found = auth.load_backend(COUNTING)
    for other in (copy(found), deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert type(other) is CountingBackend
    assert [authenticate(request_, username="bob", password="wrong") for _ in range(9)] == [None] * 9
    assert len(verified) == 9


def test_an_observed_backend_is_the_backend(policy, request_):
    """A backend keeps its class, its attributes and the signature of `authenticate`."""
    with policy.observe(request_):
        (found,) = auth.get_backends()
        assert isinstance(found, CountingBackend)
        assert isinstance(found, ObservedBackend)
        assert found.get_user(1).username == "bob"
        assert not hasattr(found, "no_such_thing")
        request_.session = {}
        assert get_user(request_).is_anonymous


def test_a_signature_is_found_out_once():
    """It takes as long as all else that Django does with a backend; a request makes each backend anew."""
    first, second = (inspect.signature(ObservedBackend(CountingBackend(), "path").authenticate) for _ in range(2))
    assert first is second


def test_closed_blocks_are_forgotten(policy, request_):
    """With the secrets that they hold; what blocks around them have asked is not."""
    inner = LockoutPolicy(scope="inner", key="ip", max=5)
    with policy.observe(request_) as outer:
        with inner.observe(request_):
            authenticate(request_, username="bob", password="wrong")
        assert [outer] == [block for block, _ in asked_last.get()] == [*here()]
    assert [] == [*asked_last.get(), *here()]


def test_django_is_known_by_its_name_however_it_is_spelled(policy, request_):
    """A failure that Django tells of, and no backend was asked for, is none."""
    with policy.observe(request_):
        user_login_failed.send(sender=".".join(["django", "contrib", "auth"]), credentials={}, request=request_)
    assert 0 == failures(policy, request_)


def test_a_backend_without_a_door_says_so_itself(policy, request_, settings):
    """What a backend lacks is missing inside a block, too."""
    settings.AUTHENTICATION_BACKENDS = [backend(OnlyAsyncBackend)]
    with policy.observe(request_):
        assert not hasattr(auth.get_backends()[0], "get_user")


@pytest.mark.parametrize("password", ["", "right", "wrong"])
def test_anonymous_and_empty_calls_are_no_guess(policy, request_, password, verified):
    """A call whose values are all empty, or that no backend takes, verifies nothing and counts nothing."""
    with policy.observe(request_):
        authenticate(request_, username="", password=None)
        authenticate(request_, remote_user=None)
        authenticate(request_, unknown_credential=password)
    assert failures(policy, request_) == 0


def test_an_empty_password_is_a_guess(policy, request_):
    """Some directory might take it."""
    guess(policy, request_, "")
    assert failures(policy, request_) == 1


def test_several_backends_asked_by_one_call_are_one_guess(policy, request_, settings, verified):
    """The second backend verifies in the slot of the first."""
    settings.AUTHENTICATION_BACKENDS = [COUNTING, backend(BrokenBackend).replace("Broken", "Second")]
    assert guess(policy, request_, "wrong") is None
    assert len(verified) == 2
    assert failures(policy, request_) == 1


class SecondBackend(CountingBackend):
    """Another one that counts into the same list."""


def test_a_success_of_the_second_backend_frees_the_slot(policy, request_, settings):
    """None from the first backend is no verdict."""
    settings.AUTHENTICATION_BACKENDS = [backend(EmailBackend), COUNTING]
    assert guess(policy, request_, "right").username == "bob"
    assert failures(policy, request_) == 0


def test_permission_denied_is_a_failure(policy, request_, settings, verified):
    """The backends after it are not asked, and the guess counts."""
    settings.AUTHENTICATION_BACKENDS = [backend(ForbiddingBackend), COUNTING]
    assert guess(policy, request_, "right") is None
    assert verified == []
    assert failures(policy, request_) == 1


def test_an_exception_out_of_a_backend_is_no_verdict(policy, request_, settings, verified):
    """It comes out as it is. The slot stays taken, so that nobody guesses for free, and nobody waits for it; but a
    directory that is down locks nobody out."""
    settings.AUTHENTICATION_BACKENDS = [backend(BrokenBackend)]
    with policy.observe(request_), pytest.raises(ConnectionError):
        authenticate(request_, username="bob", password="right")
    for _ in range(2):
        with pytest.raises(ConnectionError):
            guess(policy, request_, "right")
    with pytest.raises(LockedOut) as caught:
        guess(policy, request_, "right")
    status = caught.value.status
    assert (3, 0, False, 300) == (len(verified), status.failures, status.locked, status.retry_after)


def test_an_exception_after_the_failure_takes_nothing_back(policy, request_):
    """The view may raise what it likes."""
    with pytest.raises(ZeroDivisionError), policy.observe(request_):
        authenticate(request_, username="bob", password="wrong")
        raise ZeroDivisionError
    assert failures(policy, request_) == 1


def test_post_data_is_hidden_in_error_reports(policy, request_):
    """From the moment that a block opens; a view that has said what to hide is left with that."""
    with policy.observe(request_):
        assert "__ALL__" == request_.sensitive_post_parameters
    request_.sensitive_post_parameters = ("password",)
    with policy.observe(request_):
        assert ("password",) == request_.sensitive_post_parameters


def test_a_token_without_a_user_name_is_a_guess(policy, request_, settings, verified):
    """All its values are secrets; a success frees only its own slot."""
    settings.AUTHENTICATION_BACKENDS = [backend(TokenBackend)]
    for token in ("open", "sesame"):
        with policy.observe(request_):
            authenticate(request_, token=token)
    assert len(verified) == 2
    assert failures(policy, request_) == 1


def by_name_then_email(request, name, password):
    return authenticate(request, username=f"no-{name}", password=password) or authenticate(
        request, email=f"{name}@example.org", password=password
    )


def test_user_name_else_email_is_one_guess(policy, request_, settings, verified):
    """Two calls with the same secrets take one slot; a success in the second makes the guess good."""
    settings.AUTHENTICATION_BACKENDS = [COUNTING, backend(EmailBackend)]
    with policy.observe(request_):
        by_name_then_email(request_, "bob", "wrong")
    assert len(verified) == 2
    assert failures(policy, request_) == 1
    with policy.observe(request_):
        assert by_name_then_email(request_, "bob", "right").username == "bob"
    assert failures(policy, request_) == 1


@pytest.mark.parametrize(("order", "expected"), [(1, 1), (-1, 2)])  # after eve has signed in, bob is a further guess
def test_a_success_forgives_no_other_account_of_the_same_guess(order, expected, request_, settings):
    """A guess at two accounts is not forgiven by signing in to one of them, whichever was tried first."""
    settings.AUTHENTICATION_BACKENDS = [COUNTING, backend(EmailBackend)]
    policy = LockoutPolicy(scope="two", key="ip", max=5, patience=0)
    for password in ("wrong", "eves"):  # eve's mail address is what the attacker made of bob's name
        with policy.observe(request_):
            for account in [{"username": "bob"}, {"email": "eve@example.org"}][::order]:
                authenticate(request_, **account, password=password)
    assert failures(policy, request_) == expected


def test_calls_with_the_same_secrets_are_limited(request_, verified):
    """With `calls=1` each call is a guess: one password on many accounts does not pass as one."""
    policy = LockoutPolicy(scope="graphql", key="ip", max=3, calls=1, patience=0)
    with policy.observe(request_):
        for name in "abc":
            authenticate(request_, username=name, password="hunter2")
        with pytest.raises(LockedOut):
            authenticate(request_, username="bob", password="right")
    assert len(verified) == 3


def test_the_same_call_again_is_a_further_call(request_, verified):
    """A backend that is asked again with the same values counts against `calls`."""
    policy = LockoutPolicy(scope="again", key="ip", max=2, calls=2, patience=0)
    with policy.observe(request_):
        for _ in range(4):
            authenticate(request_, username="bob", password="wrong")
        with pytest.raises(LockedOut):
            authenticate(request_, username="bob", password="wrong")
    assert len(verified) == 4


def test_whose_call_it_is():
    """Backends that are asked one after the other are one call; the same backend or another account begins the next."""
    bob, eve, guess = "bob", "eve", Guess([])
    asked = [(bob, "A"), (bob, "B"), (bob, "C"), (eve, "A"), (eve, "A"), (bob, "D"), (eve, "B"), (eve, "B")]
    taken = [guess.takes(b"secrets", ("username", name), backend, 2) for name, backend in asked]
    assert taken == [True, True, True, True, False, False, True, False]


def test_the_status_is_of_the_key_and_not_of_its_ceiling(request_):
    """What a client may still do is told by the counter that is its own; so is that it was forgotten."""
    policy, told = LockoutPolicy(scope="login", key="ip+ua", max=3, ceiling=9), []
    guess(policy, request_, "wrong")
    assert (policy.status(request_).failures, policy.status(request_).maximum) == (1, 3)

    def listen(detail, **kwargs):
        told.append((detail.ceiling, detail.status.maximum))

    lockout_reset.connect(listen, sender=policy)
    policy.reset(request_)
    assert told == [(False, 3)]


def test_other_secrets_are_further_guesses(policy, request_, verified):
    """A list of passwords in one request: each takes a slot; past the last, and ever after, the block refuses."""
    with policy.observe(request_):
        for n in range(3):
            assert authenticate(request_, username="bob", password=f"wrong{n}") is None
        for _ in range(2):
            with pytest.raises(LockedOut):
                authenticate(request_, username="bob", password="right")
    assert len(verified) == 3
    assert policy.status(request_).locked


def test_a_success_settles_at_once(policy, request_):
    """The slot is for the verification, not for the rest of the view."""
    with policy.observe(request_):
        authenticate(request_, username="bob", password="right")
        for _ in range(5):
            assert authenticate(request_, username="eve", password="eves")
        assert failures(policy, request_) == 0


def test_a_failure_signalled_twice_is_counted_once(policy, request_):
    """The first verdict on a guess stands."""
    with policy.observe(request_):
        authenticate(request_, username="bob", password="wrong")
        user_login_failed.send("elsewhere", credentials={"username": "bob"}, request=request_)
    assert failures(policy, request_) == 1


def test_a_failure_signalled_after_a_success_is_one_of_its_own(policy, request_):
    """As a wrong second factor in the same form: it is counted once, and that right password does not forgive it."""
    for failed in (1, 2):
        with policy.observe(request_):
            authenticate(request_, username="bob", password="right")
            for _ in range(2):
                user_login_failed.send("elsewhere", credentials={"username": "bob"}, request=request_)
        assert failures(policy, request_) == failed


def test_a_failure_from_a_thread_without_the_context_is_counted_afterwards(policy, request_, verified):
    """A pool of threads knows nothing of the block; the signal's request does."""

    def check(password):
        return contextvars.Context().run(authenticate, request_, username="bob", password=password)

    for _ in range(3):
        with policy.observe(request_), ThreadPoolExecutor(1) as pool:
            pool.submit(check, "wrong").result()
    assert len(verified) == 3
    assert policy.status(request_).locked


def test_a_failure_of_code_that_signals_by_itself_is_counted(policy, request_):
    """A view that checks passwords by other means and sends Django's signal."""
    with policy.observe(request_):
        user_login_failed.send("elsewhere", credentials={"username": "bob"}, request=None)
    assert failures(policy, request_) == 1


def test_a_failure_that_is_signalled_is_counted_for_its_user_name(request_):
    """What the signal names is the account that was tried."""
    policy = LockoutPolicy(scope="login", key="username", max=3)
    with policy.observe(request_):
        user_login_failed.send(sender="an API", credentials={"username": "bob"}, request=request_)
    assert policy.status(request_, username="bob").failures == 1


def test_a_block_knows_what_it_refused(policy, request_):
    """Whoever caught the refusal inside can still find it."""
    with policy.observe(request_) as block:
        for n in range(3):
            authenticate(request_, username="bob", password=f"wrong{n}")
        with pytest.raises(LockedOut) as caught:
            authenticate(request_, username="bob", password="right")
    assert block.refused is caught.value


def test_signals_with_odd_requests_disturb_nothing(policy, request_):
    """A request that is none has no blocks."""
    user_login_failed.send("elsewhere", credentials={}, request=object())
    with policy.observe(request_):
        user_login_failed.send("elsewhere", credentials={"username": None})
    assert failures(policy, request_) == 1


def test_work_that_outlives_the_request_is_not_counted(policy, request_, verified):
    """A thread that was started inside a block and goes on after it is none of the block's business."""
    go = threading.Event()
    with policy.observe(request_):
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
    assert len(verified) == 2
    assert failures(policy, request_) == 0


async def test_a_task_is_watched_by_its_own_block(policy, request_):
    """A neighbour of the same request that leaves meanwhile settles nothing of it."""
    CountingBackend.delay = 0.1

    async def resolve():
        async with policy.observe(request_):
            opened.set()
            await neighbour.wait()
            return await aauthenticate(request_, username="bob", password="right")

    opened, neighbour = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(resolve())
    await opened.wait()
    async with policy.observe(request_):
        neighbour.set()
        await asyncio.sleep(0.05)
    assert (await task).username == "bob"
    assert 0 == (await policy.astatus(request_)).failures


async def test_parallel_tasks_of_one_request_are_watched_each(policy, request_, verified):
    """As resolvers of one GraphQL request: blocks that are open at the same time see their own guesses, once."""

    async def resolve(number):
        async with copy(policy).observe(request_):  # equal will do
            await asyncio.sleep(0.01)
            return await aauthenticate(request_, username="bob", password=f"wrong{number}")

    found = await asyncio.gather(*map(resolve, range(policy.max - 1)))
    assert ([None] * len(found), len(found)) == (found, len(verified))
    assert policy.max - 1 == (await policy.astatus(request_)).failures
    answers = await asyncio.gather(*map(resolve, range(10, 20)), return_exceptions=True)
    assert (1, policy.max) == (answers.count(None), len(verified))
    assert 9 == sum(isinstance(answer, LockedOut) for answer in answers)


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


def test_a_guess_is_settled_once(policy, request_, verified, monkeypatch, caplog):
    """Who comes second, as a thread may, finds nothing to do, and tells nothing."""
    once = Guesses.settle
    monkeypatch.setattr(Guesses, "settle", lambda *args: (once(*args), once(*args)))
    with caplog.at_level("INFO"):
        guess(policy, request_, "wrong")
    assert (1, 1, 1) == (policy.status(request_).failures, len(verified), len(caplog.records))


@pytest.mark.parametrize("round_", range(20 if IN_FULL else 4))
def test_threads_of_one_request_are_watched_each(policy, request_, verified, busy, round_):
    """Eight threads that share a request, each with a block of its own."""
    guess_at_once(partial(guess, policy, request_))
    assert 3 == len(verified)
    assert policy.status(request_).locked
    assert [] == vars(request_)[BLOCKS]


@pytest.mark.parametrize("round_", range(50 if IN_FULL else 5))
def test_threads_of_one_block_are_watched_together(request_, verified, busy, round_):
    """Eight threads that were given a copy of the context share its block; each guess takes a slot of its own."""
    policy = LockoutPolicy(scope="together", key="ip", max=5, patience=0)
    with policy.observe(request_):
        blocks = contextvars.copy_context()
        guess_at_once(lambda password: blocks.copy().run(authenticate, username="bob", password=password))
    assert 5 == len(verified)
    assert policy.status(request_).locked


@pytest.mark.parametrize("round_", range(50 if IN_FULL else 5))
def test_threads_of_one_block_share_the_calls_of_a_guess(request_, verified, busy, round_):
    """The same password at many accounts, in threads: no guess has more than `calls` of them."""
    policy = LockoutPolicy(scope="calls", key="ip", max=2, calls=2, patience=0)
    with policy.observe(request_):
        blocks = contextvars.copy_context()
        guess_at_once(lambda name: blocks.copy().run(authenticate, username=name, password="wrong"))
    assert policy.max <= len(verified) <= policy.max * policy.calls


def test_one_thread_at_a_time_asks_whose_a_guess_is(request_):
    """Or several might take its last call."""
    guesses, inside, seen = Guesses(request_), set(), []
    guesses.made.append(Guess([]))

    def take(guess):
        inside.add(threading.get_ident())
        time.sleep(0.01)
        seen.append(len(inside))
        inside.discard(threading.get_ident())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: guesses.joined(take), range(4)))
    assert [1] * 4 == seen


def test_no_thread_forgets_the_block_of_another(policy, request_):
    """All that are open at the same time are known by their request."""
    together = threading.Barrier(4)

    def enter(_):
        with policy.observe(request_):
            together.wait()
            found = len(vars(request_)[BLOCKS])
            together.wait()
            return found

    with ThreadPoolExecutor(4) as pool:
        assert [4] * 4 == list(pool.map(enter, range(4)))
    assert [] == vars(request_)[BLOCKS]


def test_two_policies_count_each_guess_each(request_, verified):
    """Stacked blocks: the stricter one refuses, and the other gets its slot back, for the guess was never made."""
    strict = LockoutPolicy(scope="strict", key="ip", max=1, patience=0)
    loose = LockoutPolicy(scope="loose", key="ip", max=5, patience=0)
    get = RequestFactory().get("/")
    for _ in range(3):
        with loose.observe(get), strict.observe(get), suppress(LockedOut):
            authenticate(get, username="bob", password="wrong")
    assert len(verified) == 1
    assert (failures(loose, get), failures(strict, get)) == (1, 1)


def test_an_outer_block_watches_on_after_an_inner_one(policy, request_, verified):
    """Each block that is left takes back only itself."""
    with policy.observe(request_):
        with LockoutPolicy(scope="inner", key="ip").observe(request_):
            pass
        for n in range(3):
            authenticate(request_, username="bob", password=f"wrong{n}")
        with pytest.raises(LockedOut):
            authenticate(request_, username="bob", password="right")
    assert len(verified) == 3


def test_a_block_inside_of_its_like_watches_nothing(policy, request_):
    """What the outer one sees already costs no second look; an equal policy is the same."""
    other, like = LockoutPolicy(scope="inner"), LockoutPolicy(scope="login", key="ip", max=3, patience=0)
    with policy.observe(request_) as outer, other.observe(request_) as between, like.observe(request_) as inner:
        assert [outer.open, between.open, inner.open] == [True, True, False]


def test_a_failure_from_elsewhere_is_counted_once_under_equal_policies(policy, request_):
    """Blocks of two threads that share a request both hear of it."""

    def elsewhere():
        with LockoutPolicy(scope="login", key="ip", max=3, patience=0).observe(request_):
            contextvars.Context().run(fail)

    def fail():
        user_login_failed.send(sender="an API", credentials={"username": "bob"}, request=request_)

    with policy.observe(request_):
        contextvars.Context().run(elsewhere)
    assert failures(policy, request_) == 1


async def test_a_failure_is_known_before_the_next_guess(request_, verified):
    """A further guess of the same block finds the lock, not a slot that is still being verified."""
    policy = LockoutPolicy(scope="login", key="ip", max=1, patience=0)
    async with policy.observe(request_):
        await aauthenticate(request_, username="bob", password="wrong")
        with pytest.raises(LockedOut) as caught:
            await aauthenticate(request_, username="bob", password="right")
    assert caught.value.status.locked
    assert len(verified) == 1


def test_a_backend_may_have_a_static_method(policy, request_, settings, verified):
    """Whatever can be called with a request and credentials is a door."""
    settings.AUTHENTICATION_BACKENDS = [backend(StaticBackend)]
    with policy.observe(request_):
        for n in range(3):
            authenticate(request_, username="bob", password=f"wrong{n}")
        with pytest.raises(LockedOut):
            authenticate(request_, username="bob", password="right")
    assert len(verified) == 3


def test_a_refused_second_call_takes_no_earlier_one_back(request_, verified):
    """One policy takes a second call as the same guess, the other refuses it: the first call stays a failure."""
    strict = LockoutPolicy(scope="strict", key="ip", max=1, calls=1, patience=0)
    loose = LockoutPolicy(scope="loose", key="ip", max=5, calls=2, patience=0)
    get = RequestFactory().get("/")
    with loose.observe(get), strict.observe(get):
        authenticate(get, username="bob", password="wrong")
        with pytest.raises(LockedOut):
            authenticate(get, username="eve", password="wrong")
    assert len(verified) == 1
    assert failures(loose, get) == 1


def test_a_refused_second_call_takes_no_unknown_verdict_back(request_, verified, settings):
    """Nor one whose backend broke down over it: its slot stays taken."""
    settings.AUTHENTICATION_BACKENDS = [backend(BrokenBackend)]
    strict = LockoutPolicy(scope="strict", key="ip", max=1, calls=1, patience=0)
    loose = LockoutPolicy(scope="loose", key="ip", max=1, calls=2, patience=0)
    with loose.observe(request_), strict.observe(request_):
        with pytest.raises(ConnectionError):
            authenticate(request_, username="bob", password="wrong")
        with pytest.raises(LockedOut):
            authenticate(request_, username="bob", password="wrong")
    assert 1 == len(verified)
    with pytest.raises(LockedOut):
        guess(loose, request_, "right")


class TestAsync:
    """The same by `aauthenticate()`, `async with` and tasks."""

    async def test_a_block_that_does_not_open_watches_nothing(self, policy, request_, verified, settings):
        """Switched off, it is as if it were not there."""
        settings.LOCKOUT_ENABLED = False
        for n in range(policy.max + 1):
            async with policy.observe(request_):
                assert await aauthenticate(request_, username="bob", password=f"wrong{n}") is None
        assert policy.max + 1 == len(verified)

    async def test_wrong_guesses_lock(self, policy, request_, verified):
        """Three failures are verified, and the right password is refused."""
        for n in range(3):
            async with policy.observe(request_):
                assert await aauthenticate(request_, username="bob", password=f"wrong{n}") is None
        with pytest.raises(LockedOut):
            await policy.observe(request_).__aenter__()
        assert len(verified) == 3
        assert (await policy.astatus(request_)).locked

    async def test_a_success_frees_its_slot(self, policy, request_):
        """And forgives the failures of the same account."""
        for password in ("wrong", "right"):
            async with policy.observe(request_):
                await aauthenticate(request_, username="bob", password=password)
        assert (await policy.astatus(request_)).failures == 0

    async def test_sync_authenticate_in_a_thread_of_an_async_block(self, policy, request_):
        """The context travels into `sync_to_async`."""
        async with policy.observe(request_):
            await sync_to_async(authenticate)(request_, username="bob", password="wrong")
        assert (await policy.astatus(request_)).failures == 1

    async def test_a_backend_that_is_only_async(self, policy, request_, settings):
        """Its door is observed as well."""
        settings.AUTHENTICATION_BACKENDS = [backend(OnlyAsyncBackend)]
        async with policy.observe(request_):
            assert await aauthenticate(request_, username="bob", password="wrong") is None
        assert (await policy.astatus(request_)).failures == 1

    async def test_parallel_guesses_in_one_request(self, policy, request_, verified):
        """A hundred aliases at once: three are verified, nobody waits for slots of its own block."""
        patient = LockoutPolicy(scope="login", key="ip", max=3, patience=60)
        async with patient.observe(request_):
            calls = [aauthenticate(request_, username="bob", password=f"wrong{n}") for n in range(100)]
            async with asyncio.timeout(20):
                ends = await asyncio.gather(*calls, return_exceptions=True)
        assert len(verified) == 3
        assert [type(end) for end in ends].count(type(None)) == 3
        assert sum(isinstance(end, LockedOut) for end in ends) == 97
        assert (await policy.astatus(request_)).locked

    async def test_a_cancelled_task_is_a_failure(self, policy, request_):
        """Whoever hangs up has guessed."""
        CountingBackend.delay = 0.2
        started = asyncio.Event()

        async def view():
            async with policy.observe(request_):
                started.set()
                await aauthenticate(request_, username="bob", password="right")

        task = asyncio.create_task(view())
        await started.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await policy.astatus(request_)).failures == 1

    async def test_two_requests_interleaved_in_one_loop(self, request_, rf):
        """Each task counts for its own client."""
        policy = LockoutPolicy(scope="loop", key="ip", max=3)
        CountingBackend.delay = 0.02

        async def view(address, password):
            request = rf.post("/", REMOTE_ADDR=address)
            async with policy.observe(request):
                return await aauthenticate(request, username="bob", password=password)

        tasks = [view(f"192.0.2.{n}", "wrong" if n % 2 else "right") for n in range(6)]
        users = await asyncio.gather(*tasks)
        assert [user is None for user in users] == [False, True] * 3
        for n in range(6):
            status = await policy.astatus(rf.post("/", REMOTE_ADDR=f"192.0.2.{n}"))
            assert status.failures == n % 2

    async def test_a_background_task_is_not_counted(self, policy, request_):
        """A task that was started inside a block and outlives it."""

        async def later():
            await asyncio.sleep(0.05)
            return await aauthenticate(request_, username="bob", password="wrong")

        async with policy.observe(request_):
            task = asyncio.create_task(later())
        assert await task is None
        assert (await policy.astatus(request_)).failures == 0


class TestAttempt:
    """`policy.attempt()`: secrets that are checked by other means."""

    @pytest.fixture(params=["sync", "async"])
    def attempt(self, request, policy, request_):
        """Runs `what(block)` inside an attempt, by `with` or `async with`."""

        def run(what, username=None):
            if request.param == "sync":
                with policy.attempt(request_, username) as block:
                    return what(block)

            async def main():
                async with policy.attempt(request_, username) as block:
                    return what(block)

            return asyncio.run(main())

        return run

    @pytest.mark.parametrize("what", [lambda block: block.fail(), lambda block: None], ids=["wrong", "forgotten"])
    def test_a_wrong_or_forgotten_verdict_is_a_failure(self, attempt, what, policy, request_):
        """Forgetting a line never gives free guesses."""
        for _ in range(3):
            attempt(what)
        with pytest.raises(LockedOut):
            attempt(lambda block: block.succeed())
        assert policy.status(request_).locked

    def test_an_exception_is_a_failure(self, attempt, policy, request_):
        """Whatever it was about."""
        with pytest.raises(ZeroDivisionError):
            attempt(lambda block: 1 / 0)
        assert failures(policy, request_) == 1

    def test_success_forgives_the_same_username(self, attempt, policy, request_):
        """And nobody else's failures."""
        attempt(lambda block: block.fail(), "bob")
        attempt(lambda block: block.fail(), "eve")
        attempt(lambda block: block.succeed(), "bob")
        assert failures(policy, request_) == 1

    def test_cancel_gives_the_slot_back(self, attempt, policy, request_):
        """Nothing was checked: nothing is counted, nothing forgiven."""
        attempt(lambda block: block.fail(), "bob")
        for _ in range(5):
            attempt(lambda block: block.cancel(), "bob")
        assert failures(policy, request_) == 1

    @pytest.mark.parametrize(
        ("first", "then", "count"), [("fail", "succeed", 1), ("succeed", "fail", 0), ("fail", "cancel", 1)]
    )
    def test_the_first_verdict_stands(self, attempt, first, then, count, policy, request_):
        """A second word changes nothing."""
        attempt(lambda block: (getattr(block, first)(), getattr(block, then)()))
        assert failures(policy, request_) == count

    def test_the_first_authenticate_uses_the_slot_that_is_held(self, policy, request_, verified):
        """One guess, not two; but that was right only if the view's own code says so."""
        with policy.attempt(request_, "bob"):
            authenticate(request_, username="bob", password="wrong")
        assert failures(policy, request_) == 1
        with policy.attempt(request_, "bob"):
            authenticate(request_, username="bob", password="right")
        assert failures(policy, request_) == 2
        with policy.attempt(request_, "bob") as block:
            authenticate(request_, username="bob", password="right")
            block.succeed()
        assert failures(policy, request_) == 0
        with policy.attempt(request_, "bob"):
            authenticate(request_, username="bob", password="wrong")
            authenticate(request_, username="bob", password="wronger")
        assert failures(policy, request_) == 2

    def test_another_policy_that_refuses_gives_no_slot_back(self, policy, request_):
        """The view's own code may have used it before."""
        strict = LockoutPolicy(scope="strict", key="ip", max=1, patience=0)
        with strict.attempt(request_):
            pass
        with pytest.raises(LockedOut), policy.attempt(request_):
            strict.attempt(request_).__enter__()
        assert failures(policy, request_) == 1

    def test_words_outside_of_an_attempt_do_nothing(self, policy, request_):
        """An observing block holds no slot to speak about."""
        with policy.observe(request_) as block:
            block.succeed()
            block.fail()
            block.cancel()
        assert failures(policy, request_) == 0


def test_the_second_factor_is_not_forgiven_by_the_first(request_):
    """Right password, wrong code, again and again: the code's own policy locks."""
    password, code = LockoutPolicy(scope="password", max=3), LockoutPolicy(scope="code", max=3)
    for _ in range(3):
        assert guess(password, request_, "right")
        with code.attempt(request_, "bob") as attempt:
            attempt.fail()
    with pytest.raises(LockedOut) as caught:
        code.attempt(request_, "bob").__enter__()
    assert caught.value.status.scope == "code"
    assert failures(password, request_) == 0


def test_success_between_guesses_gains_an_attacker_nothing(policy, request_, verified):
    """Signing in to an account of one's own frees the slots of no other account."""
    for n in range(3):
        guess(policy, request_, f"wrong{n}")
        if n < 2:
            assert guess(policy, request_, "eves", "eve")
    with pytest.raises(LockedOut):
        guess(policy, request_, "right")
    assert [name for name, _ in verified].count("bob") == 3


def test_the_django_model_backend_is_observed(policy, request_, settings, db):
    """A real user, a real hasher, and a user who is not active: only the verdict of authenticate() counts."""
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    auth.get_user_model().objects.create_user("ann", password="secret")
    auth.get_user_model().objects.create_user("old", password="secret", is_active=False)
    assert guess(policy, request_, "secret", "ann").username == "ann"
    assert isinstance(auth.get_backends()[0], ModelBackend)
    assert guess(policy, request_, "secret", "old") is None
    assert guess(policy, request_, "wrong", "ann") is None
    assert failures(policy, request_) == 2


class TestTheSamePolicyTwice:
    """A class and its URL, or a decorator and a block inside the view: equal policies count a guess once."""

    def test_nested_blocks_count_once(self, policy, request_):
        """Guesses, forgotten words and signals alike."""
        with policy.observe(request_), policy.observe(request_):
            authenticate(request_, username="bob", password="wrong")
            user_login_failed.send("elsewhere", credentials={"username": "bob"}, request=request_)
        assert failures(policy, request_) == 1

    def test_an_attempt_inside_holds_the_slot(self, policy, request_):
        """What is authenticated inside of it is its guess alone."""
        with policy.observe(request_), policy.attempt(request_, "bob"):
            authenticate(request_, username="bob", password="wrong")
        assert failures(policy, request_) == 1

    def test_a_failure_without_the_context_is_counted_once(self, policy, request_):
        """By the inner block."""
        with policy.observe(request_), policy.observe(request_), ThreadPoolExecutor(1) as pool:
            context = contextvars.Context()
            pool.submit(context.run, authenticate, request_, username="bob", password="wrong").result()
        assert failures(policy, request_) == 1

    def test_a_response_is_no_verdict_after_an_attempt(self, request_):
        """The 401 that says what the attempt inside has said."""
        policy = LockoutPolicy(scope="api", max=3, failure=401, credentials=lambda request: True)
        with policy.observe(request_) as block:
            with policy.attempt(request_):
                pass
            block.response = HttpResponse(status=401)
        assert failures(policy, request_) == 1

    def test_another_request_is_another_matter(self, policy, request_, rf):
        """A request that is made inside a view has its own block."""
        with policy.observe(request_), policy.observe(other := rf.post("/", REMOTE_ADDR="192.0.2.1")):
            authenticate(other, username="bob", password="wrong")
        assert failures(policy, other) == 1


@pytest.mark.parametrize("key", ["ip", "ip+username", "username", lambda request, identity: f"shop {identity}"])
def test_a_verdict_in_the_response_is_refused_early_by_any_key(key, request_):
    """Nobody knows a user name there: the address takes its place, and a callable is given None."""
    policy = LockoutPolicy(scope="api", key=key, max=2, failure=lambda request, response: response.status_code == 401)
    for _ in range(2):
        with policy.observe(request_) as block:
            block.response = HttpResponse(status=401)
    with pytest.raises(LockedOut):
        policy.observe(request_).__enter__()


async def test_a_settlement_survives_a_second_cancellation(policy, request_):
    """A client that hangs up while its failure is being marked has guessed all the same."""
    marking = asyncio.Event()

    async def view():
        async with policy.observe(request_):
            await aauthenticate(request_, username="bob", password="wrong")
            marking.set()

    task = asyncio.create_task(view())
    await marking.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.2)
    assert (await policy.astatus(request_)).failures == 1


async def test_a_verification_that_outlives_its_block_was_a_failure(policy, request_):
    """A task that was left behind in the middle of a guess: its late success settles nothing twice."""
    CountingBackend.delay = 0.2
    async with policy.observe(request_):
        task = asyncio.create_task(aauthenticate(request_, username="bob", password="right"))
        await asyncio.sleep(0.1)
    assert (await task).username == "bob"
    assert (await policy.astatus(request_)).failures == 1


def test_a_late_verdict_in_the_response_finds_the_lock(request_):
    """What was in flight when the lock fell is counted no more; if a crash left the lock out, it is written then."""
    policy = LockoutPolicy(scope="api", max=1, failure=lambda request, response: True)
    with policy.observe(request_) as late:
        with policy.attempt(RequestFactory().post("/")):
            pass
        late.response = HttpResponse(status=401)
    assert policy.status(request_).failures == 1

"""What is watched beside the plain call of a plain view: groups of tasks, streams, generators, odd blocks."""

import asyncio
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate, get_backends
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from rest_framework.authentication import TokenAuthentication

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.clients.credentials import account_in
from lockout_decorators.contrib.drf import LockoutAuthentication
from tests.backends import CountingBackend

MAX = 3


def policy(**arguments):
    return LockoutPolicy(**{"scope": "on", "key": "ip", "max": MAX, "patience": 0, **arguments})


def attack(guess):
    """Twenty wrong passwords, and then the right one."""
    return [guess(f"wrong{n}") for n in range(20)] + [guess("right")]


def post(password, **fields):
    return RequestFactory().post("/", {"password": password, **fields})


@lockout_protect(policy(scope="group", methods=()))
def raises_a_group(request):
    try:
        authenticate(request, username="bob", password=request.POST["password"])
    except LockedOut as locked_out:
        raise ExceptionGroup("tasks", [ValueError(), ExceptionGroup("more", [locked_out])]) from None
    return HttpResponse(status=401)


@lockout_protect(policy(scope="tasks", methods=()))
async def in_tasks(request):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(aauthenticate(request, username="bob", password=request.POST["password"]))
    return HttpResponse(status=401)


@pytest.mark.parametrize("view", [raises_a_group, async_to_sync(in_tasks)], ids=["sync", "async"])
def test_a_refusal_among_what_tasks_raise_is_answered(view, verified):
    assert [401] * MAX + [429] * 18 == attack(lambda password: view(post(password)).status_code)
    assert MAX == len(verified)


async def guesses_itself(request, locked_out):
    """An answer that is never sent."""
    await aauthenticate(request, username="bob", password="another")


@lockout_protect(policy(scope="answers", methods=(), response=guesses_itself))
async def is_answered_by_a_guess(request):
    await aauthenticate(request, username="bob", password=request.POST["password"])
    return HttpResponse(status=401)


@lockout_protect(policy(scope="caught", methods=()))
async def is_caught(request):
    """As an asynchronous REST framework does."""
    response = HttpResponse(status=401)
    try:
        await aauthenticate(request, username="bob", password=request.POST["password"])
    except LockedOut as locked_out:
        response.status_code, response.exception = locked_out.status_code, True
    return response


@pytest.mark.parametrize("view", [is_answered_by_a_guess, is_caught])
def test_a_refusal_of_an_asynchronous_view_is_answered(view, verified):
    """Though the answer guesses, or a framework has made an answer of it."""
    assert [401] * MAX + [429] * 18 == attack(lambda password: async_to_sync(view)(post(password)).status_code)
    assert MAX == len(verified)


async def test_a_task_that_outlives_the_block_that_counts_for_it():
    """Breaks nothing; its own block has left the counting to that one."""
    request, over = post("wrong"), asyncio.Event()

    async def outlive():
        async with policy(failure=401).observe(request):
            await over.wait()
            return await aauthenticate(request, username="bob", password="wrong")

    async with policy().observe(request):
        task = asyncio.create_task(outlive())
        await asyncio.sleep(0.01)
    over.set()
    assert await task is None


def test_other_groups_go_on_their_way():
    """Of a view, synchronous or not."""

    @lockout_protect(policy())
    def view(request):
        raise ExceptionGroup("tasks", [ValueError()])

    @lockout_protect(policy())
    async def aview(request):
        raise ExceptionGroup("tasks", [ValueError()])

    for door in (view, async_to_sync(aview)):
        with pytest.raises(ExceptionGroup):
            door(post("wrong"))


def chunks(request, error=None):
    yield b"checking"
    user = authenticate(request, username="bob", password=request.POST["password"])
    if error:
        raise error
    yield b"welcome" if user else b"wrong"


async def achunks(request, error=None):
    yield b"checking"
    user = await aauthenticate(request, username="bob", password=request.POST["password"])
    if error:
        raise error
    yield b"welcome" if user else b"wrong"


def body(response):
    """Of a stream, synchronous or not."""

    async def gather():
        return b"".join([chunk async for chunk in response])

    return async_to_sync(gather)() if response.is_async else b"".join(response)


@pytest.mark.parametrize("make", [chunks, achunks])
def test_a_stream_ends_where_a_guess_is_refused(make, verified, caplog):
    """Its head is sent; the log says why nothing follows."""
    view = lockout_protect(policy(methods=()))(lambda request: StreamingHttpResponse(make(request)))
    assert [b"checkingwrong"] * MAX + [b"checking"] * 18 == attack(lambda password: body(view(post(password))))
    assert MAX == len(verified)
    assert "a streaming response ends" in caplog.text


@pytest.mark.parametrize("make", [chunks, achunks])
@pytest.mark.parametrize("error", [ValueError(), ExceptionGroup("tasks", [ValueError()])], ids=["error", "group"])
def test_what_else_a_stream_raises_goes_on_its_way(make, error, verified):
    view = lockout_protect(policy(methods=()))(lambda request: StreamingHttpResponse(make(request, error)))
    with pytest.raises(type(error)):
        body(view(post("wrong")))
    assert 1 == policy().status(post("")).failures


@pytest.mark.parametrize("make", [chunks, achunks])
def test_a_generator_of_what_is_no_view_raises_the_refusal(make, verified):
    """As of a subscription."""

    @lockout_protect(policy(), request=lambda request: request)
    def subscribe(request):
        return make(request)

    async def gather(steps):
        return [chunk async for chunk in steps]

    def guess(password):
        try:
            steps = subscribe(post(password))
            return len(list(steps) if make is chunks else async_to_sync(gather)(steps))
        except LockedOut:
            return "refused"

    assert [2] * MAX + ["refused"] * 18 == attack(guess)
    assert MAX == len(verified)


def test_a_generator_is_told_what_is_sent_into_it(verified):
    """A guess with that is watched; what it returns is returned."""

    @lockout_protect(policy(), request=lambda request: request)
    def converse(request):
        return talk(request)

    def talk(request):
        password = yield "password?"
        user = authenticate(request, username="bob", password=password)
        return "welcome" if user else "wrong"

    def guess(password):
        try:
            steps = converse(post(""))
            assert "password?" == next(steps)
            steps.send(password)
        except StopIteration as end:
            return end.value
        except LockedOut:
            return "refused"

    assert ["wrong"] * MAX + ["refused"] * 18 == attack(guess)
    assert MAX == len(verified)


async def test_an_asynchronous_generator_is_told_what_is_sent_into_it(verified):
    @lockout_protect(policy(), request=lambda request: request)
    def converse(request):
        return talk(request)

    async def talk(request):
        password = yield "password?"
        yield await aauthenticate(request, username="bob", password=password)

    steps = converse(post(""))
    assert "password?" == await anext(steps)
    assert "bob" == (await steps.asend("right")).username
    assert [("bob", "right")] == verified
    await steps.aclose()


def test_a_block_is_entered_once_at_a_time():
    block = policy().observe(post(""))
    with block, pytest.raises(RuntimeError, match="once at a time"):
        block.__enter__()
    with block:
        assert block.open


def test_a_backend_may_be_patched():
    """The proxy hands on what is set."""
    (backend,) = get_backends()
    backend.note = "kept"
    assert "kept" == backend.__wrapped__.note
    with mock.patch.object(backend, "authenticate", return_value="patched"):
        assert "patched" == backend.authenticate(None)
    assert backend.authenticate(None, "bob", "wrong") is None


class Tenants(BaseBackend):
    def authenticate(self, request, username=None, password=None, tenant=None):
        CountingBackend.verified.append((username, password))
        return User(pk=1, username=username) if password == f"of {tenant}" else None


@pytest.mark.parametrize(("account", "left"), [(None, 2), ((), 0), (("tenant",), 1)])
def test_account_says_which_credentials_name_it(account, left, settings):
    """A right password of one tenant forgives there, everywhere, or nowhere."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Tenants"]
    rule = policy(account=account, max=9)
    for tenant, password in [("acme", "wrong"), ("mine", "wrong"), ("mine", "of mine")]:
        with rule.observe(request := post("")):
            authenticate(request, username="admin", password=password, tenant=tenant)
    assert left == rule.status(post("")).failures


def test_what_is_no_request_is_named():
    with pytest.raises(TypeError, match="request is None"):
        policy().status(None)


def test_a_computed_name_is_computed_for_status_too():
    """And for reset."""
    rule = policy(
        key="username", ceiling=None, username=lambda request, credentials: credentials["username"].partition("@")[0]
    )
    with rule.observe(request := post("")):
        authenticate(request, username="bob@example.org", password="wrong")
        assert 1 == rule.status(request, "bob@elsewhere").failures
    rule.reset(request, "bob@x")
    assert 0 == rule.status(request, "bob@example.org").failures


def test_a_response_verdict_needs_methods():
    with pytest.raises(ValueError, match="refuse nobody"):
        policy(failure=401, methods=())


def test_credentials_verified_apart_from_their_request_are_an_error():
    class Tokens(LockoutAuthentication, TokenAuthentication):
        lockout_policy = policy()

    with pytest.raises(TypeError, match="authenticate\\(request\\)"):
        Tokens().authenticate_credentials("token")


def test_a_number_that_is_none_is_a_name_all_the_same(monkeypatch, rf):
    """Where user names are numbers."""
    monkeypatch.setattr(User, "USERNAME_FIELD", "id")
    assert ("username", 7) == account_in({"username": "007"}, None, rf.get("/"))
    assert ("username", "x") == account_in({"username": "x"}, None, rf.get("/"))

"""lockout_protect(request=...): callables that are no views, such as resolvers, consumers, authenticators."""

import asyncio
from collections import namedtuple

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate
from django.http import HttpResponse
from django.test import RequestFactory
from django.views import View

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, policies_of

Info = namedtuple("Info", "request")
Answer = namedtuple("Answer", "text exception")
ARGUMENTS = {"key": "ip", "max": 3, "lockout": 600, "patience": 0}


def found(root, info, **arguments):
    """What a GraphQL resolver is called with."""
    return info.request


def check(request, password):
    user = authenticate(request, username="bob", password=password)
    return user and user.username


async def acheck(request, password):
    user = await aauthenticate(request, username="bob", password=password)
    return user and user.username


@lockout_protect(request=found, **ARGUMENTS)
def resolver(root, info, password):
    return check(info.request, password)


@lockout_protect(request=found, **ARGUMENTS)
async def aresolver(root, info, password):
    return await acheck(info.request, password)


class Consumer:
    def __init__(self, request):
        self.asked = request

    @lockout_protect(request=lambda self, password: self.asked, **ARGUMENTS)
    def receive(self, password):
        return check(self.asked, password)

    @lockout_protect(request=lambda self, password: self.asked, **ARGUMENTS)
    async def areceive(self, password):
        return await acheck(self.asked, password)

    @classmethod
    @lockout_protect(request=lambda cls, request, password: request, **ARGUMENTS)
    def of_class(cls, request, password):
        return check(request, password)

    @staticmethod
    @lockout_protect(request=lambda request, password: request, **ARGUMENTS)
    def static(request, password):
        return check(request, password)

    @lockout_protect(request=lambda self, request, password: request, **ARGUMENTS)
    def __call__(self, request, password):
        return check(request, password)


class Inheriting(Consumer):
    pass


class Plain(Consumer):
    def receive(self, password):
        return check(self.asked, password)


def bound(request, password):
    """A method that is bound before it is decorated."""
    protect = lockout_protect(request=lambda self, password: self.asked, **ARGUMENTS)
    return protect(Plain(request).receive)(password)


def post(address="192.0.2.1"):
    return RequestFactory().post("/", REMOTE_ADDR=address)


CALLS = {
    "resolver": (lambda request, password: resolver(None, Info(request), password=password), "resolver"),
    "keyword": (lambda request, password: resolver(root=None, info=Info(request), password=password), "resolver"),
    "method": (lambda request, password: Consumer(request).receive(password), "Consumer.receive"),
    "method by keyword": (lambda request, password: Consumer(request).receive(password=password), "Consumer.receive"),
    "method through its class": (lambda request, pw: Consumer.receive(Consumer(request), pw), "Consumer.receive"),
    "inherited method": (lambda request, password: Inheriting(request).receive(password), "Inheriting.receive"),
    "bound method": (bound, "Plain.receive"),
    "class method": (Consumer.of_class, "Consumer.of_class"),
    "static method": (Consumer.static, "Consumer.static"),
    "callable object": (Consumer(None), "Consumer.__call__"),
    "async": (lambda request, password: asyncio.run(aresolver(None, Info(request), password=password)), "aresolver"),
    "async method": (lambda request, pw: asyncio.run(Consumer(request).areceive(pw)), "Consumer.areceive"),
}


@pytest.mark.parametrize("name", CALLS)
def test_guesser_is_stopped(name, verified):
    """The refusal is raised out of the callable, under its own name; another client goes on."""
    call, scope = CALLS[name]
    assert [None] * 3 == [call(post(), f"wrong{n}") for n in range(3)]
    with pytest.raises(LockedOut) as caught:
        call(post(), "right")
    assert (3, 600, 3) == (len(verified), caught.value.status.retry_after, caught.value.status.failures)
    assert f"{__name__}.{scope}" == caught.value.status.scope
    assert "bob" == call(post("192.0.2.2"), "right")


def test_scope_of_a_connection_is_found(verified):
    """The finder may return an ASGI scope; the callable may have no name, if there is a scope to count under."""
    scope = {"type": "websocket", "client": ("192.0.2.1", 1), "headers": []}
    guesser = lockout_protect(request=lambda: scope, scope="s", **ARGUMENTS)(lambda: check(None, "wrong"))
    for _ in range(3):
        guesser()
    with pytest.raises(LockedOut):
        guesser()
    assert 3 == len(verified)


def test_callable_that_catches_the_refusal_keeps_its_answer():
    """Whatever it is, even if it has an attribute like that of DRF's responses to an exception."""

    @lockout_protect(request=found, scope="catches", methods=(), **ARGUMENTS)
    def catches(root, info, password):
        try:
            return check(info.request, password)
        except LockedOut as locked_out:
            return Answer(str(locked_out), exception=True)

    answers = [catches(None, Info(post()), password="wrong") for _ in range(4)]
    assert [None, None, None, Answer("Too many failed attempts. Retry after 600 s.", True)] == answers


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_early_look_spares_the_callable(method):
    """A locked client's callable is not called, unless the request's method is safe."""
    calls = []

    @lockout_protect(request=found, scope="early", **ARGUMENTS)
    def early(root, info, password):
        calls.append(password)
        return check(info.request, password)

    request = RequestFactory().generic(method, "/")
    for _ in range(3):
        early(None, Info(request), password="wrong")
    with pytest.raises(LockedOut):
        early(None, Info(request), password="right")
    assert (["wrong"] * 3 + ["right"] * (method == "GET")) == calls


def refusal(request, locked_out):
    return {"error": str(locked_out), "path": request.path}


async def arefusal(request, locked_out):
    return refusal(request, locked_out)


REFUSED = {"error": "Too many failed attempts. Retry after 600 s.", "path": "/"}


@pytest.mark.parametrize("response", [refusal, arefusal])
@pytest.mark.parametrize("is_async", [False, True])
def test_response_is_what_the_callable_returns(is_async, response, verified):
    """`response=` makes it, of any type, for sync and async callables."""
    call = aresolver.__wrapped__ if is_async else resolver.__wrapped__
    answered = lockout_protect(request=found, response=response, scope="answered", **ARGUMENTS)(call)
    answered = async_to_sync(answered) if is_async else answered
    answers = [answered(None, Info(post()), password=password) for password in ("a", "b", "c", "right")]
    assert ([None, None, None, REFUSED], 3) == (answers, len(verified))


def test_response_may_be_an_http_response():
    """Then it says when to come back, as a view's does."""
    late = lockout_protect(request=found, response=lambda *given: HttpResponse(status=429), **ARGUMENTS)
    refused = [late(resolver.__wrapped__)(None, Info(post()), password=f"wrong{n}") for n in range(4)][-1]
    assert 540 < int(refused["Retry-After"]) <= 600
    assert "no-store" == refused["Cache-Control"]


def test_one_guess_under_two_decorators(verified):
    """A view around a resolver under the same policy: counted once."""
    policy = LockoutPolicy(scope="both", **ARGUMENTS)
    inner = lockout_protect(policy, request=found)(resolver.__wrapped__)
    view = lockout_protect(policy)(lambda request: HttpResponse(str(inner(None, Info(request), password="wrong"))))
    assert [200, 200, 200, 429] == [view(post()).status_code for _ in range(4)]
    assert (3, 3) == (len(verified), policy.status(post()).failures)


def test_failure_of_a_callable_sees_what_it_returns():
    """For verdicts that nobody but the callable knows."""
    policy = {**ARGUMENTS, "scope": "failure", "failure": lambda request, answer: answer == "no"}
    guess = lockout_protect(request=found, **policy)(lambda root, info, answer: answer)
    for answer in ("no", "yes", "no", "no"):
        assert answer == guess(None, Info(post()), answer=answer)
    with pytest.raises(LockedOut):
        guess(None, Info(post()), answer="yes")


# Misplaced


async def afinder(root, info): ...


class AsyncFinder:
    async def __call__(self, root, info): ...


PLAIN = "must be a plain callable that finds the request"
MISTAKES = {
    "coroutine function": (lambda: lockout_protect(request=afinder), PLAIN),
    "asynchronous object": (lambda: lockout_protect(request=AsyncFinder()), PLAIN),
    "text": (lambda: lockout_protect(request="info.request"), PLAIN),
    "number": (lambda: lockout_protect(request=5), PLAIN),
    "a class": (lambda: lockout_protect(request=found)(View), "request= is for functions and methods"),
    "no name": (lambda: lockout_protect(request=found)(lambda root, info: None), "has no name to count under"),
    "other arguments": (lambda: lockout_protect(request=post)(check)(info=5), "unexpected keyword"),
    "an error of its own": (lambda: resolver(None, None, password="right"), "no attribute 'request'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_finder_that_can_not_find_is_an_error(mistake, verified):
    """At import, where that can be seen; else in the call, where what the finder raises comes out."""
    call, told = MISTAKES[mistake]
    with pytest.raises((TypeError, ValueError, AttributeError), match=told):
        call()
    assert [] == verified


@pytest.mark.parametrize("what", [None, 5, "/", {"user": "bob"}, {}, object()])
def test_finder_that_finds_no_request_is_an_error(what, verified):
    """Nothing is verified, and the error says what was found."""
    guess = lockout_protect(request=lambda password: what, scope="odd")(lambda password: check(None, password))
    with pytest.raises(TypeError, match=f"called with {type(what).__name__} where a request belongs"):
        guess("right")
    assert [] == verified


def test_callable_without_parameters_is_allowed():
    """The finder knows better what there is."""
    protected = lockout_protect(request=post)(test_one_guess_under_two_decorators)
    assert f"{__name__}.test_one_guess_under_two_decorators" == policies_of(protected)[0].scope


# What verifies credentials is no view


class Basic:
    """As authentication classes of django-ninja: what `authenticate` returns is who signed in."""

    @lockout_protect(**ARGUMENTS)
    def authenticate(self, request, username, password):
        return check(request, password)

    @lockout_protect(**ARGUMENTS, response=refusal)
    async def aauthenticate(self, request, username, password):
        return await acheck(request, password)

    @lockout_protect(request=lambda self, password: post(), response=refusal, **ARGUMENTS)
    def authenticate_credentials(self, password):
        return check(None, password)


class Viewlike(View):
    @lockout_protect(**ARGUMENTS)
    def authenticate(self, request):
        return HttpResponse(str(check(request, "wrong")))


USERS = {
    "authenticate": lambda password: Basic().authenticate(post(), "bob", password),
    "aauthenticate": lambda password: asyncio.run(Basic().aauthenticate(post(), "bob", password)),
    "authenticate_credentials": lambda password: Basic().authenticate_credentials(password),
}


@pytest.mark.parametrize("user", USERS)
def test_answer_never_takes_the_place_of_a_user(user, verified):
    """Where a method returns the user, a refusal is raised, whatever `response=` would make: it would be let in."""
    assert [None] * 3 == [USERS[user](f"wrong{n}") for n in range(3)]
    with pytest.raises(LockedOut):
        USERS[user]("right")
    assert 3 == len(verified)


def test_view_of_that_name_is_answered_for():
    """A function, or a method of a view, that happens to be named so."""

    @lockout_protect(**ARGUMENTS)
    def authenticate(request):
        return HttpResponse(str(check(request, "wrong")))

    for view in (authenticate, Viewlike().authenticate):
        assert [200, 200, 200, 429] == [view(post()).status_code for _ in range(4)]

"""Relatives of what was reported once: guesses that a kind of fault would have let through somewhere else."""

import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import wraps

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate, get_backends
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import IntegerField
from django.http import HttpResponse, StreamingHttpResponse
from django.template.response import SimpleTemplateResponse
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject
from django.views import View
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, presets
from lockout_decorators.attempts.watch import here
from lockout_decorators.clients import credentials
from lockout_decorators.contrib.drf import LockoutAuthentication
from lockout_decorators.terms import registry
from tests.backends import CountingBackend

WRONG = [f"wrong{n}" for n in range(8)]


def post(password="", **more):
    return RequestFactory().post("/", {"password": password}, **more)


def rule(**more):
    return LockoutPolicy(**{"scope": "sibling", "key": "ip", "max": 3, "patience": 0, **more})


def try_out(view, verified):
    """Three wrong ones are verified, then not even the right one; which is, on a day without an attack."""
    verified.clear()
    for password in [*WRONG, "right"]:
        with suppress(LockedOut, PermissionDenied):
            view(post(password))
    assert [("bob", password) for password in WRONG[:3]] == verified


# What is made after the view


class Guessing(SimpleTemplateResponse):
    """A page that verifies the password when it is rendered; `forbids` what is wrong."""

    def __init__(self, request, forbids):
        super().__init__("none.html")
        self.guess = lambda: authenticate(username="bob", password=request.POST["password"])
        self.forbids = forbids

    @property
    def rendered_content(self):
        user = self.guess()
        if user is None and self.forbids:
            raise PermissionDenied
        return "welcome" if user else "wrong"


@pytest.mark.parametrize("forbids", [True, False])
def test_a_response_that_could_not_be_rendered_is_watched_on(forbids, verified):
    """A middleware renders it, whatever comes of that, and goes on with it; Django renders it then."""

    @lockout_protect(rule(methods=()))
    def view(request):
        return Guessing(request, forbids)

    def serve(request):
        response = view(request)
        with suppress(PermissionDenied):
            response.render()
        return response.render()

    assert serve(post("right")).content == b"welcome"
    verified.clear()
    for password in [*WRONG, "right"]:
        with suppress(PermissionDenied):
            serve(post(password))
    assert len(verified) == 3


def test_a_refusal_among_what_a_rendering_raises_is_answered(verified):
    """By tasks that it has made."""

    class Together(SimpleTemplateResponse):
        @property
        def rendered_content(self):
            try:
                return str(authenticate(username="bob", password="wrong"))
            except LockedOut as error:
                raise ExceptionGroup("of tasks", [error]) from None

    view = lockout_protect(rule(max=1, methods=()))(lambda request: Together("none.html"))
    assert [200, 429] == [view(post()).render().status_code for _ in range(2)]
    assert len(verified) == 1


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_lazy_chunk_is_watched(asynchronous, verified):
    """It guesses when bytes are made of it."""

    def lazy(request):
        return SimpleLazyObject(lambda: str(authenticate(username="bob", password=request.POST["password"])))

    async def chunks(request):
        yield lazy(request)

    @lockout_protect(rule(methods=()))
    def view(request):
        return StreamingHttpResponse(chunks(request) if asynchronous else iter([lazy(request)]))

    async def body(response):
        return b"".join([chunk async for chunk in response])

    def read(request):
        response = view(request)
        return async_to_sync(body)(response) if asynchronous else b"".join(response)

    assert read(post("right")) == b"bob"
    try_out(read, verified)


class Rows(Iterator):
    """Such as a cursor; counts how often it was closed."""

    def __init__(self):
        self.left, self.closed = 5, 0

    def __next__(self):
        if not self.left:
            raise StopIteration
        self.left -= 1
        return b"row"

    def close(self):
        self.closed += 1


@pytest.mark.parametrize("read", [0, 1, 6])
def test_what_is_streamed_is_closed_once(read, db):
    """As without the package: also by a HEAD request, which reads nothing of it."""
    rows = Rows()
    response = lockout_protect(rule())(lambda request: StreamingHttpResponse(rows))(post())
    [next(iter(response), None) for _ in range(read)]
    response.close()
    assert rows.closed == 1


# What looks empty, or like something else


def with_tenant(method):
    """Shows the signature of what it calls, which takes more."""

    @wraps(method)
    def wrapper(self, request, username=None, password=None):
        return method(self, request, username, password, "acme")

    return wrapper


class Tenants(CountingBackend):
    @with_tenant
    def authenticate(self, request, username, password, tenant):
        return super().authenticate(request, username, password)


def test_a_backend_that_hides_what_it_takes_is_watched(verified, settings):
    """Its credentials go by their places."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Tenants"]

    @lockout_protect(rule())
    def view(request):
        return HttpResponse(str(get_backends()[0].authenticate(request, "bob", request.POST["password"])))

    assert view(post("right")).content == b"bob"
    try_out(view, verified)


def test_what_is_named_to_it_goes_by_its_name(verified, settings):
    """Each password is a guess, and another account is another client."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Tenants"]
    account, request = rule(key="username", ceiling=None), post()

    def ask(name, password):
        return get_backends()[0].authenticate(request=request, username=name, password=password)

    with suppress(LockedOut), account.observe(request):
        for n in range(9):  # pragma: no branch
            ask("bob", f"wrong{n}")
    assert 3 == len(verified)
    with account.observe(request):
        assert ask("eve", "eves")
        with pytest.raises(LockedOut):
            ask("bob", "right")


class Tokens(BaseBackend):
    asked: list[str] = []

    def authenticate(self, request, username=None, password=None):
        self.asked.append(username)


@pytest.mark.parametrize("beside", [{}, {"password": ""}, {"password": None}])
def test_a_token_in_the_place_of_a_name_is_a_secret(beside, settings):
    """As API keys are sent with an empty password: two in one request are two guesses."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Tokens"]
    Tokens.asked.clear()
    with suppress(LockedOut), rule().observe(post()):
        for n in range(9):  # pragma: no branch
            authenticate(username=f"token{n}", **beside)
    assert len(Tokens.asked) == 3


@pytest.mark.parametrize("spaces", [5000, 100_000])
def test_a_name_before_thousands_of_spaces_is_that_name(spaces):
    """A store that pads may take it for the same."""
    account = rule(key="username", ceiling=None)
    with account.attempt(post(), "bob" + " " * spaces):
        pass
    assert account.status(post(), "bob").failures == 1


@pytest.mark.parametrize("name", [float("inf"), [5], {"a": 1}])
def test_a_name_that_the_user_model_cannot_hold_breaks_nothing(name, monkeypatch, verified):
    """JSON may say Infinity where accounts have numbers."""
    monkeypatch.setattr(credentials, "_usual", lambda: (("username", "email"), IntegerField().to_python))
    with rule().observe(post()):
        assert authenticate(username=name, password="wrong") is None
    assert len(verified) == 1


HEADERS = [
    "X-Api-Key",
    "X-Id-Token",
    "X-IdToken",
    "X-RefreshToken",
    "X-Passphrase",
    "X-HMAC",
    "X-ARR-ClientCert",
    "X-SSL-Client-Cert",
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_secret_in_a_header_is_a_guess(header, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Tokens"]
    Tokens.asked.clear()
    view = lockout_protect(rule())(lambda request: HttpResponse(str(authenticate(request))))
    for password in WRONG:
        view(post(headers={header: password}))
    assert len(Tokens.asked) == 3


# Calls from elsewhere


def test_an_anonymous_call_in_a_thread_is_no_guess(verified):
    """Of a pool, with the request: nothing was presented."""

    @lockout_protect(rule())
    def view(request):
        with ThreadPoolExecutor(1) as pool:
            return HttpResponse(str(pool.submit(authenticate, request).result()))

    assert [200] * 5 == [view(post()).status_code for _ in range(5)]
    assert rule().status(post()).failures == 0


def pickled(request):
    return pickle.loads(pickle.dumps(request))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_request_is_duplicated_as_without_the_package(duplicate, verified):
    """And its copies are watched."""

    @lockout_protect(rule())
    def view(request):
        password = request.POST["password"]
        other = duplicate(request)
        assert other.POST == request.POST
        with ThreadPoolExecutor(1) as pool:
            one = request if duplicate is pickled else other
            return HttpResponse(str(pool.submit(authenticate, one, username="bob", password=password).result()))

    assert view(post("right")).content == b"bob"
    try_out(view, verified)


@pytest.mark.parametrize("by_name", [True, False])
def test_credentials_that_a_project_verifies_by_itself_are_counted(by_name, verified):
    """By a class that verifies what HTTP Basic presents, called without DRF."""

    class Basic(LockoutAuthentication, BasicAuthentication):
        lockout_policy = rule(key="username", ceiling=None)

    def view(request):
        password = request.POST["password"]
        with suppress(AuthenticationFailed):
            if by_name:
                return Basic().authenticate_credentials(userid="bob", password=password, request=request)
            return Basic().authenticate_credentials("bob", password, request)

    assert view(post("right"))[0].username == "bob"
    try_out(view, verified)


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


# Verdicts


def signal(guess):
    user_login_failed.send("codes", credentials={"username": "bob"})


def succeed(guess):
    guess.succeed()


def fail(guess):
    guess.fail()


SAID = [[signal], [signal, fail], [fail, signal], [signal, signal], [signal, succeed], [succeed, signal, signal]]


@pytest.mark.parametrize("said", SAID, ids=lambda said: "-".join(word.__name__ for word in said))
def test_a_failure_that_is_signalled_in_an_attempt_is_that_of_the_attempt(said):
    """The view verifies by itself, and tells others of it: one failure."""
    codes = rule()
    with codes.attempt(post(), "bob") as guess:
        [word(guess) for word in said]
    assert codes.status(post()).failures == 1


@pytest.mark.parametrize("by_position", [True, False])
def test_status_includes_the_failure_of_a_backend_that_the_view_asks(by_position, verified):
    """Two tries left is true when it is shown."""
    seen = []

    @lockout_protect(rule())
    def view(request):
        (backend,) = get_backends()
        if by_position:
            backend.authenticate(request, "bob", request.POST["password"])
        else:
            backend.authenticate(request, username="bob", password=request.POST["password"])
        seen.append(rule().status(request).remaining)
        return HttpResponse()

    view(post("right"))
    try_out(view, verified)
    assert [3, 2, 1, 0] == seen


def test_status_decides_nothing_while_a_backend_is_being_asked(settings, verified):
    """The second one may know whom the first does not."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Tokens", f"{__name__}.Asking"]
    with rule().observe(post()):
        assert authenticate(username="bob", password="right") is not None
    assert rule().status(post()).failures == 0


class Asking(CountingBackend):
    def authenticate(self, request, username=None, password=None):
        assert rule().status(post()).failures == 0
        return super().authenticate(request, username, password)


def test_a_namesake_on_another_server_forgives_nothing(verified):
    """A request of HTTP/1.0 has no Host header; then Django takes the server's name."""
    for server, password in [("acme.example", "wrong"), ("mine.example", "right"), ("acme.example", "wrong again")]:
        with rule().observe(request := post(SERVER_NAME=server)):
            authenticate(request, username="bob", password=password)
    assert rule().status(post()).failures == 2


# Computed names


@pytest.mark.parametrize("field", ["username", "email"])
def test_a_computed_name_is_that_of_an_attempt_too(field):
    """By whichever credential it would come."""
    box = {"username": lambda request, credentials: credentials[field].partition("@")[0]}
    mails = rule(key="username", ceiling=None, **box)
    for _ in range(3):
        with mails.attempt(post(), "Bob@example.org"):
            pass
    assert mails.status(post(), "BOB@elsewhere").locked
    mails.reset(post(), "bob@example.net")
    assert not mails.status(post(), "Bob@example.org").locked


async def _later(*asked):  # pragma: no cover
    return False


AWAITED = {
    "key": {"key": lambda request, identity: _later()},
    "username": {"key": "username", "ceiling": None, "username": lambda request, credentials: _later()},
    "exempt": {"exempt": lambda request: _later()},
    "failure": {"failure": lambda request, response: _later()},
    "credentials": {"failure": 200, "credentials": lambda request: _later()},
}


@pytest.mark.parametrize("argument", AWAITED)
def test_what_is_to_be_awaited_is_no_answer(argument, verified):
    """A lambda hides that it calls a coroutine function: its answer would be true, and another one each time."""
    view = lockout_protect(rule(**AWAITED[argument]))(
        lambda request: HttpResponse(str(authenticate(username="bob", password="right")))
    )
    with pytest.raises(ImproperlyConfigured, match=f"{argument}= returned a coroutine; it must answer by itself"):
        view(post())


class Promise:
    def __await__(self):  # pragma: no cover
        yield


def test_what_is_no_coroutine_may_be_to_be_awaited_too(verified):
    """As a future."""
    view = lockout_protect(rule(key=lambda request, identity: Promise()))(
        lambda request: HttpResponse(str(authenticate(username="bob", password="right")))
    )
    with pytest.raises(ImproperlyConfigured, match="key= returned a Promise; it must answer by itself"):
        view(post())
    assert [] == verified


# Words

MISTAKES = {
    "no star": (presets.LOGIN, r"a tuple is no policy; put a star before it: lockout_protect\(\*policies\)"),
    "no star, of a list": ([*presets.LOGIN], "a list is no policy; put a star before it"),
    "no stars": ({"key": "ip"}, r"put two stars before it: lockout_protect\(\*\*arguments\)"),
    "number": (5, "5 is no policy; arguments go by their names, as key= and max= do"),
    "nothing": (None, "None is no policy; arguments go by their names"),
    "class": (LockoutPolicy, r'LockoutPolicy is a class; make a policy of it: LockoutPolicy\(scope="login"\)'),
}


ARGUMENTS = {
    "another name": ({"maximum": 5}, "there is no argument maximum=; did you mean max="),
    "no such thing": ({"colour": 5}, "there is no argument colour=; there are key, max, window, "),
    "exception": ({"failure": PermissionDenied}, "what is raised counts by its status, as PermissionDenied by 403"),
    "exceptions": ({"failure": (401, PermissionDenied)}, "what is raised counts by its status"),
}


@pytest.mark.parametrize("mistake", ARGUMENTS)
def test_a_mistaken_argument_is_told_what_to_write(mistake):
    """An exception class is a callable: what it makes of an answer would be true."""
    arguments, told = ARGUMENTS[mistake]
    with pytest.raises((TypeError, ValueError), match=told):
        lockout_protect(**arguments)


def test_a_policy_takes_names():
    with pytest.raises(TypeError, match=r"'login' needs a name, as in LockoutPolicy\(scope='login'\)"):
        LockoutPolicy("login")


def test_what_makes_a_view_is_none():
    """`as_view` without its parentheses would fail at the first request."""
    with pytest.raises(TypeError, match=r"makes views, and is none: call it, as_view\(\)"):
        lockout_protect(scope="none")(View.as_view)


def test_policies_that_are_made_by_the_request_are_not_kept_for_ever(monkeypatch):
    """Their lambdas equal no other. The first ones, made at import, stay known, and so do the last."""
    monkeypatch.setattr(registry, "SCOPES", 10)
    made = [rule(key=lambda request, identity: "all") for _ in range(100)]
    known = registry.registered["sibling"]
    assert (known[0], known[-1], len(known)) == (made[0], made[-1], registry.MOST)
    for n in range(100):
        rule(scope=f"of {n}")
    assert len(registry.registered) == 10
    assert {"sibling", "of 0", "of 99"} <= {*registry.registered}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_what_to_write(mistake):
    given, told = MISTAKES[mistake]
    with pytest.raises(TypeError, match=told):
        lockout_protect(given)


@pytest.mark.parametrize("door", ["observe", "attempt"])
@pytest.mark.parametrize("given", [None, "bob", {"REMOTE_ADDR": "192.0.2.1"}])
def test_a_block_by_hand_needs_a_request(door, given):
    with pytest.raises(TypeError, match=r"policy .sibling.: request is .*; it must be a request, or an ASGI scope"):
        getattr(rule(), door)(given)

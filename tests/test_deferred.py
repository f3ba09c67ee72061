"""Guesses that are made after the view has returned: what is rendered, streamed, generated, or answers a refusal."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from functools import partial

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import SimpleLazyObject
from django.views import View
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.response import Response
from rest_framework.versioning import QueryParameterVersioning
from rest_framework.views import APIView

from lockout_decorators import LockedOut, lockout_protect
from lockout_decorators.signals import attempt_refused
from tests.guessing import WRONG, ask, attack, by_hand, by_status, login, post, rule, stops
from tests.sizes import IN_FULL

FINDS = {"request": lambda request: request}  # makes of a view what is none


class Deferred(TemplateResponse):
    """A page whose content is what a function says when it is rendered."""

    def __init__(self, say):
        super().__init__(None, "")
        self.say = say

    rendered_content = property(lambda self: str(self.say()))


class Rendering(HttpResponse):
    """Has a render(), which is all that Django asks for."""

    def __init__(self, request):
        super().__init__()
        self.render = lambda: HttpResponse(str(ask(request)))


def parting(request):
    try:
        yield from "ab"
    finally:
        ask(request)


def form(request):
    data = {"username": "bob", **request.POST.dict()}
    return TemplateResponse(request, "two_forms.html", {"login_form": AuthenticationForm(request, data)})


async def achunk(request):
    yield SimpleLazyObject(lambda: str(ask(request)))


class Authenticating(BaseAuthentication):
    def authenticate(self, request):
        if user := ask(request._request):
            return user, None
        raise AuthenticationFailed


class Lazy(APIView):
    """As DRF's docs say to authenticate lazily: the browsable page asks for the user while it is rendered."""

    authentication_classes, renderer_classes, permission_classes = [Authenticating], [BrowsableAPIRenderer], []

    def perform_authentication(self, request):
        """Not yet."""

    def post(self, request):
        return Response({"hello": "world"})


class Versioned(Lazy):
    """Its version is refused before anybody is authenticated."""

    versioning_class = type("Versions", (QueryParameterVersioning,), {"is_allowed_version": lambda *given: False})


LEFT = {
    "browsable page": Lazy.as_view(),
    "browsable page of an error": Versioned.as_view(),
    "page": lambda request: Deferred(partial(ask, request)),
    "form in a page": form,
    "rendering": Rendering,
    "stream": lambda request: StreamingHttpResponse(map(str, map(ask, [request]))),
    "lazy chunk": lambda request: StreamingHttpResponse(iter([SimpleLazyObject(lambda: str(ask(request)))])),
    "asynchronous lazy chunk": lambda request: StreamingHttpResponse(achunk(request)),
    "file without a file": lambda request: FileResponse(map(str, map(ask, [request]))),
    "stream closed early": lambda request: StreamingHttpResponse(parting(request)),
    "generator closed early": parting,
    "iterator": lambda request: map(ask, [request]),
}


def whole(response):
    """Of a stream, synchronous or not."""

    async def gather():
        return b"".join([chunk async for chunk in response])

    return async_to_sync(gather)() if response.is_async else b"".join(response)


DOORS = [(left, door) for left in LEFT for door in ("view", "class", "resolver", "block around it")]


@pytest.mark.parametrize(("left", "door"), DOORS if IN_FULL else [*DOORS[::3], *DOORS[1::6]])
def test_what_is_left_to_be_made_is_watched(left, door, verified, db):
    """Whatever it is, and whoever is in charge while the view runs."""
    made_by = LEFT[left]
    if door == "class" and left not in ("generator closed early", "iterator"):
        cls = type("Door", (View,), {"post": lambda self, request: made_by(request)})
        view = lockout_protect(rule())(cls).as_view()
    else:
        find = FINDS if door == "resolver" or left in ("generator closed early", "iterator") else {}
        view = lockout_protect(rule(), **find)(lambda request: made_by(request))  # noqa: PLW0108
    for password in ["right", *WRONG, "right"]:
        request = post(password)
        with suppress(LockedOut, AuthenticationFailed):
            with rule().observe(request) if door == "block around it" else nullcontext():
                made = view(request)
            getattr(made, "render", bool)()
            whole(made) if getattr(made, "is_async", False) else next(iter(made), None)
            getattr(made, "close", bool)()
    assert ["right", *WRONG[:3]] == [password for _, password in verified]


async def test_an_asynchronous_stream_that_is_closed_early_is_watched(verified):
    """By nobody but the garbage collector."""

    async def chunks(request, password):
        try:
            yield "a"
        finally:
            await aauthenticate(request, username="bob", password=password)

    async def view(request):
        return StreamingHttpResponse(chunks(request, request.POST["password"]))

    for password in WRONG[:6]:
        await anext(aiter(await lockout_protect(rule(methods=()))(view)(post(password))))
        gc.collect()
        await asyncio.sleep(0.01)
    assert len(verified) <= 3


@pytest.mark.parametrize("forbids", [True, False])
def test_a_response_that_could_not_be_rendered_is_watched_on(forbids, verified):
    """A middleware renders it, whatever comes of that, and goes on with it; Django renders it then."""

    def say(request):
        user = ask(request)
        if user is None and forbids:
            raise PermissionDenied
        return "welcome" if user else "wrong"

    view = lockout_protect(rule(methods=()))(lambda request: Deferred(partial(say, request)))

    def serve(request):
        response = view(request)
        with suppress(PermissionDenied):
            response.render()
        return response.render()

    assert serve(post("right")).content == b"welcome"
    verified.clear()
    attack(serve)
    assert 3 == len(verified)


@pytest.mark.parametrize("raises", [False, True])
def test_a_verdict_may_come_while_the_body_is_made(raises, verified):
    """Out of what it says, or out of what it raises."""

    def check(request):
        if not by_hand(request) and raises:
            raise PermissionDenied

    seen = rule(failure=lambda request, response: response.status_code == 403 or b"None" in response.content)
    view = lockout_protect(seen)(lambda request: Deferred(lambda: str(check(request))))
    stops(view, verified)


# Answers to a refusal


@pytest.mark.parametrize("methods", [None, ()])
@pytest.mark.parametrize("make", [lambda say: HttpResponse(say()), Deferred], ids=["now", "later"])
def test_the_answer_to_a_refusal_verifies_nothing(make, methods, verified):
    """`response=` shows the bound form again."""
    again = rule(methods=methods, response=lambda request, locked_out: make(lambda: str(ask(request))))
    stops(lockout_protect(again)(login), verified)


@pytest.mark.parametrize("methods", [None, ()])
def test_the_browsable_page_of_a_refusal_verifies_nothing(methods, verified, db):
    """It asks the permissions which forms to show."""

    class Keys(BasePermission):
        has_permission = staticmethod(lambda request, view: bool(ask(request._request)))

    class Door(APIView):
        authentication_classes, permission_classes, renderer_classes = (), (Keys,), (BrowsableAPIRenderer,)
        post = get = put = lambda self, request: HttpResponse()

    attack(lockout_protect(rule(methods=methods))(Door).as_view())
    assert len({password for _, password in verified}) <= 3


def raises_a_group(request):
    try:
        return login(request)
    except LockedOut as locked_out:
        raise ExceptionGroup("tasks", [ValueError(), ExceptionGroup("more", [locked_out])]) from None


async def in_tasks(request):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(plainly(request))
    return HttpResponse(status=401)


async def plainly(request):
    await aauthenticate(request, username="bob", password=request.POST["password"])
    return HttpResponse(status=401)


async def is_caught(request):
    """As an asynchronous REST framework does."""
    response = HttpResponse(status=401)
    try:
        await plainly(request)
    except LockedOut as locked_out:
        response.status_code, response.exception = locked_out.status_code, True
    return response


async def guesses_itself(request, locked_out):
    """An answer that is never sent."""
    await aauthenticate(request, username="bob", password="another")


REFUSED = {
    "in a group": (raises_a_group, {}),
    "among tasks": (in_tasks, {}),
    "while it is rendered": (lambda request: Deferred(partial(raises_a_group, request)), {}),
    "answered by a guess": (plainly, {"response": guesses_itself}),
    "answered by a framework": (is_caught, {}),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_refusal_is_answered(how, verified):
    """Among what tasks or a rendering raise, and though the answer guesses, or a framework has made an answer of it."""
    view, more = REFUSED[how]
    door = lockout_protect(rule(methods=(), **more))(view)
    made = async_to_sync(door) if asyncio.iscoroutinefunction(view) else door

    def status(password):
        response = made(post(password))
        return (response.render() if hasattr(response, "render") else response).status_code

    assert [429] * 6 == [status(password) for password in [*WRONG, "right"]][3:]
    assert 3 == len(verified)


async def fails_apart(request):
    raise ExceptionGroup("tasks", [ValueError()])


@pytest.mark.parametrize("view", [fails_apart, async_to_sync(fails_apart)], ids=["async", "sync"])
def test_other_groups_go_on_their_way(view):
    """Of a view, synchronous or not."""
    door = lockout_protect(rule())(view)
    with pytest.raises(ExceptionGroup):
        (async_to_sync(door) if view is fails_apart else door)(post("wrong"))


# Streams and generators


def chunks(request, error=None):
    yield b"checking"
    user = ask(request)
    if error:
        raise error
    yield b"welcome" if user else b"wrong"


async def achunks(request, error=None):
    yield b"checking"
    user = await aauthenticate(request, username="bob", password=request.POST["password"])
    if error:
        raise error
    yield b"welcome" if user else b"wrong"


@pytest.mark.parametrize("make", [chunks, achunks])
def test_a_stream_ends_where_a_guess_is_refused(make, verified, caplog):
    """Its head is sent; the log says why nothing follows."""
    view = lockout_protect(rule(methods=()))(lambda request: StreamingHttpResponse(make(request)))
    assert b"checkingwelcome" == whole(view(post("right")))
    verified.clear()
    assert [b"checkingwrong"] * 3 + [b"checking"] * 2 == [whole(view(post(said))) for said in [*WRONG[:4], "right"]]
    assert 3 == len(verified)
    assert "a streaming response ends" in caplog.text


@pytest.mark.parametrize("make", [chunks, achunks])
@pytest.mark.parametrize("error", [ValueError(), ExceptionGroup("tasks", [ValueError()])], ids=["error", "group"])
def test_what_else_a_stream_raises_goes_on_its_way(make, error, verified):
    """And the failure before it is counted."""
    view = lockout_protect(rule(methods=()))(lambda request: StreamingHttpResponse(make(request, error)))
    with pytest.raises(type(error)):
        whole(view(post("wrong")))
    assert 1 == rule().status(post()).failures


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


@pytest.mark.parametrize("make", [chunks, achunks])
def test_a_generator_of_what_is_no_view_raises_the_refusal(make, verified):
    """As of a subscription."""
    subscribe = lockout_protect(rule(), **FINDS)(lambda request: make(request))  # noqa: PLW0108

    async def gather(steps):
        return [chunk async for chunk in steps]

    def read(password):
        steps = subscribe(post(password))
        return len(list(steps) if make is chunks else async_to_sync(gather)(steps))

    assert [2] * 3 == [read(password) for password in WRONG[:3]]
    for password in ("wrong", "right"):
        with pytest.raises(LockedOut):
            read(password)
    assert 3 == len(verified)


def talk(request):
    password = yield "password?"
    return authenticate(request, username="bob", password=password)


async def atalk(request):
    password = yield "password?"
    yield await aauthenticate(request, username="bob", password=password)


def test_a_generator_is_told_what_is_sent_into_it(verified):
    """A guess with that is watched; what it returns is returned."""
    converse = lockout_protect(rule(), **FINDS)(lambda request: talk(request))  # noqa: PLW0108

    def say(password):
        steps = converse(post())
        assert "password?" == next(steps)
        with pytest.raises(StopIteration) as end:
            steps.send(password)
        return end.value.value

    assert ["bob", None, None, None] == [str(say(it)) if it == "right" else say(it) for it in ("right", *WRONG[:3])]
    with pytest.raises(LockedOut):
        say("right")
    assert 4 == len(verified)


async def test_an_asynchronous_generator_is_told_what_is_sent_into_it(verified):
    """See above."""
    steps = lockout_protect(rule(), **FINDS)(lambda request: atalk(request))(post())  # noqa: PLW0108
    assert ("password?", "bob") == (await anext(steps), (await steps.asend("right")).username)
    assert [("bob", "right")] == verified
    await steps.aclose()


# What the project is asked


@pytest.mark.parametrize(
    "asks",
    [{"exempt": lambda it: it.user.is_staff}, {"key": "user"}, {"key": lambda it, _: str(it.user.pk)}, {}],
    ids=["exempt", "key", "callable", "receiver"],
)
def test_what_the_project_is_asked_is_watched(asks, receivers, verified):
    """A middleware authenticates when somebody first looks at `request.user`: that may be this very package. Where the
    key itself asks, that guess is counted by the address, beside the view's own."""

    def audit(request, **kwargs):
        return request.user.is_staff

    def middleware(request):
        request.user = SimpleLazyObject(lambda: ask(request) or AnonymousUser())
        return door(request)

    door = lockout_protect(rule(**asks))(partial(login, by=lambda request: request.user.is_authenticated))
    attempt_refused.connect(audit)
    attack(middleware)
    assert len(verified) <= (6 if callable(asks.get("key")) else 3)


@pytest.mark.parametrize("finds", [FINDS, {}], ids=["resolver", "view"])
def test_stacked_resolvers_are_all_counted(finds, verified):
    """The inner policy is the stricter one."""
    inner = lockout_protect(rule(), **finds)(partial(login))
    stops(lockout_protect(rule(scope="outer", max=9), **FINDS)(inner), verified)


def test_a_response_verdict_needs_methods():
    """Or it would count, and refuse nobody."""
    with pytest.raises(ValueError, match="refuse nobody"):
        by_status(methods=())

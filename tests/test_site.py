"""The middleware: guesses of the whole site, whoever makes them, under one policy."""

import asyncio
import base64
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import StringIO

import pytest
from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.admin import AdminSite
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.management import call_command
from django.http import HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client
from django.urls import path
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, presets, reset_attempts
from lockout_decorators.attempts.watch import here
from lockout_decorators.doors.urlconf import find_doors
from lockout_decorators.management.report.doors import doors
from lockout_decorators.middleware import LockoutMiddleware
from lockout_decorators.policy import site_policies
from lockout_decorators.stores import Store
from lockout_decorators.terms.registry import registered
from lockout_decorators.terms.terms import DERIVED
from lockout_decorators.views.deferred import Resumed

OURS = "lockout_decorators.middleware.LockoutMiddleware"
OWN = LockoutPolicy(scope="own", key="ip", max=5, patience=0)
QUIET = LockoutPolicy(scope="quiet", key="ip", max=2, enforce=False)


def secret(request):
    return request.POST.get("password") or request.headers.get("X-Password")


def verify(request):
    return authenticate(request, username="bob", password=secret(request))


async def averify(request):
    return await aauthenticate(request, username="bob", password=secret(request))


def said(user, status=200):
    return HttpResponse("welcome" if user else "wrong", status=status)


# Views


def plain(request):
    return said(verify(request))


async def apart(request):
    return said(await averify(request))


async def grouped(request):
    try:
        return await apart(request)
    except LockedOut as locked_out:
        raise ExceptionGroup("tasks", [locked_out]) from None


def rendered(request):
    return TemplateResponse(request, "two_forms.html", {"login_form": AuthenticationForm(request, request.POST)})


def streamed(request):
    def lines():
        yield "checking...\n"
        yield "welcome" if verify(request) else "wrong"

    return StreamingHttpResponse(lines())


async def streamed_apart(request):
    async def lines():
        yield "checking...\n"
        yield "welcome" if await averify(request) else "wrong"

    return StreamingHttpResponse(lines())


def pooled(request):
    with ThreadPoolExecutor(1) as pool:
        return said(pool.submit(verify, request).result())


def caught(request):
    try:
        return plain(request)
    except LockedOut as locked_out:
        return HttpResponse(f"come back in {locked_out.status.retry_after}", status=429)


def listed(request):
    """As many as GraphQL's aliases may make."""
    verdicts = []
    for number in range(300):
        try:
            verdicts.append(authenticate(request, username="bob", password=f"{secret(request)}{number}"))
        except LockedOut:
            verdicts.append("refused")
    return HttpResponse(verdicts.count("refused"))


def told(request):
    user_login_failed.send("their own", credentials={"username": "bob"}, request=request)
    return HttpResponse("wrong")


def by_hand(request):
    with OWN.attempt(request, "bob") as guess:
        if user := verify(request):
            guess.succeed()
    return said(user)


def slow(request):
    slow.entered.set()
    time.sleep(0.1)
    return plain(request)


async def helped(request):
    return await sync_to_async(slow)(request)


def broken(request):
    raise ZeroDivisionError


class Hiding(APIView):
    authentication_classes = []

    def post(self, request):
        try:
            verify(request)
        finally:
            raise NotFound("Nobody.")


class Api(APIView):
    authentication_classes = [BasicAuthentication]

    def post(self, request):
        return Response("welcome")


VIEWS = {
    "nothing": lambda request: HttpResponse("to see here"),
    **{one.__name__: one for one in (plain, apart, grouped, rendered, streamed, streamed_apart, pooled, caught)},
    **{one.__name__: one for one in (listed, told, by_hand, slow, broken)},
    "form": LoginView.as_view(template_name="two_forms.html"),
    "api": Api.as_view(),
    "hiding": Hiding.as_view(),
    "own": lockout_protect(OWN)(plain),
    "decorated": lockout_protect(OWN)(helped),
    "quiet": lockout_protect(QUIET)(plain),
    "free": lockout_protect(scope="free", exempt=lambda request: True)(plain),
}
urlpatterns = [path("admin/", AdminSite(name="ours").urls), *[path(f"{name}/", view) for name, view in VIEWS.items()]]


def handler404(request, exception):
    return said(verify(request), 404)


def handler500(request):
    return said(verify(request), 500) if "X-Handled" in request.headers else HttpResponse("sorry", status=500)


def failing_handler(request):
    verify(request)
    raise ZeroDivisionError


# Middleware inside of ours


class Passing:
    """Takes part in both worlds, and does nothing."""

    sync_capable = async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request):
        return self.get_response(request)


class InView(Passing):
    def process_view(self, request, *args):
        verify(request)


class InTemplate(Passing):
    def process_template_response(self, request, response):
        return TemplateResponse(request, "two_forms.html", {"login_form": str(response.context_data["login_form"])})


class Reading(Passing):
    def process_template_response(self, request, response):
        response.rendered_content  # noqa: B018
        return response


def only_sync(get_response):
    def middleware(request):
        return get_response(request)

    return middleware


def only_async(get_response):
    async def middleware(request):
        return await get_response(request)

    return middleware


def door(get_response):
    """Signs in by a header, before any view is asked."""

    def middleware(request):
        verify(request)
        return get_response(request)

    return middleware


def async_door(get_response):
    async def middleware(request):
        await averify(request)
        return await get_response(request)

    return middleware


for one in (only_async, async_door):
    one.sync_capable, one.async_capable = False, True


PLACES = {name: ([], name) for name in ("plain", "apart", "grouped", "rendered", "pooled", "form", "api")} | {
    "admin": ([], "admin/login"),
    "a middleware": ([door], "nothing"),
    "an async middleware": ([async_door], "nothing"),
    "sync inside async inside sync": ([only_sync, only_async, door], "nothing"),
    "async inside sync inside async": ([only_async, only_sync, async_door], "nothing"),
    "process_view": ([InView], "nothing"),
    "process_template_response": ([InTemplate], "rendered"),
    "rendered_content": ([Reading], "rendered"),
    "handler404": ([], "nowhere"),
    "handler500": ([], "broken"),
    "twice": ([LockoutMiddleware], "plain"),
}
QUIETLY = [*PLACES][:8]  # what they raise is answered before anybody makes an error of it


@pytest.fixture(autouse=True)
def site(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [OURS, *settings.MIDDLEWARE]
    settings.LOCKOUT_SITE = {"key": "ip", "max": 3, "patience": 0}


@pytest.fixture(params=["wsgi", "asgi"])
def guess(request):
    """POST a password, however that may be read."""

    def send(door, password="wrong", **headers):
        basic = base64.b64encode(f"bob:{password}".encode()).decode()
        sent = {"data": {"username": "bob", "password": password}}
        sent["headers"] = {"Authorization": f"Basic {basic}", "X-Password": password, **headers}
        if request.param == "asgi":
            return asyncio.run(asend(f"/{door}/", sent))
        send.response = Client(raise_request_exception=False).post(f"/{door}/", **sent)
        return send.response.status_code, b"".join(send.response)

    async def asend(url, sent):
        send.response = response = await AsyncClient(raise_request_exception=False).post(url, **sent)
        found = [chunk async for chunk in response] if response.streaming else [response.content]
        return response.status_code, b"".join(found)

    yield send
    assert () == here()


def within(settings, *middlewares):
    inside = [f"{one.__module__}.{one.__name__}" for one in middlewares]
    settings.MIDDLEWARE = [OURS, *inside, *settings.MIDDLEWARE[1:]]


@pytest.mark.parametrize("place", PLACES)
def test_every_guess_of_the_site_counts(place, guess, verified, settings, caplog):
    """Wherever it is made three are verified, then not even the right one; the client gets the refusal."""
    middlewares, url = PLACES[place]
    within(settings, *middlewares)
    more = {"X-Handled": "yes"} if place == "handler500" else {}
    for _ in range(3):
        guess(url, **more)
    assert (3, {("bob", "wrong")}) == (len(verified), {*verified})
    caplog.clear()
    status, page = guess(url, "right", Accept="text/plain, application/json", **more)
    assert (429, 3) == (status, len(verified))
    assert b"Too many failed attempts" in page and b"welcome" not in page
    assert 540 < int(guess.response["Retry-After"]) <= 600
    assert "no-store" == guess.response["Cache-Control"]
    if place in QUIETLY:
        assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@pytest.mark.parametrize("name", ["streamed", "streamed_apart"])
def test_stream_ends_with_a_refusal(name, guess, verified):
    """Its head is sent by then."""
    for _ in range(3):
        assert guess(name) == (200, b"checking...\nwrong")
    status, page = guess(name, "right")
    assert (200, False, 3) == (status, b"welcome" in page, len(verified))


@pytest.mark.parametrize("place", ["plain", "apart", "rendered", "api", "an async middleware", "process_view"])
def test_cache_is_down(place, guess, verified, settings):
    """No guess passes, and who guesses nothing sees nothing of it."""
    settings.LOCKOUT_CACHE = "away"
    middlewares, url = PLACES[place]
    within(settings, *middlewares)
    assert (503, []) == (guess(url, "right")[0], verified)
    settings.MIDDLEWARE = [OURS]
    assert (200, b"to see here") == guess("nothing")


def test_error_handler_that_fails(guess, settings, rf, verified, monkeypatch):
    """Django asks it once more, outside of any middleware: that is watched too."""
    monkeypatch.setattr(sys.modules[__name__], "handler500", failing_handler)
    settings.MIDDLEWARE, settings.LOCKOUT_SITE = [OURS], {**settings.LOCKOUT_SITE, "calls": 1}
    for _ in range(8):
        with suppress(ZeroDivisionError, LockedOut):
            guess("broken")
    assert (3, 429) == (len(verified), guess("plain", "right")[0])
    assert site_policies()[0].status(rf.get("/")).locked


def test_exceptions_may_be_propagated(guess, verified, settings):
    """Ours are answered all the same."""
    settings.DEBUG_PROPAGATE_EXCEPTIONS = True
    within(settings, door)
    assert [200] * 3 + [429] == [guess("nothing")[0] for _ in range(4)]
    assert 3 == len(verified)


async def hang_up(name):
    """Once the view has begun, and before it guesses."""
    slow.entered = threading.Event()
    scope = {"type": "http", "method": "GET", "path": f"/{name}/", "query_string": b"", "client": ("192.0.2.1", 1)}
    received = [{"type": "http.disconnect"}, {"type": "http.request"}]

    async def receive():
        if len(received) == 1:
            await asyncio.to_thread(slow.entered.wait)
        return received.pop()

    async def send(message): ...

    await ASGIHandler()({**scope, "headers": [(b"x-password", b"wrong")]}, receive, send)


@pytest.mark.parametrize(("name", "most"), [("slow", 3), ("decorated", 5)])
async def test_client_hangs_up(name, most, verified):
    """Under ASGI synchronous code goes on without it, in Django's thread: it is watched until it ends."""
    for _ in range(most + 1):
        await hang_up(name)
    policy = OWN if name == "decorated" else site_policies()[0]
    status = await policy.astatus({"type": "http", "headers": [], "client": ("192.0.2.1", 1)})
    assert (most, most, True) == (len(verified), status.failures, status.locked)


def test_hundreds_of_guesses_in_one_request(guess, verified):
    """Each takes a slot; past the last none is verified."""
    assert (200, b"297") == guess("listed")
    assert (3, 429) == (len(verified), guess("plain", "right")[0])


def test_failures_that_are_signalled(guess, verified):
    """As by views that verify by themselves."""
    for _ in range(3):
        guess("told")
    assert ((429, []), 200) == ((guess("plain", "right")[0], verified), guess("told")[0])


def test_views_share_one_count(guess, verified):
    """That of the site; a success is a success, and forgives its own."""
    assert [(200, b"wrong"), (200, b"welcome")] == [guess("plain"), guess("apart", "right")]
    assert (200, b'"welcome"') == guess("api", "right")
    for name in ("plain", "apart", "api"):
        guess(name)
    assert [429, 429, 429] == [guess(name, "right")[0] for name in ("plain", "api", "rendered")]
    assert 6 == len(verified)


def test_policy_of_a_view_takes_the_place_of_the_site(guess, rf, verified):
    """In it nothing is counted for the site; nor does a locked site keep anybody from it. A block by hand does too,
    and its refusal is answered."""
    for _ in range(4):
        guess("by_hand")
    guess("own")
    assert [429, 429, 200] == [guess(name, "right")[0] for name in ("own", "by_hand", "plain")]
    for _ in range(3):
        guess("plain")
    OWN.reset(rf.get("/"))
    assert [429, 200, 200] == [guess(name, "right")[0] for name in ("plain", "own", "by_hand")]
    assert 5 + 1 + 3 + 2 == len(verified)


def test_unenforced_policy_of_a_view_does_too(guess, verified):
    """It is the project's word for that view."""
    assert [200] * 5 == [guess("quiet")[0] for _ in range(5)]
    assert (200, b"welcome") == guess("plain", "right")


def test_exempt_from_the_policy_of_a_view(guess, verified):
    """What no block of a view watches, the site does."""
    for _ in range(3):
        guess("free")
    assert (429, 3) == (guess("free", "right")[0], len(verified))


def test_view_may_have_the_policy_of_the_site(rf, verified):
    """The same one, by name: a guess in it counts, once, and who is locked out is refused before it runs."""
    (policy,), entered = site_policies(), []

    @lockout_protect(policy)
    def view(request):
        entered.append(request)
        return plain(request)

    answers = [LockoutMiddleware(view)(rf.post("/", {"password": "wrong"})).status_code for _ in range(4)]
    assert ([200, 200, 200, 429], 3, 3) == (answers, len(verified), len(entered))


@pytest.mark.parametrize(("name", "answer"), [("caught", (429, b"come back in 600")), ("hiding", (404, b'"Nobody."'))])
def test_view_may_answer_by_itself(name, answer, guess, settings, verified):
    """Whoever catches the refusal has the last word, unless it is that of an error."""
    settings.LOCKOUT_SITE = {**settings.LOCKOUT_SITE, "response": awaited}
    for _ in range(3):
        guess(name)
    status, page = guess(name, "right")
    assert (answer[0], True, 3) == (status, answer[1] in page, len(verified))


def unmade(request, locked_out):
    return TemplateResponse(request, "two_forms.html", {"login_form": "come back"}, status=420)


async def awaited(request, locked_out):
    return HttpResponse("come back", status=420)


def guessing(request, locked_out):
    return said(verify(request), 420)


@pytest.mark.parametrize("place", ["plain", "apart", "rendered", "api", "process_view"])
@pytest.mark.parametrize(("answer", "expected"), [(unmade, 420), (awaited, 420), (guessing, 429)])
def test_answer_of_the_project(place, answer, expected, guess, settings, verified):
    """A callable, whatever it makes; one that guesses itself is not asked again."""
    settings.LOCKOUT_SITE = {**settings.LOCKOUT_SITE, "response": answer}
    middlewares, url = PLACES[place]
    within(settings, *middlewares)
    for _ in range(3):
        guess(url)
    status, page = guess(url, "right")
    assert (expected, True, 3) == (status, b"come back" in page or answer is guessing, len(verified))


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_who_is_exempt_is_asked_at_the_first_guess(guess, settings):
    """Once, when the user of the request is known, for its rendering too; not where nobody guesses."""
    asked = []

    def exempt(request):
        asked.append(request.user.is_anonymous)
        return "X-Free" in request.headers

    settings.LOCKOUT_SITE = {**settings.LOCKOUT_SITE, "exempt": exempt}
    guess("nothing")
    assert [] == asked
    for _ in range(4):
        guess("told", **{"X-Free": "yes"})
    assert [b"0", b"297"] == [guess("listed", **more)[1] for more in ({"X-Free": "yes"}, {})]
    assert [True] * 6 == asked
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.door"]
    assert [True] * 5 == [b"wrong" in guess("streamed", **{"X-Free": "yes"})[1] for _ in range(5)]


@pytest.mark.parametrize(("networks", "expected"), [(["127.0.0.0/8"], b"0"), (["192.0.2.0/24"], b"297")])
def test_networks_may_be_exempt(networks, expected, guess, settings):
    settings.LOCKOUT_SITE = {**settings.LOCKOUT_SITE, "exempt": networks}
    assert expected == guess("listed")[1]


def test_who_exempts_is_watched(guess, settings, verified):
    """What it guesses itself to find out counts."""
    settings.LOCKOUT_SITE = {**settings.LOCKOUT_SITE, "exempt": lambda request: bool(verify(request)), "calls": 1}
    assert [200, 429, 429] == [guess("plain", password)[0] for password in ("wrong", "wrong", "right")]
    assert 3 == len(verified)


def test_who_guesses_nothing_costs_nothing(monkeypatch, client):
    """Whatever the method: no cache is asked, and the POST data of other forms stays in error reports."""
    monkeypatch.setattr(Store, "read", None)
    monkeypatch.setattr(Store, "swap", None)
    for method in ("get", "post", "put"):
        response = getattr(client, method)("/nothing/")
        assert (200, False) == (response.status_code, hasattr(response.wsgi_request, "sensitive_post_parameters"))


@pytest.mark.parametrize("name", ["streamed", "rendered"])
def test_it_can_be_switched_off(name, rf, settings, verified):
    """Nothing is counted, and responses stay what they are."""
    settings.LOCKOUT_ENABLED = False
    made = LockoutMiddleware(VIEWS[name])(rf.post("/", {"username": "bob", "password": "wrong"}))
    assert "render" not in vars(made) and Resumed.__name__ not in repr(getattr(made, "_iterator", ""))
    with pytest.raises(ZeroDivisionError):
        LockoutMiddleware(broken)(rf.post("/"))
    guard = LockoutMiddleware(plain)
    assert [200] * 5 == [guard(rf.post("/", {"password": "wrong"})).status_code for _ in range(5)]


def test_post_data_is_hidden_from_the_first_guess_on(rf):
    """Not before: error reports of the rest of the site say as much as ever."""
    seen = []

    def view(request):
        seen.append(hasattr(request, "sensitive_post_parameters"))
        verify(request)
        seen.append(hasattr(request, "sensitive_post_parameters"))
        return HttpResponse()

    LockoutMiddleware(view)(rf.post("/", {"password": "right"}))
    assert [False, True] == seen


def test_wrong_switch_is_loud_and_tells_no_secret(rf, settings):
    """An error report is sent for every request then, those with passwords too."""
    settings.LOCKOUT_ENABLED, request = "no", rf.post("/", {"password": "right"})
    with pytest.raises(ImproperlyConfigured, match="LOCKOUT_ENABLED"):
        LockoutMiddleware(plain)(request)
    assert "__ALL__" == request.sensitive_post_parameters


LOOSE, TIGHT = LockoutPolicy(scope="loose", key="ip", max=9), LockoutPolicy(scope="tight", key="ip+username", max=2)
BOTH, NO, TO_BE_NAMED = [LOOSE, TIGHT], [], (LockoutPolicy(scope=DERIVED, key="username", max=7),)


@pytest.mark.parametrize(
    ("value", "scopes"),
    [
        ({}, ["site"]),
        ({"scope": "all", "key": "ip+username"}, ["all"]),
        (f"{__name__}.LOOSE", ["loose"]),
        (f"{__name__}.BOTH", ["loose", "tight"]),
        (f"{__name__}.TO_BE_NAMED", ["site"]),
        ("lockout_decorators.presets.LOGIN", ["site"] * len(presets.LOGIN)),
    ],
)
def test_policies_of_the_site(value, scopes, settings):
    """Arguments of one, or the path of one or of several; without a scope it is that of the site."""
    settings.LOCKOUT_SITE = value
    assert scopes == [policy.scope for policy in site_policies()]


def test_several_policies_of_the_site(guess, settings, verified):
    """Both count; the tighter one refuses."""
    settings.LOCKOUT_SITE = f"{__name__}.BOTH"
    assert [200, 200, 429] == [guess("plain", password)[0] for password in ("wrong", "wrong", "right")]
    assert 2 == len(verified)


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "",
        "no.where",
        f"{__name__}.plain",
        f"{__name__}.urlpatterns",
        {"max": 0},
        {"most": 5},
        {1: 2},
        f"{__name__}.NO",
    ],
)
def test_wrong_policies_stop_the_server(value, settings):
    """It says what came, and what is allowed."""
    settings.LOCKOUT_SITE = value
    with pytest.raises(ImproperlyConfigured, match=r"LOCKOUT_SITE is .* it must be"):
        LockoutMiddleware(plain)


def test_verdict_of_a_response_is_for_views(settings):
    """A policy that looks for it would have to look early at each request."""
    settings.LOCKOUT_SITE = {"failure": 401}
    with pytest.raises(ImproperlyConfigured, match="failure= is for views"):
        LockoutMiddleware(plain)


@pytest.mark.parametrize("value", [{}, {"max": 3}])
def test_reset_where_no_middleware_was_loaded(value, settings, rf):
    """By a process that serves no requests: by code, and by the command."""
    settings.LOCKOUT_SITE = value
    stranger = LockoutPolicy(scope="site", key="ip", **value)
    request = rf.post("/", REMOTE_ADDR="192.0.2.7")
    for reset in (
        reset_attempts,
        lambda request: call_command("lockout", "unlock", "--ip", "192.0.2.7", stdout=StringIO()),
    ):
        with stranger.attempt(request):
            pass
        registered.clear()
        reset(request)
        assert 0 == stranger.status(request).failures


@pytest.mark.parametrize(("middleware", "state"), [([], "open"), ([OURS], "guarded")])
def test_doors_of_the_site_are_guarded(middleware, state, settings):
    """Those whose secrets `authenticate()` verifies; a decorated one has its own policy."""
    settings.MIDDLEWARE = middleware
    found = {route: door for door in find_doors() for route in door.routes}
    assert [state] * 4 == [found[route].state for route in ("form/", "plain/", "api/", "admin/login/")]
    assert ["site (ip)"] * (state == "guarded") == found["form/"].guards
    assert ["own (ip)"] == found["own/"].guards


@pytest.mark.parametrize("value", [BOTH, {}])
def test_report_has_the_site_as_one_door(value, settings):
    """Its policies are met together."""
    settings.LOCKOUT_SITE = value and f"{__name__}.BOTH"
    assert [site_policies()] == [door.policies for door in doors() if {*door.policies} & {*site_policies()}]
    settings.LOCKOUT_SITE, settings.MIDDLEWARE = {}, []
    registered.clear()
    assert "site" not in [door.name for door in doors()]


def test_without_a_site_there_is_nothing_to_reset(settings, rf):
    settings.LOCKOUT_SITE, settings.MIDDLEWARE = {}, []
    reset_attempts(rf.post("/"))
    assert {} == registered

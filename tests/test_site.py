"""The middleware: guesses of the whole site, whoever makes them, under one policy."""

import base64

import pytest
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client
from django.urls import path
from rest_framework.authentication import BasicAuthentication
from rest_framework.response import Response
from rest_framework.views import APIView

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.middleware import LockoutMiddleware, site_policies
from lockout_decorators.stores import Store
from lockout_decorators.terms.registry import registered

OWN = LockoutPolicy(scope="own", key="ip", max=5, patience=0)
LOOSE, TIGHT = LockoutPolicy(scope="loose", key="ip", max=9), LockoutPolicy(scope="tight", key="ip+username", max=2)


def plain(request):
    user = authenticate(request, username="bob", password=request.POST["password"])
    return HttpResponse("welcome" if user else "wrong")


async def apart(request):
    user = await aauthenticate(request, username="bob", password=request.POST["password"])
    return HttpResponse("welcome" if user else "wrong")


def rendered(request):
    return TemplateResponse(request, "two_forms.html", {"login_form": AuthenticationForm(request, request.POST)})


def streamed(request):
    def lines():
        yield "checking...\n"
        yield "welcome" if authenticate(request, username="bob", password=request.POST["password"]) else "wrong"

    return StreamingHttpResponse(lines())


def caught(request):
    try:
        return plain(request)
    except LockedOut as locked_out:
        return HttpResponse(f"come back in {locked_out.status.retry_after}", status=503)


async def grouped(request):
    try:
        return await apart(request)
    except LockedOut as locked_out:
        raise ExceptionGroup("tasks", [locked_out]) from None


class Api(APIView):
    authentication_classes = [BasicAuthentication]

    def post(self, request):
        return Response("welcome")


class Door:
    """Signs in by a header, before any view is asked."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if password := request.headers.get("X-Password"):
            authenticate(request, username="bob", password=password)
        return self.get_response(request)


DOORS = {
    "nothing": lambda request: HttpResponse("to see here"),
    "plain": plain,
    "apart": apart,
    "rendered": rendered,
    "streamed": streamed,
    "caught": caught,
    "grouped": grouped,
    "api": Api.as_view(),
    "own": lockout_protect(OWN)(plain),
    "free": lockout_protect(scope="free", exempt=lambda request: True)(plain),
}
urlpatterns = [path(f"{name}/", view) for name, view in DOORS.items()]


@pytest.fixture(autouse=True)
def site(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["lockout_decorators.middleware.LockoutMiddleware", f"{__name__}.Door", *settings.MIDDLEWARE]
    settings.LOCKOUT_SITE = {"key": "ip", "max": 3, "patience": 0}


def body(response):
    return b"".join(response) if response.streaming else response.content


def basic(password):
    return {"Authorization": f"Basic {base64.b64encode(f'bob:{password}'.encode()).decode()}"}


def guess(door, password="wrong"):
    client = Client(raise_request_exception=False)
    response = client.post(f"/{door}/", {"username": "bob", "password": password}, headers=basic(password))
    return response.status_code, body(response)


async def aguess(door, password="wrong"):
    client = AsyncClient(raise_request_exception=False)
    response = await client.post(f"/{door}/", {"username": "bob", "password": password}, headers=basic(password))
    found = b"".join([chunk async for chunk in response]) if response.streaming else response.content
    return response.status_code, found


@pytest.mark.parametrize("door", ["plain", "apart", "rendered", "grouped", "api"])
def test_every_view_is_protected(door, verified, caplog):
    """Without a decorator; the right password is refused as well, and no error is logged."""
    for _ in range(3):
        guess(door)
    status, page = guess(door, "right")
    assert (429, 3) == (status, len(verified))
    assert b"welcome" not in page
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("door", ["plain", "apart", "rendered", "grouped", "api"])
async def test_every_view_is_protected_under_asgi(door, verified):
    for _ in range(3):
        await aguess(door)
    status, page = await aguess(door, "right")
    assert (429, 3) == (status, len(verified))
    assert b"welcome" not in page


def test_views_share_one_count(verified):
    """That of the site; a success is a success, and forgives its own."""
    assert [(200, b"wrong"), (200, b"welcome")] == [guess("plain"), guess("apart", "right")]
    for door in ("plain", "apart", "api"):
        guess(door)
    assert [429, 429, 429] == [guess(door, "right")[0] for door in ("plain", "api", "rendered")]
    assert 5 == len(verified)


def test_stream_ends_with_a_refusal(verified, caplog):
    """Its head is sent by then."""
    for _ in range(3):
        assert guess("streamed") == (200, b"checking...\nwrong")
    assert guess("streamed", "right") == (200, b"checking...\n")
    assert 3 == len(verified)


def test_guess_in_a_middleware(verified):
    """Django makes a 500 of what an inner middleware raises; the client gets the refusal."""
    client = Client(raise_request_exception=False)
    for _ in range(3):
        client.get("/own/", headers={"X-Password": "wrong"})
    response = client.post("/plain/", {"password": "right"}, headers={"X-Password": "right", "Accept": "text/plain"})
    assert (429, "600") == (response.status_code, response["Retry-After"])
    assert b"Too many failed attempts" in response.content
    assert 3 == len(verified)


def test_policy_of_a_view_takes_the_place_of_the_site(rf, verified):
    """In it, nothing is counted for the site; nor does a locked site keep anybody from it."""
    for _ in range(5):
        guess("own")
    assert [429, 200] == [guess("own", "right")[0], guess("plain", "right")[0]]
    for _ in range(3):
        guess("plain")
    OWN.reset(rf.get("/"))
    assert [429, 200] == [guess("plain", "right")[0], guess("own", "right")[0]]
    assert 5 + 1 + 3 + 1 == len(verified)


def test_view_may_have_the_policy_of_the_site(rf, verified):
    """The same one, by name: a guess in it counts, once."""
    (policy,) = site_policies()
    view = lockout_protect(policy)(plain)
    guard = LockoutMiddleware(view)
    answers = [guard(rf.post("/", {"password": "wrong"})).status_code for _ in range(4)]
    assert ([200, 200, 200, 429], 3) == (answers, len(verified))


def test_exempt_from_the_policy_of_a_view(verified):
    """What no block of a view watches, the site does."""
    for _ in range(3):
        guess("free")
    assert 429 == guess("free", "right")[0]
    assert 3 == len(verified)


def test_view_may_answer_by_itself(verified):
    """Whoever catches the refusal has the last word, unless it is that of an error."""
    for _ in range(3):
        guess("caught")
    assert guess("caught", "right") == (503, b"come back in 600")


def test_who_guesses_nothing_costs_nothing(monkeypatch, client):
    """Whatever the method: no cache is asked, and the POST data of other forms stays in error reports."""
    monkeypatch.setattr(Store, "read", None)
    monkeypatch.setattr(Store, "swap", None)
    for method in ("get", "post", "put"):
        response = getattr(client, method)("/nothing/")
        assert (200, False) == (response.status_code, hasattr(response.wsgi_request, "sensitive_post_parameters"))


def test_post_data_is_hidden_from_the_first_guess_on(rf):
    """Not before: error reports of the rest of the site say as much as ever."""
    seen = []

    def view(request):
        seen.append(hasattr(request, "sensitive_post_parameters"))
        authenticate(request, username="bob", password="right")
        seen.append(hasattr(request, "sensitive_post_parameters"))
        return HttpResponse()

    LockoutMiddleware(view)(rf.post("/"))
    assert [False, True] == seen


@pytest.mark.parametrize(
    ("value", "scopes"),
    [
        ({}, ["site"]),
        ({"scope": "all", "key": "ip+username"}, ["all"]),
        (f"{__name__}.LOOSE", ["loose"]),
        (f"{__name__}.BOTH", ["loose", "tight"]),
        (f"{__name__}.DERIVED", ["site"]),
    ],
)
def test_policies_of_the_site(value, scopes, settings):
    """Arguments of one, or the path of one or of several; without a scope it is that of the site."""
    settings.LOCKOUT_SITE = value
    assert scopes == [policy.scope for policy in site_policies()]
    assert {*scopes} <= {*registered} | {"loose", "tight"}


BOTH = [LOOSE, TIGHT]
DERIVED = (LockoutPolicy(scope="(derived from the view)", key="username", max=7),)


@pytest.mark.parametrize(
    "value",
    [None, 5, "", "no.where", f"{__name__}.plain", f"{__name__}.urlpatterns", {"max": 0}, {"maximum": 5}, {1: 2}],
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


def test_several_policies_of_the_site(settings, verified):
    """Both count; the tighter one refuses."""
    settings.LOCKOUT_SITE = f"{__name__}.BOTH"
    for _ in range(2):
        guess("plain")
    assert 429 == guess("plain", "right")[0]
    assert 2 == len(verified)

"""Django REST framework: its own handler, renderers and authenticators, before and after the view runs."""

import json
import sys

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import Throttled
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler
from rest_framework.viewsets import ViewSet

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, policies_of
from lockout_decorators.answers import drf
from lockout_decorators.exceptions import flavoured
from tests.answers import without_code
from tests.doors import FORM, RIGHT, PlainAPI, acheck, check, mount, over_http
from tests.guessing import basic
from tests.sizes import IN_FULL, pairs

DETAIL = "Too many failed attempts. Expected available in 120 seconds."


pytestmark = pytest.mark.usefixtures("frozen")


class Login(PlainAPI):
    """What each spelling protects; every one gets a fresh subclass, since classes are decorated in place."""


def whole_class(policy, base=Login, **attributes):
    return lockout_protect(policy)(type("Login", (base,), attributes)).as_view()


def handler(policy, base=Login, **attributes):
    return type("Login", (APIView,), {"post": lockout_protect(policy)(base.post), **attributes}).as_view()


def outside(policy, base=Login, **attributes):
    return lockout_protect(policy)(type("Login", (base,), attributes).as_view())


def viewset(policy, base=Login, **attributes):
    return outside(policy, Created, create=base.post, **attributes)


def viewset_class(policy, base=Login, **attributes):
    return whole_class(policy, Created, create=base.post, **attributes)


class Created(ViewSet):
    @classmethod
    def as_view(cls):
        return super().as_view({"post": "create"})


SPELLINGS = [whole_class, handler, outside, viewset, viewset_class]
EARLY, LATE = "ip", "ip+username"  # the latter is known only when authenticate() is called


SERVERS, KEYS = ["wsgi", "asgi"], [EARLY, LATE]
IN_TURN = [(spelling, SERVERS[n % 2], KEYS[n // 2 % 2]) for n, spelling in enumerate(SPELLINGS)]


@pytest.fixture(params=pairs(SPELLINGS, SERVERS, KEYS) if IN_FULL else IN_TURN)
def locked(request, settings, verified):
    """Mount a view, use up its one guess, and return how to ask again, with the correct password."""
    spelling, server, key = request.param
    send = over_http(server)

    def lock(**attributes):
        policy = LockoutPolicy(scope="s", max=1, lockout=120, key=key, response=attributes.pop("response", None))
        mount(settings, spelling(policy, **attributes))
        assert send("/", FORM).status_code == 401
        return lambda **more: send("/", RIGHT, **more)

    yield lock
    assert len(verified) == 1


def test_body_is_that_of_drf(locked):
    """The refusal is DRF's own Throttled, early and late, however the view was decorated; also in a form that the view
    does not have."""
    ask = locked()
    answer = ask()
    assert (answer.status_code, json.loads(without_code(answer.content))) == (429, {"detail": DETAIL})
    assert ("120", "no-store") == (answer["Retry-After"], answer["Cache-Control"])
    assert "application/json" == answer["Content-Type"]
    assert ask(headers={"Accept": "image/png"}).status_code in (406, 429)


class Shouting(BaseRenderer):
    media_type, format = "text/shouting", "shout"

    def render(self, data, accepted_media_type=None, renderer_context=None):
        return str(data["detail"]).upper().encode()


def test_renderer_is_that_of_the_view(locked, settings):
    """The view's renderers are negotiated with as always; the browsable API renders the refusal, in debugging too."""
    ask = locked(renderer_classes=[JSONRenderer, Shouting, BrowsableAPIRenderer])
    answer = ask(headers={"Accept": "text/shouting"})
    assert (429, DETAIL.upper()) == (answer.status_code, without_code(answer.content))
    for settings.DEBUG in (False, True):
        answer = ask(headers={"Accept": "text/html"})
        assert (429, "120") == (answer.status_code, answer["Retry-After"])
        assert DETAIL in without_code(answer.content)


def own_handler(exc, context):
    return Response({"error": str(exc.detail), "view": type(context["view"]).__name__}, status=exc.status_code)


def test_exception_handler_of_the_project_answers(locked, settings):
    """A custom EXCEPTION_HANDLER is asked, early and late, and gets the headers that it leaves out."""
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": "tests.test_drf.own_handler"}
    answer = locked()()
    assert (answer.status_code, json.loads(without_code(answer.content))) == (429, {"error": DETAIL, "view": "Login"})
    assert (answer["Retry-After"], answer["Cache-Control"]) == ("120", "no-store")


def no_handler(exc, context):
    return None if isinstance(exc, LockedOut) else exception_handler(exc, context)


@pytest.mark.parametrize("debug", [False, True])
def test_exception_handler_that_passes_leaves_it_to_the_decorator(debug, locked, settings):
    """Where the project's handler returns None the decorator answers as it does elsewhere."""
    settings.DEBUG = debug
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": "tests.test_drf.no_handler"}
    answer = locked()(headers={"Accept": "application/json"})
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/problem+json")
    assert answer.json()["title"] == "Too many failed attempts."


def test_response_of_the_policy_wins(locked):
    """`response=` answers in DRF as well, unless DRF has answered already."""
    answer = locked(response=lambda request, locked_out: HttpResponse("mine", status=418))()
    assert (418, b"mine") == (answer.status_code, answer.content)


def url_handler(exc, context):
    return Response({"kwargs": context["kwargs"], "args": context["args"]}, status=exc.status_code)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_exception_handler_gets_the_arguments_of_the_url(rf, settings, verified, key, spelling):
    """The handler's context is the same early and late."""
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": "tests.test_drf.url_handler"}

    class Tenant(Login):
        def post(self, request, tenant):
            return check(request)

    view = spelling(LockoutPolicy(scope="s", max=1, key=key), base=Tenant)
    view(rf.post("/", FORM), tenant="acme")
    answer = view(rf.post("/", RIGHT), tenant="acme")
    assert (answer.status_code, answer.data) == (429, {"kwargs": {"tenant": "acme"}, "args": ()})
    assert len(verified) == 1


# Authenticators


class NeedsUser(PlainAPI):
    authentication_classes = [BasicAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"user": request.user.username})

    post = get


@pytest.mark.parametrize(
    ("method", "accept", "spell", "key", "server"),
    pairs(["get", "post"], ["application/json", "text/html"], [whole_class, outside], KEYS, SERVERS),
)
def test_basic_authentication_is_counted(method, accept, spell, key, server, settings, verified):
    """It fails before the handler runs; seen all the same where the class, or what is outside of it, is decorated.

    While locked nothing is verified: not by a renderer either, that asks for the user after the block has ended.
    """
    policy = LockoutPolicy(scope="s", max=2, lockout=120, key=key)
    mount(settings, spell(policy, base=NeedsUser))

    def ask(password):
        return over_http(server)("/", method=method, headers={**basic(password), "Accept": accept})

    first = ask("wrong")
    verified.clear() if accept == "text/html" else None
    assert first.status_code == 401
    while (answer := ask("wrong")).status_code != 429:
        assert answer.status_code == 401
    seen = list(verified)
    answers = [ask("right"), ask("wrong")]
    assert [answer.status_code for answer in answers] == [429, 429]
    assert seen == verified
    assert {"no-store"} == {answer["Cache-Control"] for answer in answers}
    if accept == "application/json":
        assert len(seen) == 2
        assert {answers[0].content} == {answer.content for answer in answers}


@pytest.fixture
def token(db, django_user_model):
    return Token.objects.create(user=django_user_model.objects.create(pk=1, username="bob")).key


class TokenOnly(NeedsUser):
    authentication_classes = [TokenAuthentication]


class FromHeader(TokenAuthentication):
    def authenticate(self, request):
        key = request.headers.get("X-Api-Key")
        return self.authenticate_credentials(key) if key else None


class KeyOnly(NeedsUser):
    authentication_classes = [FromHeader]


def told(request, response):
    return response.status_code == 401 and "Authorization" in request.headers


FAILURES = {
    "status": {"failure": 401},
    "statuses": {"failure": (401, 403)},
    "callable": {"failure": told},
    "callable that may not know": {"failure": lambda request, response: "guess" in str(request.headers) or None},
    "another header": {"failure": 401, "credentials": lambda request: "X-Api-Key" in request.headers},
}


@pytest.mark.parametrize(("failure", "spell", "server"), pairs(FAILURES, [whole_class, outside], SERVERS))
def test_guessed_tokens_are_counted_by_the_response(failure, spell, server, settings, token):
    """`failure=` serves views whose verdict shows only in the response, `credentials=` tells what is a guess; while
    locked the right token is refused."""
    by_key = failure == "another header"
    policy = LockoutPolicy(scope="s", max=3, lockout=120, **FAILURES[failure])
    mount(settings, spell(policy, base=KeyOnly if by_key else TokenOnly))

    def ask(*tokens, **more):
        sent = [{"X-Api-Key": one} if by_key else {"Authorization": f"Token {one}"} for one in tokens] or [{}]
        return [over_http(server)("/", method="get", headers=headers, **more).status_code for headers in sent]

    assert 5 * [[401]] == [ask() for _ in range(5)]
    assert [200, 401, 401, 401, 429, 429] == ask(token, "guess0", "guess1", "guess2", "guess3", token)
    assert ([429], [200]) == (ask(), ask(token, address="192.0.2.2"))


@pytest.mark.parametrize("failure", [401, lambda request, response: True])
def test_verdict_of_authenticate_is_not_counted_twice(failure, send, settings, verified):
    """A guess that `authenticate()` judged is one guess, whatever the response; and no failure, if it was right."""
    mount(settings, whole_class(LockoutPolicy(scope="s", max=3, failure=failure), base=NeedsUser))
    said = ["right"] * (0 if callable(failure) else 4) + ["wrong"] * 4 + ["right"]
    statuses = [send("/", method="get", headers=basic(password)).status_code for password in said]
    assert [200] * (len(said) - 5) + [401, 401, 401, 429, 429] == statuses
    assert len(said) - 2 == len(verified)


@pytest.mark.parametrize("key", KEYS)
async def test_asynchronous_api_view_is_answered_by_its_own_handler(async_rf, verified, key):
    """An APIView with an asynchronous `dispatch`, as add-ons have it, is awaited and refused like any other."""

    @lockout_protect(max=1, key=key)
    class View(APIView):
        view_is_async = True

        async def dispatch(self, request, *args, **kwargs):
            self.args, self.kwargs = args, kwargs
            return await acheck(request)

    view = View.as_view()
    answers = [await view(async_rf.post("/", form)) for form in (FORM, RIGHT)]
    assert [answer.status_code for answer in answers] == [401, 429]
    assert answers[1].data["detail"].startswith("Too many failed attempts.")
    assert len(verified) == 1


# The exception


def test_locked_out_is_throttled_in_a_drf_project(rf):
    """DRF's own handler knows what to do with it."""
    policy = LockoutPolicy(scope="s", max=1)
    policy.attempt(rf.post("/")).__enter__().__exit__(None, None, None)
    with pytest.raises(LockedOut) as caught:
        policy.attempt(rf.post("/")).__enter__()
    assert isinstance(caught.value, Throttled)
    assert (caught.value.status_code, caught.value.wait) == (429, 600)


def test_nothing_of_drf_is_needed(monkeypatch):
    """In a project without DRF the exception is the plain one, and no view is DRF's."""
    monkeypatch.delitem(sys.modules, "rest_framework.views")
    assert flavoured(LockedOut) is LockedOut
    assert drf.view_of(check, None, RequestFactory().get("/"), (), {}) is None


def test_request_of_drf_without_a_view_is_answered_plainly(rf, verified):
    """A DRF request that no view made, as in a test of one's own, is answered like any other."""
    from rest_framework.request import Request

    view = lockout_protect(max=1, scope="s")(lambda request, *args: check(request))
    answers = [view(Request(rf.post("/", form), parsers=[MultiPartParser()])) for form in (FORM, RIGHT)]
    assert [answer.status_code for answer in answers] == [401, 429]
    assert answers[1].content.startswith(b"Too many failed attempts.")
    assert len(verified) == 1


@pytest.mark.parametrize("spelling", [lambda view: view, lambda view: view.cls.as_view()], ids=["outside", "class"])
def test_request_by_keyword_is_answered_by_the_view(rf, spelling):
    """Early, with nothing but the request's name in the way."""

    @lockout_protect(key="ip", max=1, scope="keyword")
    class Door(PlainAPI):
        def post(self, request):
            """Not reached: the client is locked."""

    (policy,) = policies_of(Door)
    view = spelling(lockout_protect(policy)(Door.as_view()))
    with policy.attempt(rf.post("/")):
        pass
    response = view(request=rf.post("/"))
    assert (response.status_code, "detail" in response.data) == (429, True)

"""`failure=`: verdicts that show in the response, or in what the view raises; and what else the project is asked."""

import pytest
from django.contrib.auth import authenticate
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpResponse
from django.test import Client
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response
from rest_framework.versioning import QueryParameterVersioning
from rest_framework.views import APIView

from lockout_decorators import LockedOut, lockout_protect
from tests.doors import mount
from tests.guessing import WRONG, ask, basic, by_status, login, post, rule

looked_up = []


def token_is_right(request):
    looked_up.append(get_authorization_header(request).decode().removeprefix("Token "))
    return looked_up[-1] == "right"


def hook(request):
    """As a webhook's view is usually written."""
    if not token_is_right(request):
        raise PermissionDenied
    return HttpResponse("done")


async def ahook(request):
    return hook(request)


def invitation(request):
    if not token_is_right(request):
        raise Http404
    return HttpResponse("welcome")


class Tokens(BaseAuthentication):
    def authenticate(self, request):
        if get_authorization_header(request) and not token_is_right(request):
            raise AuthenticationFailed("Invalid token.")

    def authenticate_header(self, request):
        return "Token"


class Account(APIView):
    """Its verdict shows only while the browsable page is rendered, where the version is refused."""

    authentication_classes = [Tokens]
    versioning_class = type("Versions", (QueryParameterVersioning,), {"allowed_versions": ["1"]})

    def get(self, request):
        return Response({"user": str(request.user)})


def password_and_code(request):
    """Both are asked for, the second by hand."""
    user = authenticate(request, username="eve", password="eves")
    return HttpResponse(status=200 if token_is_right(request) and user else 401)


class KeyAndPassword(APIView):
    authentication_classes = [BasicAuthentication]

    def get(self, request):
        looked_up.append(request.headers.get("X-Api-Key", ""))
        if looked_up[-1] != "right":
            raise AuthenticationFailed
        return Response("secret")


FAILING = {
    "403": (hook, 403, ""),
    "asynchronous 403": (ahook, 403, ""),
    "404": (invitation, 404, ""),
    "callable": (hook, lambda request, response: response.status_code == 403, ""),
    "DRF": (Account, (401, 403), "?version=1"),
    "DRF while it is rendered": (Account, (401, 403), "?version=2"),
    "after a right password": (password_and_code, 401, ""),
    "of DRF, after a right password": (KeyAndPassword, (401, 403), ""),
}


@pytest.mark.parametrize("how", FAILING)
def test_what_the_response_says_is_counted(how, settings, db):
    """Three wrong secrets are looked up, then not even the right one; other verdicts excuse nothing."""
    view, failure, query = FAILING[how]
    cls = type("Door", (view,), {}) if isinstance(view, type) else view
    door = lockout_protect(rule(failure=failure, scope="failing"))(cls)
    mount(settings, getattr(door, "as_view", lambda: door)())

    def send(token=None):
        headers = {"Authorization": f"Token {token}"} if token else {}
        if view is KeyAndPassword:
            headers = {**basic("eves", "eve"), "X-Api-Key": token}
        Client(raise_request_exception=False).get(f"/{query}", headers={"Accept": "text/html", **headers})

    if view is not KeyAndPassword and not callable(failure):
        send()  # shows no credential
    send("right")
    looked_up.clear()
    for token in [*WRONG, "right"]:
        send(token)
    assert WRONG[:3] == [*dict.fromkeys(looked_up)]
    assert len(looked_up) == 3 or view is Account


def test_a_success_inside_hides_no_failure_of_the_response(verified):
    """A right password and a wrong second factor: the block around it counts the answer, though the one inside counts
    alike and saw no failure."""
    around, inside = by_status(max=2), rule(max=2, exempt=lambda request: False)

    def sign_in(status):
        with around.observe(request := post("right")) as block:
            with inside.observe(request):
                assert ask(request)
            block.response = HttpResponse(status=status)

    sign_in(200)
    for failures in (1, 2):
        sign_in(401)
        assert failures == around.status(post()).failures
    with pytest.raises(LockedOut):
        sign_in(200)
    assert 3 == len(verified)
    around.reset(request=post())
    sign_in(200)


def test_who_is_not_exempt_is_refused_by_what_the_response_said():
    """The project is asked who is exempt; for all others the response is the verdict, and their lock is seen early."""
    policy, ran = by_status(max=2, exempt=lambda request: False), []

    @lockout_protect(policy)
    def view(request):
        ran.append(request)
        return HttpResponse(status=401 if len(ran) < 3 else 200)

    assert [401, 401, 429, 429] == [view(post()).status_code for _ in range(4)]
    assert 2 == len(ran)
    policy.reset(request=post())
    assert 200 == view(post()).status_code


def test_a_response_is_no_verdict_after_an_attempt():
    """The 401 that says what the attempt inside has said."""
    policy = by_status()
    with policy.observe(request := post()) as block:
        with policy.attempt(request):
            pass
        block.response = HttpResponse(status=401)
    assert 1 == policy.status(request).failures


# What is to be awaited is no answer


async def _later(*asked):  # pragma: no cover
    return False


class Promise:
    def __await__(self):  # pragma: no cover
        yield


AWAITED = {
    "key": {"key": lambda request, identity: _later()},
    "username": {"key": "username", "ceiling": None, "username": lambda request, credentials: _later()},
    "exempt": {"exempt": lambda request: _later()},
    "failure": {"failure": lambda request, response: _later()},
    "credentials": {"failure": 200, "credentials": lambda request: _later()},
    "promise": {"key": lambda request, identity: Promise()},
}


@pytest.mark.parametrize("what", AWAITED)
def test_what_is_to_be_awaited_is_no_answer(what, verified):
    """A lambda hides that it calls a coroutine function: its answer would be true, and another one each time."""
    view = lockout_protect(rule(**AWAITED[what]))(login)
    told = "key= returned a Promise" if what == "promise" else f"{what}= returned a coroutine"
    with pytest.raises(ImproperlyConfigured, match=f"{told}; it must answer by itself"):
        view(post("right"))
    assert what in ("failure", "credentials") or [] == verified

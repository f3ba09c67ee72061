"""The recipe for Django REST framework."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.urls import path, reverse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework.authentication import BasicAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.decorators import action
from rest_framework.exceptions import Throttled
from rest_framework.generics import GenericAPIView
from rest_framework.viewsets import GenericViewSet

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.contrib.drf import LockoutAuthentication
from tests.answers import without_code
from tests.backends import CountingBackend
from tests.recipes import drf, drf_schema

pytestmark = pytest.mark.urls("tests.recipes.drf")

WRONG, RIGHT = {"username": "bob", "password": "wrong"}, {"username": "bob", "password": "right"}
HTML = {"accept": "text/html"}


def basic(password):
    return {"authorization": "Basic " + base64.b64encode(f"bob:{password}".encode()).decode()}


def bearing(token):
    return {"authorization": f"Token {token}"}


@pytest.fixture
def token(bob):
    return Token.objects.create(user=bob).key


@pytest.fixture
def lookups(db):
    """The tokens that the database was asked for."""
    seen = []

    def note(execute, sql, params, many, context):
        seen.extend(params[:1] if 'FROM "authtoken_token"' in sql else ())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield seen


def is_refusal_of_drf(answer):
    """Throttled's own body, and when to come back."""
    detail = f"Too many failed attempts. Expected available in {answer['Retry-After']} seconds."
    return (answer.status_code, json.loads(without_code(answer.content))) == (429, {"detail": detail})


@pytest.mark.parametrize(("door", "wrong"), [("/token/", 400), ("/sessions/sign_in/", 403)])
def test_sign_in(door, wrong, visitor, bob, verified):
    """Five passwords are verified at ObtainAuthToken and at the action of a ViewSet."""
    guesser = visitor()
    assert [guesser.post(door, WRONG).status_code for _ in range(6)] == [wrong] * 5 + [429]
    assert is_refusal_of_drf(guesser.post(door, RIGHT))
    assert verified == ["wrong"] * 5
    assert visitor("192.0.2.2").post(door, RIGHT).status_code == 200


def test_login_of_the_browsable_api(visitor, bob, verified):
    """The form that `rest_framework.urls` links to is the protected one."""
    guesser, login = visitor(), reverse("rest_framework:login")
    assert [guesser.post(login, WRONG).status_code for _ in range(6)] == [200] * 5 + [429]
    refused = guesser.post(login, RIGHT, headers=HTML)
    assert (refused.status_code, refused["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert verified == ["wrong"] * 5
    neighbour = visitor("192.0.2.2")
    assert neighbour.post(login, {**RIGHT, "next": "/tokens/"}).status_code == 302


@pytest.mark.parametrize("accept", [{}, HTML])
def test_basic(accept, visitor, bob, verified):
    """Five passwords are verified, as JSON and in the browsable API."""
    guesser = visitor()
    statuses = [guesser.get("/basic/", headers={**basic("wrong"), **accept}).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    assert verified == ["wrong"] * 5
    assert is_refusal_of_drf(guesser.get("/basic/", headers=basic("right")))
    page = guesser.get("/basic/", headers={**basic("right"), **HTML})
    assert (page.status_code, b"Too many failed attempts." in page.content) == (429, True)
    assert verified == ["wrong"] * 5
    assert visitor("192.0.2.2").get("/basic/", headers=basic("right")).status_code == 200


class GuardedBasic(LockoutAuthentication, BasicAuthentication):
    lockout_policy = LockoutPolicy(scope="guarded basic", max=5)


class GuardedBasicAccount(drf.Account):
    authentication_classes = [GuardedBasic]


@pytest.mark.parametrize("view", [drf.BasicAccount, GuardedBasicAccount])
def test_busy_client_with_the_right_password_is_not_throttled(view, rf, settings):
    """Two hundred requests at once: each is verified, all are answered; wrong ones lock as ever."""
    settings.AUTHENTICATION_BACKENDS = ["tests.backends.CountingBackend"]
    together, ask = threading.Barrier(200, timeout=30), view.as_view()

    def request(password):
        return ask(rf.get("/", headers=basic(password))).status_code

    def busy(number):
        together.wait()
        return request("right")

    with ThreadPoolExecutor(200) as pool:
        assert list(pool.map(busy, range(200))) == [200] * 200
    assert len(CountingBackend.verified) == 200
    assert [request("wrong") for _ in range(6)] == [401] * 5 + [429]
    assert request("right") == 429
    assert len(CountingBackend.verified) == 205


@pytest.mark.parametrize("door", ["/tokens/", "/response/"])
def test_tokens(door, visitor, token, lookups):
    """Five tokens are looked up; anonymous requests are none, and refused only where the response is the verdict."""
    guesser = visitor()
    assert [guesser.get(door).status_code for _ in range(6)] == [401] * 6
    assert [guesser.get(door, headers=bearing(token)).status_code for _ in range(6)] == [200] * 6
    lookups.clear()
    guesses = [f"guess{number}" for number in range(6)]
    assert [guesser.get(door, headers=bearing(guess)).status_code for guess in guesses] == [401] * 5 + [429]
    assert is_refusal_of_drf(guesser.get(door, headers=bearing(token)))
    assert guesser.get(door, headers={**bearing(token), **HTML}).status_code == 429
    assert lookups == guesses[:5]
    assert guesser.get(door).status_code == {"/tokens/": 401, "/response/": 429}[door]
    assert visitor("192.0.2.2").get(door, headers=bearing(token)).status_code == 200


@pytest.mark.parametrize("door", ["/basic/", "/tokens/", "/response/"])
def test_exception_handler(door, visitor, token, settings):
    """The project's own makes the answer at every door."""
    settings.REST_FRAMEWORK = {"EXCEPTION_HANDLER": "tests.recipes.drf.handle"}
    guesser = visitor()
    headers = basic("wrong") if door == "/basic/" else bearing("guess")
    answers = [guesser.get(door, headers=headers) for _ in range(6)]
    assert answers[0].json() == {"detail": answers[0].data["detail"]}
    refused = answers[5]
    assert refused.json() == {"code": "locked_out", "seconds": int(refused["Retry-After"])}
    assert refused.status_code == 429


def test_refusal_is_throttled(rf):
    """So code that knows DRF's exception knows this one."""
    policy = LockoutPolicy(scope="s", max=1)
    with policy.attempt(rf.get("/")):
        pass
    with pytest.raises(Throttled) as raised:
        policy.attempt(rf.get("/")).__enter__()
    assert isinstance(raised.value, LockedOut)
    assert raised.value.wait == raised.value.status.retry_after


class Report(GenericAPIView):
    schema = drf_schema.Schema()
    serializer_class = AuthTokenSerializer
    authentication_classes = []

    def post(self, request):
        """Answers for the schema only."""


class Reports(GenericViewSet):
    schema = drf_schema.Schema()
    serializer_class = AuthTokenSerializer
    authentication_classes = []

    @action(detail=False, methods=["post"])
    @lockout_protect()
    def guarded(self, request):
        """Answers for the schema only."""


protect = lockout_protect(max=5, scope="report")
WAYS = {
    "bare": (Report.as_view(), False),
    "class": (protect(type("Whole", (Report,), {})).as_view(), True),
    "handler": (type("Handler", (Report,), {"post": protect(Report.post)}).as_view(), True),
    "outside": (protect(Report.as_view()), False),
    "action": (Reports.as_view({"post": "guarded"}), True),
    "tokens": (Report.as_view(authentication_classes=[drf.Tokens]), True),
    "basic": (Report.as_view(authentication_classes=[GuardedBasic]), True),
}


@pytest.mark.parametrize("way", WAYS)
def test_schema_tells_of_the_refusal(way, capsys):
    """Without a warning, however the view is decorated; what stands around `as_view()` can't be seen."""
    view, is_told = WAYS[way]
    for patterns in ([path("report/", WAYS["bare"][0])], [path("report/", view)]):  # extensions are loaded by the first
        capsys.readouterr()
        schema = SchemaGenerator(patterns=patterns).get_schema(public=True)
    assert capsys.readouterr().err == ""
    validate_schema(schema)
    operation = schema["paths"]["/report/"]["post"]
    assert operation["responses"].keys() == ({"200", "429"} if is_told else {"200"})
    assert [*operation["security"][0]] == {"tokens": ["tokenAuth"], "basic": ["basicAuth"]}.get(way, [])

"""LockoutAuthentication: tokens and Basic credentials are guesses before they are looked up."""

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.views.debug import ExceptionReporter
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, signals
from lockout_decorators.contrib.drf import LockoutAuthentication
from lockout_decorators.stores import Store
from tests.answers import without_code
from tests.doors import mount, over_http
from tests.guessing import basic
from tests.sizes import IN_FULL

SECRET = "0123-the-secret-token"


class Lookups(TokenAuthentication):
    """DRF's, with a list of the tokens that were looked up: the oracle."""

    made: list[str] = []

    def authenticate_credentials(self, key):
        self.made.append(key)
        return super().authenticate_credentials(key)


@pytest.fixture
def lookups():
    Lookups.made.clear()
    return Lookups.made


@pytest.fixture
def token(db, django_user_model):
    return Token.objects.create(user=django_user_model.objects.create(pk=1, username="bob")).key


class Account(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"user": request.user.get_username()})


def account(*authentications, **attributes):
    return type("Account", (Account,), {"authentication_classes": authentications, **attributes}).as_view()


def guarding(base, **arguments):
    policy = LockoutPolicy(**{"scope": "api", "max": 3, "lockout": 120, **arguments})
    return type("Guarding", (LockoutAuthentication, base), {"lockout_policy": policy})


def bearing(token):
    return {"Authorization": f"Token {token}"}


@pytest.fixture(params=["wsgi", "asgi"] if IN_FULL else ["asgi"])
def ask(request, settings):
    """Mount an account behind these authentications; `ask(headers)` is the status of a request for it."""
    send = over_http(request.param)

    def serve(*authentications, **attributes):
        mount(settings, account(*authentications, **attributes))
        return lambda headers=None, **more: send("/", method="get", headers=headers or {}, **more).status_code

    return serve


# Tokens


def test_guessed_tokens_are_looked_up_so_often_and_no_more(ask, lookups, token):
    """Then the right one is not looked up either; another client's is."""
    status = ask(guarding(Lookups))
    assert [status(bearing(f"guess{number}")) for number in range(5)] == [401, 401, 401, 429, 429]
    assert status(bearing(token)) == 429
    assert lookups == ["guess0", "guess1", "guess2"]
    assert status(bearing(token), address="192.0.2.2") == 200


def test_answer_is_that_of_drf(send, settings, frozen, token):
    """Throttled, with Retry-After, as JSON and as a page."""
    renderers = [JSONRenderer, BrowsableAPIRenderer]
    mount(settings, account(guarding(TokenAuthentication, max=1), renderer_classes=renderers))
    send("/", method="get", headers=bearing("guess"))
    answer, page = [
        send("/", method="get", headers={**bearing(token), "Accept": accept}) for accept in ("*/*", "text/html")
    ]
    assert (429, 429, "120") == (answer.status_code, page.status_code, answer["Retry-After"])
    detail = "Too many failed attempts. Expected available in 120 seconds."
    assert json.loads(without_code(answer.content)) == {"detail": detail}
    assert b"Too many failed attempts." in page.content


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_request_is_one_guess_however_it_is_rendered(accept, ask, lookups, token):
    """The browsable page, which asks for the user again, counts and looks up nothing."""
    status = ask(guarding(Lookups), renderer_classes=[JSONRenderer, BrowsableAPIRenderer])
    assert [status({**bearing("guess"), "Accept": accept}) for _ in range(4)] == [401, 401, 401, 429]
    assert status({**bearing(token), "Accept": accept}) == 429
    assert len(lookups) == 3


def test_right_tokens_forgive_nothing(ask, lookups, token):
    """An attacker's own token between guesses at others buys no further guess."""
    status = ask(guarding(Lookups))
    headers = [bearing(key) for key in ("guess", token, "guess", token, "guess", token)]
    assert [status(header) for header in headers] == [401, 200, 401, 200, 401, 429]
    assert len(lookups) == 5


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Token"}, bearing("a b")])
def test_requests_without_a_credential_cost_nothing(headers, ask, lookups, monkeypatch, token):
    """Neither a slot nor a cache operation, however many there are."""
    status = ask(guarding(Lookups))
    touched = []
    with monkeypatch.context() as patch:
        for name in ("read", "swap"):
            patch.setattr(Store, name, lambda self, *args: touched.append(args))
        assert {401} == {status(headers) for _ in range(5)}
    assert (touched, lookups) == ([], [])
    assert status(bearing(token)) == 200


@pytest.mark.parametrize("error", [RuntimeError, None])
def test_lookup_that_fails_is_a_failure(error, ask, lookups, token):
    """Whatever it raises; and who finds nobody has failed."""

    class Broken(Lookups):
        def authenticate_credentials(self, key):
            self.made.append(key)
            if error:
                raise error

    status = ask(guarding(Broken))
    for _ in range(3):
        with pytest.raises(error) if error else memoryview(b""):
            assert 401 == status(bearing(token))
    assert status(bearing(token)) == 429
    assert len(lookups) == 3


def test_wrong_tokens_at_once_are_looked_up_so_often(rf, lookups):
    """Of forty in parallel exactly `max` for each client; one object that serves them all mixes up nobody."""
    together = threading.Barrier(20, timeout=30)

    class InParallel(Lookups):
        def authenticate(self, request):
            together.wait()
            return super().authenticate(request)

        def authenticate_credentials(self, key):
            self.made.append(key)
            raise AuthenticationFailed

    guard = guarding(InParallel)()

    def guess(number):
        headers = bearing(str(number % 2))
        with pytest.raises((AuthenticationFailed, Throttled)):
            guard.authenticate(rf.get("/", headers=headers, REMOTE_ADDR=f"192.0.2.{number % 2}"))

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(guess, range(40)))
    assert [lookups.count("0"), lookups.count("1")] == [3, 3]


# Basic


def test_guessed_passwords_are_verified_so_often_and_no_more(ask, verified):
    """DRF's Basic authentication asks authenticate(), which takes no second slot."""
    status = ask(guarding(BasicAuthentication))
    assert [status(basic("wrong")) for _ in range(5)] == [401, 401, 401, 429, 429]
    assert status(basic("right")) == 429
    assert len(verified) == 3
    assert status(basic("right"), address="192.0.2.2") == 200


def test_right_password_forgives_failures_at_that_name_only(ask, verified):
    """Typos of one's own, and nobody else's."""
    status = ask(guarding(BasicAuthentication))
    for _ in range(3):
        assert [status(basic("wrong")), status(basic("wrong")), status(basic("right"))] == [401, 401, 200]
    assert [status(basic("wrong")), status(basic("eves", "eve")), status(basic("wrong"))] == [401, 200, 401]
    assert [status(basic("eves", "eve")), status(basic("wrong")), status(basic("right"))] == [200, 401, 429]
    assert len(verified) == 14


# Beside other protection


@pytest.mark.parametrize("failure", [None, 401, lambda request, response: True])
@pytest.mark.parametrize(("base", "headers"), [(Lookups, bearing("guess")), (BasicAuthentication, basic("wrong"))])
def test_view_under_the_same_policy_counts_nothing_twice(base, headers, failure, send, settings, lookups, verified, db):
    """Neither by the verdict of authenticate() nor by the response."""
    guard = guarding(base, failure=failure)
    mount(settings, lockout_protect(guard.lockout_policy)(account(guard)))
    assert [send("/", method="get", headers=headers).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert len(lookups) + len(verified) == 3


def test_two_authentications_share_a_policy(ask, lookups, verified, db):
    """A guess counts for the one that its header names; together they lock."""
    tokens = guarding(Lookups)
    status = ask(tokens, guarding(BasicAuthentication, scope=tokens.lockout_policy.scope))
    assert [status(basic("wrong")), status(bearing("guess")), status(basic("wrong"))] == [401, 401, 401]
    assert [status(bearing("guess")), status(basic("right"))] == [429, 429]
    assert (len(lookups), len(verified)) == (1, 2)


def test_policy_is_asked_with_the_request_of_django(ask, token):
    """DRF's would authenticate anew when a callable of the policy asks for its user."""
    status = ask(guarding(TokenAuthentication, exempt=lambda request: request.user.is_authenticated))
    assert [status(bearing("guess")) for _ in range(4)] == [401, 401, 401, 429]


# Classes that would verify unseen


class Unpolicied(LockoutAuthentication):
    """A project may begin with its own."""


class OfTheProject(LockoutAuthentication):
    lockout_policy = LockoutPolicy(scope="project")


class Everything(BaseAuthentication):
    def authenticate(self, request):
        """Verifies in here."""


def by_hand(self, *args):
    """Verifies by itself."""


async def coroutine(self, *args):
    """As those of adrf."""


ASYNC = "Mine.{} is a coroutine function: .* write `async with policy.attempt"


class Awaiting(BaseAuthentication):
    authenticate = coroutine


class AwaitingLast(TokenAuthentication):
    authenticate_credentials = coroutine


AFTER = "{} must be in a class that comes after"
WITHOUT = r"Mine: LockoutAuthentication needs a class with authenticate_credentials\(\)"
UNSEEN = [
    ((TokenAuthentication, OfTheProject), {}, AFTER.format("TokenAuthentication.authenticate")),
    ((OfTheProject, TokenAuthentication), {"authenticate": by_hand}, "Mine.authenticate must be"),
    ((OfTheProject, TokenAuthentication), {"authenticate_credentials": by_hand}, "Mine.authenticate_credentials must"),
    ((OfTheProject, Everything), {}, WITHOUT),
    ((OfTheProject, Everything), {"authenticate": coroutine}, ASYNC.format("authenticate")),
    ((OfTheProject, Awaiting), {}, ASYNC.format("authenticate")),
    ((OfTheProject, AwaitingLast), {}, ASYNC.format("authenticate_credentials")),
    ((Unpolicied, TokenAuthentication), {}, "Mine needs a policy: lockout_policy = LockoutPolicy"),
    ((Unpolicied, TokenAuthentication), {"lockout_policy": "api"}, "Mine needs a policy"),
]


@pytest.mark.parametrize(("bases", "attributes", "message"), UNSEEN)
def test_class_that_would_verify_unseen_is_refused_when_it_is_defined(bases, attributes, message):
    """At import, with what to change."""
    with pytest.raises(TypeError, match=message):
        type("Mine", bases, {"__qualname__": "Mine", **attributes})


def test_awaitable_is_no_verdict(rf):
    """What returns a coroutine without being marked as one has verified nothing: no slot is given back for it."""

    class Later(TokenAuthentication):
        def authenticate_credentials(self, key):
            return pending

    guard, pending = guarding(Later)(), coroutine(None)
    for _ in range(3):
        with pytest.raises(TypeError, match=r"authenticate_credentials\(\) returned an awaitable: .*async with"):
            guard.authenticate(rf.get("/", headers=bearing("guess")))
    with pytest.raises(Throttled):
        guard.authenticate(rf.get("/", headers=bearing("guess")))
    pending.close()


def test_credentials_are_not_verified_without_a_request(lookups, token):
    """Called directly, where nobody could be counted: the error says what to write, and nothing is looked up."""
    with pytest.raises(TypeError, match=r"call Guarding\(\)\.authenticate\(request\), or hold .*attempt\("):
        guarding(Lookups)().authenticate_credentials(token)
    assert lookups == []


def test_credentials_that_come_with_a_request_are_counted_for_it(rf, verified):
    """As DRF's basic authentication takes it, by position or by name; Django's or DRF's; whose name it is counts."""
    guard, request = guarding(BasicAuthentication, key="username", ceiling=None, max=4)(), rf.get("/")
    for guess in (
        lambda: guard.authenticate_credentials("bob", "wrong", request),
        lambda: guard.authenticate_credentials("bob", "wrong", request=request),
        lambda: guard.authenticate_credentials("bob", "wrong", request=Request(request)),
        lambda: guard.authenticate_credentials(userid="bob", password="wrong", request=request),
    ):
        with pytest.raises(AuthenticationFailed):
            guess()
    with pytest.raises(Throttled):
        guard.authenticate_credentials("bob", "right", request=rf.get("/", REMOTE_ADDR="192.0.2.2"))
    assert len(verified) == 4
    assert guard.authenticate_credentials("eve", "eves", request=request)[0].get_username() == "eve"


def test_policy_is_inherited(ask, token):
    """A class of the project's own hands its policy on."""
    tokens = type("Tokens", (OfTheProject, TokenAuthentication), {"keyword": "Bearer"})
    assert ask(tokens)({"Authorization": f"Bearer {token}"}) == 200
    assert tokens.lockout_policy.scope == "project"


# Secrets


class Frail(TokenAuthentication):
    """Verifies with a hidden password of two parts, and raises."""

    def authenticate(self, request):
        return self.authenticate_credentials(request.headers["X-Secret"], request)

    def authenticate_credentials(self, *credentials):
        raise RuntimeError("the directory is down")


def test_error_report_shows_no_secret_in_frames_of_this_package(rf):
    """Other frames are their authors'."""
    guard = guarding(Frail)()
    request = rf.get("/", headers={"X-Secret": SECRET})
    with pytest.raises(RuntimeError) as raised:
        guard.authenticate(request)
    reporter = ExceptionReporter(request, raised.type, raised.value, raised.tb)
    shown = {f["function"]: f["vars"] for f in reporter.get_traceback_frames() if "lockout_decorators" in f["filename"]}
    assert {"authenticate", "authenticate_credentials"} <= shown.keys()
    assert SECRET not in repr(shown)
    assert SECRET not in repr(vars(guard)) + repr(guard)


def test_logs_signals_and_exceptions_show_no_token(rf, caplog, receivers):
    """Not even of a class that takes more than a token: what stands first is no user name."""
    guard, seen = guarding(Frail, max=1)(), []
    for signal in (signals.attempt_failed, signals.attempt_refused, signals.locked_out):
        signal.connect(lambda detail, **more: seen.append(detail), weak=False)
    with caplog.at_level(logging.DEBUG, "lockout_decorators"):
        for kind in (RuntimeError, LockedOut):
            with pytest.raises(kind) as raised:
                guard.authenticate(rf.get("/", headers={"X-Secret": SECRET}))
    assert [detail.username for detail in seen] == 3 * [None]
    assert SECRET not in f"{seen} {caplog.text} {raised.value!r} {raised.value} {vars(raised.value)}"

"""What type checkers see of the public surface: mypy --strict and pyright strict must agree with every line."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, assert_type

from django.http import HttpRequest, HttpResponse
from django.views import View

from lockout_decorators import (
    ChallengeRequired,
    LockedOut,
    LockoutPolicy,
    LockoutStatus,
    areset_attempts,
    client_address,
    lockout_protect,
    mail,
    policies_of,
    presets,
    reset_attempts,
)


@lockout_protect(key="ip+ua", max=5, window=300, lockout=timedelta(minutes=10))
def function(request: HttpRequest, number: int = 0) -> HttpResponse:
    return HttpResponse(str(number))


@lockout_protect()
async def coroutine(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@lockout_protect(scope="login", methods=(), response="locked.html", failure=(401, 403), lockout=None)
class Login(View):
    greeting: str = "welcome"

    @lockout_protect(username=lambda request, credentials: credentials["email"], patience=0.5)
    def post(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(self.greeting)


async def decorated_views_keep_their_types(request: HttpRequest) -> None:
    assert_type(function(request, number=1), HttpResponse)
    assert_type(await coroutine(request), HttpResponse)
    assert_type(Login, type[Login])
    assert_type(Login().greeting, str)
    assert_type(Login().post(request), HttpResponse)
    function(request, "one")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    function()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


class Info:
    request: HttpRequest


def request_of(root: None, info: Info, **arguments: str) -> HttpRequest:
    return info.request


@lockout_protect(LockoutPolicy(scope="doors"), request=request_of)
def resolver(root: None, info: Info, password: str) -> bool:
    return password == "right"


def scope_of(consumer: "Consumer", text: str) -> dict[str, Any]:
    return consumer.scope


class Consumer:
    scope: dict[str, Any]

    @lockout_protect(request=scope_of, key="ip")
    async def receive(self, text: str) -> int:
        return len(text)


async def decorated_callables_keep_their_types(info: Info, consumer: Consumer) -> None:
    assert_type(resolver(None, info, password="wrong"), bool)
    assert_type(await consumer.receive("text"), int)
    resolver(None, info)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    lockout_protect(request="info.request")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def scopes_are_requests(policy: LockoutPolicy, scope: Mapping[str, Any]) -> None:
    async with policy.attempt(scope, username="bob") as attempt:
        attempt.succeed()
    with policy.observe(scope):
        pass
    assert_type(policy.status(scope), LockoutStatus)
    assert_type(await policy.astatus(scope), LockoutStatus)
    policy.reset(scope)
    await policy.areset(scope)
    reset_attempts(scope)
    await areset_attempts(scope)


def answer(request: HttpRequest, locked_out: LockedOut) -> HttpResponse:
    assert_type(locked_out.status, LockoutStatus)
    assert_type(locked_out.status_code, int)
    return HttpResponse(str(locked_out), status=locked_out.status_code)


async def aanswer(request: HttpRequest, locked_out: LockedOut) -> HttpResponse:
    return answer(request, locked_out)


def needs_a_challenge(locked_out: LockedOut) -> bool:
    assert_type(locked_out.status.challenge, bool)
    assert_type(locked_out.problem, str)
    return isinstance(locked_out, ChallengeRequired)


def identity(request: HttpRequest, name: str | None) -> str:
    return name or request.META["REMOTE_ADDR"]


def exempt(request: HttpRequest) -> bool:
    return request.user.is_authenticated


shared = LockoutPolicy(scope="shared", key=identity, ceiling=None, response=answer, exempt=exempt)
also_shared = LockoutPolicy(scope="shared", response=aanswer, methods={"POST"}, failure=401, window=timedelta(hours=1))


office = LockoutPolicy(scope="office", exempt=["192.0.2.0/24"])
growing = LockoutPolicy(scope="growing", lockout=(60, timedelta(hours=1)), forget=timedelta(days=7), account=("id",))
ending = LockoutPolicy(scope="ending", lockout=0, rolling=True, account=[])
challenged = LockoutPolicy(scope="challenged", challenge=exempt, challenge_after=3)


@lockout_protect(shared, growing, ending)
def shares(request: HttpRequest) -> HttpResponse:
    return HttpResponse(client_address(request))


def views_have_policies() -> None:
    for view in (function, coroutine, Login, Login.as_view(), shares):
        assert_type(policies_of(view), tuple[LockoutPolicy, ...])


def wrong_arguments() -> None:
    lockout_protect(max="5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    lockout_protect(maximum=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    lockout_protect("ip")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    lockout_protect(shared, "ip")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    lockout_protect(rolling="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    lockout_protect(exempt="192.0.2.0/24")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    shared.max = 5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def policy_attributes(policy: LockoutPolicy) -> None:
    assert_type(policy.max, int)
    assert_type(policy.window, float)
    assert_type(policy.lockout, float | tuple[float, ...] | None)
    assert_type(policy.rolling, bool)
    assert_type(policy.forget, float)
    assert_type(policy.account, tuple[str, ...] | None)
    assert_type(policy.scope, str)
    assert_type(policy.cache, str)
    assert_type(policy.ceiling, int | None)
    assert_type(policy.spread, int | None)
    assert_type(policy.calls, int)
    assert_type(policy.methods, frozenset[str] | None)
    assert_type(policy.enforce, bool)
    assert_type(policy.patience, float)
    assert_type(policy.known_browsers, timedelta | None)
    assert_type(policy.ratelimit, str | None)
    assert_type(policy.bounds().per_second, float)
    assert_type(policy.bounds().account[0].day, int | None)


@lockout_protect(*presets.LOGIN)
def preset(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def blocks(policy: LockoutPolicy, request: HttpRequest, secret: Any) -> None:
    with policy.observe(request):
        pass
    with policy.attempt(request, "bob") as attempt:
        if secret == "right":
            attempt.succeed()
            assert_type(attempt.remember(HttpResponse("welcome")), HttpResponse)
        elif secret:
            attempt.fail()
        else:
            attempt.cancel()
    assert_type(policy.status(request, username="bob"), LockoutStatus)
    policy.reset(request, username="bob")
    policy.forgive(request, "bob")
    reset_attempts(request)
    reset_attempts(request, "login")


async def asynchronous_blocks(policy: LockoutPolicy, request: HttpRequest) -> None:
    async with policy.observe(request):
        pass
    async with policy.attempt(request) as attempt:
        attempt.succeed()
    assert_type(await policy.astatus(request, username="bob"), LockoutStatus)
    await policy.areset(request)
    await policy.aforgive(request, username="bob")
    await areset_attempts(request, scope="login")


def status_attributes(status: LockoutStatus) -> None:
    assert_type(status.scope, str)
    assert_type(status.locked, bool)
    assert_type(status.failures, int)
    assert_type(status.maximum, int)
    assert_type(status.retry_after, int | None)
    assert_type(status.until, datetime | None)
    assert_type(status.counter, str)
    assert_type(status.reference, str)
    assert_type(status.remaining, int)
    status.locked = False  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def arguments_of_a_policy_are_checked() -> None:
    LockoutPolicy(scope="a", key=lambda request, identity: "x", window=timedelta(minutes=1), failure=[401, 403])
    LockoutPolicy(scope="a", known_browsers=timedelta(days=90))
    LockoutPolicy(scope="a", ratelimit="sign-in")
    LockoutPolicy(scope="a", ratelimit=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    LockoutPolicy(scope="a", known_browsers=90)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    LockoutPolicy(scope="a", max="5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    LockoutPolicy(scope="a", lockout="an hour")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def hand_on(notice: mail.Notice) -> None:
    assert_type(notice["reference"], str)


assert_type(mail.tells_owner(LockoutPolicy(scope="mail"), base_url="https://example.com"), mail.UnlockMail)
assert_type(mail.tells_admins(to=["ops@example.com"], deliver=hand_on), mail.AdminMail)
mail.tells_owner(deliver=print, find={"bob": 1}.get)
mail.tells_admins(limit="ten")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

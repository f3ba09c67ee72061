"""The guide's doors: each example stops a guesser."""

from types import ModuleType, SimpleNamespace

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.cache import caches
from django.urls import path
from rest_framework.authtoken.models import Token

from lockout_decorators import LockedOut, policies_of, presets
from tests.docs.pages import examples, execute
from tests.doors import FORM, RIGHT

pytestmark = pytest.mark.tree


def test_front_page(verified):
    """The README's example is a protected view."""
    (example,) = examples("README.md")
    assert len(example.splitlines()) < 10
    policy = execute("README.md")["login_view"].lockout_policies[0]
    assert ("readme.login_view", 5, 300, 600, 5) == (
        policy.scope,
        policy.max,
        policy.window,
        policy.lockout,
        policy.ceiling,
    )


def test_function(guide, post, verified):
    """Five wrong guesses are verified; then the right password is not."""
    assert [401] * 5 + [429] == [guide.sign_in(post()).status_code for _ in range(6)]
    assert 429 == guide.sign_in(post(RIGHT)).status_code
    assert 5 == len(verified)
    assert 200 == guide.sign_in(post(RIGHT, address="192.0.2.2")).status_code


async def test_coroutine(guide, post, verified):
    """The same, asynchronously."""
    assert [401] * 5 + [429] == [(await guide.sign_in_async(post())).status_code for _ in range(6)]
    assert 429 == (await guide.sign_in_async(post(RIGHT))).status_code
    assert 5 == len(verified)


@pytest.mark.parametrize("name", ["Join", "Renew", "Session", "SiteLogin", "Token"])
def test_classes(name, guide, post, verified, login_page):
    """Each class stops a guesser at five."""
    view = getattr(guide, name).as_view()
    assert 429 not in [view(post()).status_code for _ in range(5)]
    assert 429 == view(post(RIGHT)).status_code
    assert 5 == len(verified)


def test_other_doors_are_protected(guide, post, verified):
    """What the guide decorates carries a policy of its own."""
    scopes = {name: getattr(guide, name).lockout_policies[0].scope for name in ("login", "renew", "SiteLogin", "Token")}
    assert len({*scopes.values()}) == 4
    assert policies_of(admin.site.login)[:4] == tuple(
        one.scoped("django.contrib.admin.sites.AdminSite.login") for one in presets.LOGIN
    )
    view = guide.Sessions.as_view({"post": "create"})
    assert [401] * 5 + [429] == [view(post()).status_code for _ in range(6)]
    assert 5 == len(verified)


def test_tokens(guide, rf, db):
    """Ten bad tokens, then refused; a request without a token is no guess."""
    view = guide.Account.as_view()
    assert [200] * 12 == [view(rf.get("/")).status_code for _ in range(12)]
    headers = {"authorization": "Token guess"}
    assert [401] * 10 + [429] * 2 == [view(rf.get("/", headers=headers)).status_code for _ in range(12)]
    assert 429 == view(rf.get("/")).status_code


def test_tokens_exactly(guide, rf, db):
    """Twenty bad tokens, then a good one is refused, as a problem of DRF's; a request without a token passes."""
    token = Token.objects.create(user=User.objects.create_user("ann"))
    view = guide.Orders.as_view()

    def send(key, address="192.0.2.1"):
        return view(rf.get("/", headers={"authorization": f"Token {key}"}, REMOTE_ADDR=address))

    assert [401] * 20 == [send("guess").status_code for _ in range(20)]
    refused = send(token.key)
    assert (429, "600") == (refused.status_code, refused["Retry-After"])
    assert "detail" in refused.data
    assert [200, 200] == [send(token.key, "192.0.2.2").status_code, view(rf.get("/")).status_code]


def test_what_is_no_view(guide, post, verified):
    """The request is found, and a refused guess raises."""
    info = SimpleNamespace(context={"request": post()})
    assert [False] * 5 == [guide.resolve_sign_in(info, **FORM) for _ in range(5)]
    with pytest.raises(LockedOut):
        guide.resolve_sign_in(info, **RIGHT)
    assert 5 == len(verified)
    assert guide.resolve_sign_in(SimpleNamespace(context={"request": post(address="192.0.2.2")}), **RIGHT)


async def test_scope_of_a_connection(guide, verified):
    """Its address is the client's."""

    def scope(address):
        return {"type": "websocket", "path": "/", "headers": [], "client": [address, 1]}

    assert [None] * 5 == [await guide.connect(scope("192.0.2.1"), **FORM) for _ in range(5)]
    with pytest.raises(LockedOut):
        await guide.connect(scope("192.0.2.1"), **RIGHT)
    assert 5 == len(verified)
    assert "bob" == (await guide.connect(scope("192.0.2.2"), **RIGHT)).username


@pytest.mark.parametrize("view", ["verify", "averify"])
def test_whole_site(view, guide, settings, client, verified):
    """The middleware and its setting, around a view that nobody has decorated."""
    urls = ModuleType("urls")
    urls.urlpatterns = [path("", getattr(guide, view))]
    settings.ROOT_URLCONF, settings.MIDDLEWARE, settings.LOCKOUT_SITE = urls, guide.MIDDLEWARE, guide.LOCKOUT_SITE
    assert [401] * 5 + [429] == [client.post("/", FORM).status_code for _ in range(6)]
    assert (429, 5) == (client.post("/", RIGHT).status_code, len(verified))


VIEWS = [
    *["sign_in", "sign_in_async", "sign_in_elsewhere", "SiteLogin", "Join", "Renew", "login", "Token", "Session"],
    *["renew", "Sessions", "Account", "Orders", "staff_sign_in", "staff_sign_in_with_json", "patient", "rolling"],
    *["code", "code_async", "sign_in_by_hand", "sign_in_by_hand_async", "own_answer", "custom_answer", "challenging"],
    *["bounded", "known", "known_by_hand", "known_by_hand_async", "office"],
]


def test_every_view_of_the_guide_is_looked_at(guide):
    """Those with a decorator are all below."""
    decorated = {name for name, view in vars(guide).items() if hasattr(view, "lockout_policies")}
    assert {*VIEWS} >= decorated - {"resolve_sign_in"}


@pytest.mark.parametrize("name", VIEWS)
def test_who_only_looks_guesses_nothing(name, guide, rf, db, login_page):
    """However often a signed-in user opens the page, nothing is on record."""
    view, request = getattr(guide, name), rf.get("/")
    request.user = User(pk=1, username="ann")
    if isinstance(view, type):
        view = view.as_view({"post": "create"}) if name == "Sessions" else view.as_view()

    async def auser():
        return request.user

    request.auser = auser
    view = async_to_sync(view) if iscoroutinefunction(view) else view
    for _ in range(7):
        view(request)
    assert {} == caches["default"]._cache

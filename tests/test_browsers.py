"""Known browsers: strangers lock out strangers only. What a browser shows, for whom, and how long it is believed."""

import base64
import json
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.admin import AdminSite
from django.contrib.auth import authenticate
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import Signer
from django.http import HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, presets
from lockout_decorators.checks import check_lockout
from lockout_decorators.clients.browsers import SALT, rows_of
from tests.answers import without_code
from tests.backends import CountingBackend
from tests.doors import RIGHT, acheck
from tests.doors import check as sign_in
from tests.sizes import IN_FULL

ADDRESSES = 1_000 if IN_FULL else 30  # that guess ten times each at one account
DAYS = timedelta(days=90)
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"
ABOUT = partial(LockoutPolicy, scope="accounts", key="username", ceiling=None, max=3, patience=0, known_browsers=DAYS)
BY_ADDRESS = partial(LockoutPolicy, scope="addresses", key="ip", max=3, patience=0)


class Browser:
    """Somebody's, with the cookies that it was given, at a view."""

    def __init__(self, view, address=HOME, **more):
        self.view, self.more, self.cookies = view, {"REMOTE_ADDR": address, **more}, {}

    def send(self, password="wrong", name="bob", **fields):
        form = {"username": name, "password": password, **fields}
        request = RequestFactory().post("/", form, secure=self.more.pop("secure", False), **self.more)
        request.COOKIES.update(self.cookies)
        response = self.view(request)
        self.cookies |= {name: morsel.value for name, morsel in response.cookies.items()}
        return response

    @property
    def request(self):
        """One that guesses nothing yet."""
        request = RequestFactory().post("/", REMOTE_ADDR=HOME)
        request.COOKIES.update(self.cookies)
        return request

    def guess(self, password="wrong", name="bob", **fields):
        return self.send(password, name, **fields).status_code

    def copy(self, view=None, address=ELSEWHERE, **more):
        """With the same cookies: another place, or a thief's."""
        other = Browser(view or self.view, address, **more)
        other.cookies = dict(self.cookies)
        return other


def door(*policies, view=sign_in):
    return lockout_protect(*policies)(view)


def owner(view, **more):
    """Bob's browser, which has signed in."""
    browser = Browser(view, **more)
    assert 200 == browser.guess("right")
    return browser


def lock_strangers(view, name="bob"):
    """From everywhere, bob's own address included; the right password of whoever it is is refused."""
    for address in (HOME, ELSEWHERE, "203.0.113.9"):
        for _ in range(4):
            Browser(view, address).guess(name=name)
    assert 429 == Browser(view, "203.0.113.10").guess("eves" if name == "eve" else "right", name)


# Whoever guesses from outside


def test_strangers_lock_out_strangers_only(verified):
    """Ten wrong guesses from each of many addresses, his own among them; the owner signs in with one hasher run."""
    view = door(ABOUT(max=20, window=3600, lockout=3600), BY_ADDRESS(max=5, window=3600, lockout=3600))
    at_home = owner(view)
    before = len(verified)
    for number in range(ADDRESSES * 10):
        Browser(view, f"192.0.{number % ADDRESSES // 250}.{number % ADDRESSES % 250}").guess(f"wrong{number}")
    assert 20 == len(verified) - before
    assert 429 == Browser(view, "203.0.113.1").guess("right")
    assert (200, 21) == (at_home.guess("right"), len(verified) - before)
    assert 200 == at_home.copy(address="203.0.113.2").guess("right")


def test_owner_at_a_preset(clock, verified):
    """Though it has been guessed at for a day, from everywhere: by none of its policies is he kept out."""
    view = lockout_protect(*presets.LOGIN)(sign_in)
    at_home = owner(view)
    for _ in range(4):
        for number in range(50):
            Browser(view, f"192.0.2.{number % 10}").guess()
        clock.shift(16 * 60)
    assert [429, 200] == [Browser(view, "203.0.113.1").guess("right"), at_home.guess("right")]
    assert 102 == len(verified)


@pytest.mark.parametrize("key", ["ip", "ip+username", "ip+ua", "username", lambda request, identity: "everybody"])
def test_whatever_the_key_and_its_ceiling(key, verified):
    """Neither refuses who is known, early or late; nor does a lock without end."""
    view = door(LockoutPolicy(scope="s", key=key, max=3, ceiling=1, lockout=None, patience=0, known_browsers=DAYS))
    at_home = owner(view)
    for _ in range(5):
        Browser(view).guess()
    assert [429, 200] == [Browser(view).guess("right"), at_home.guess("right")]
    assert 5 == len(verified)


def test_wrong_guesses_lock_that_browser_alone(caplog, verified):
    """Exactly `max` of them, wherever the cookie is sent from; bob's other browser and strangers are not refused."""
    view = door(ABOUT(), BY_ADDRESS(max=9))
    stolen, other = owner(view).copy(), owner(view, address="192.0.2.2")
    before = len(verified)
    assert [401, 401, 401, 429, 429] == [stolen.guess() for _ in range(5)]
    assert "locked out after 3 failures (browser): scope='accounts' address=198.51.100.1 username='bob'" in caplog.text
    assert 429 == stolen.copy(address="203.0.113.1").guess("right")
    assert [200, 200] == [other.guess("right"), Browser(view, ELSEWHERE).guess("right")]
    assert 5 == len(verified) - before


def test_old_copies_of_a_cookie_lock_no_newer_one(verified):
    """Each success names the browser anew."""
    view = door(ABOUT())
    at_home = owner(view)
    stolen, (before,) = at_home.copy(), at_home.cookies.values()
    assert 200 == at_home.guess("right")
    assert at_home.cookies.keys() == stolen.cookies.keys() and before not in at_home.cookies.values()
    assert [401, 401, 401, 429] == [stolen.guess() for _ in range(4)]
    assert [200, 429] == [at_home.guess("right"), stolen.guess("right")]


def test_an_account_of_ones_own_opens_no_other(verified):
    """Eve's cookie shows no more than that she is eve; it makes the view run, and refuses at the guess."""
    ran = []
    view = door(ABOUT(key="ip"), view=lambda request: ran.append(request) or sign_in(request))
    eve = Browser(view)
    assert 200 == eve.guess("eves", "eve")
    for _ in range(3):
        Browser(view).guess()
    verified.clear(), ran.clear()
    assert [429, 429] == [eve.guess("right") for _ in range(2)]
    assert [429] == [Browser(view).guess("right")]
    assert (0, 2) == (len(verified), len(ran))
    assert 200 == eve.guess("eves", "eve")


def test_a_refusal_says_the_same_to_all(clock, verified):
    """Whoever is known, and who is not; but for the code, which each lock has of its own."""
    view = door(ABOUT())
    at_home = owner(view)
    lock_strangers(view)
    for _ in range(3):
        at_home.guess()
    refused = at_home.send("right"), Browser(view).send("right"), at_home.copy().send()
    assert 1 == len(
        {(one.status_code, without_code(one.content), str(one.headers), str(one.cookies)) for one in refused}
    )


@pytest.mark.parametrize("key", ["username", "ip"])
def test_second_name_of_one_guess_is_a_strangers(key, verified):
    """A form that is tried at two accounts: eve's own cookie takes no slot for bob."""
    policy = ABOUT(key=key)

    @lockout_protect(policy)
    def view(request):
        found = [authenticate(request, username=name, password=request.POST["password"]) for name in ("eve", "bob")]
        return HttpResponse(status=200 if any(found) else 401)

    for _ in range(5):
        eve = Browser(door(policy))
        eve.guess("eves", "eve")
        eve.copy(view).guess("wrong")
    assert 3 == verified.count(("bob", "wrong"))
    assert 429 == Browser(door(policy), ELSEWHERE).guess("right")


@pytest.mark.parametrize("policies", [[ABOUT()], [ABOUT(), BY_ADDRESS(), ABOUT(scope="o")], [ABOUT(ceiling=5)]])
def test_round_trips(policies, trips, verified):
    """A known browser's guess costs what any other does: to look, to take its slot, to settle; a refusal a look."""
    at_home = owner(door(*policies))
    for password in ("right", "wrong", "wrong", "wrong", "right"):
        at_home.guess(password)
    made = ["read", "swap", "swap"]
    assert [*made * 5, "swap", "read"] == [asked for asked, _ in trips]  # a lock is put on file


# What is believed


def test_account_is_the_exact_one(verified, monkeypatch, settings):
    """BOB's cookie is nothing to bob, though they are counted as one; nor that of another host or credential."""
    monkeypatch.setitem(CountingBackend.passwords, "BOB", "big")
    view = door(ABOUT())
    namesake = Browser(view)
    assert 200 == namesake.guess("big", "BOB")
    settings.AUTHENTICATION_BACKENDS = ["tests.backends.CountingBackend", f"{__name__}.Mailboxes"]
    by_mail = door(ABOUT(), view=lambda request: HttpResponse(authenticate(request, email="bob", password="right")))
    at_home, mailbox = owner(view, HTTP_HOST="a.example"), owner(by_mail)
    lock_strangers(view)
    assert [429, 200] == [namesake.guess("right"), namesake.guess("big", "BOB")]
    assert [429, 200] == [at_home.copy(HTTP_HOST="b.example").guess("right"), at_home.guess("right")]
    assert [429, 200] == [at_home.copy(by_mail, HTTP_HOST="a.example").guess("right"), mailbox.guess("right")]


@pytest.mark.parametrize(("account", "statuses"), [(None, [429, 429]), (("tenant",), [200, 429]), ((), [200, 200])])
def test_further_credentials_name_the_account(account, statuses, settings, verified):
    """As the policy says; if it does not, nobody is known."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Tenants"]

    @lockout_protect(ABOUT(account=account))
    def view(request):
        user = authenticate(request, username="bob", password=request.POST["password"], tenant=request.POST["tenant"])
        return HttpResponse(status=200 if user else 401)

    browser = Browser(view)
    assert 200 == browser.guess("right", tenant="a")
    assert bool(browser.cookies) is (account is not None)
    for _ in range(4):
        Browser(view).guess(tenant="a")
    assert statuses == [browser.copy().guess("right", tenant=tenant) for tenant in "ab"]


class Mailboxes(CountingBackend):
    def authenticate(self, request, email=None, password=None):
        return super().authenticate(request, email, password)


class Tenants(CountingBackend):
    def authenticate(self, request, username=None, password=None, tenant=None):
        return super().authenticate(request, username, password)


def forged(cookies, key="another"):
    """Of the same shape, under a key of one's own."""
    signer = Signer(key=key, salt=f"{SALT}:accounts")
    return dict.fromkeys(cookies, signer.sign_object([["0" * 30, "x", 9**11, ""]]))


FORGERIES = {
    "none": lambda cookies: {},
    "empty": lambda cookies: dict.fromkeys(cookies, ""),
    "cut": lambda cookies: {name: value[:-1] for name, value in cookies.items()},
    "changed": lambda cookies: {name: f"X{value[1:]}" for name, value in cookies.items()},
    "another's key": forged,
    "the right key, another account": partial(forged, key="tests"),
    "long": lambda cookies: {name: value + "A" * 4096 for name, value in cookies.items()},
    "no text": lambda cookies: {name: "\udcff" + value for name, value in cookies.items()},
    "another scope": lambda cookies: dict.fromkeys(cookies, next(iter(owner(door(ABOUT(scope="o"))).cookies.values()))),
    "as secure": lambda cookies: {f"__Host-{name}": value for name, value in cookies.items()},
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_forged_cookie_is_a_strangers(forge, verified):
    """And breaks nothing; bob's own is believed beside it."""
    view = door(ABOUT())
    at_home = owner(view)
    forger = Browser(view)
    forger.cookies = forge(at_home.cookies)
    lock_strangers(view)
    verified.clear()
    assert (429, 0) == (forger.guess("right"), len(verified))
    assert 200 == at_home.guess("right")


def test_cookie_expires(clock, verified):
    """After the policy's time, whatever the browser does with it; a success in time begins it anew."""
    view = door(ABOUT(lockout=10**8))
    lazy, busy = owner(view), owner(view)
    lock_strangers(view)
    clock.shift(DAYS - timedelta(seconds=1))
    assert [200, 200] == [busy.guess("right"), lazy.copy().guess("right")]
    clock.shift(1)
    assert [200, 429] == [busy.guess("right"), lazy.guess("right")]
    assert 200 == lazy.guess("eves", "eve")
    assert [1, 1] == [len(rows_of(browser.request, "accounts")) for browser in (busy.copy(), lazy.copy())]


@pytest.mark.parametrize("turn", [1, -1])
def test_two_policies_believe_for_different_times(turn, clock, verified):
    """At one door the shorter one decides; the longer one where it stands alone. The cookie lasts for both."""
    short, long = ABOUT(known_browsers=timedelta(days=1), lockout=10**8), ABOUT(key="ip", lockout=10**8)
    both, alone = door(*[short, long][::turn]), door(long)
    at_home = Browser(both)
    (cookie,) = at_home.send("right").cookies.values()
    assert DAYS.total_seconds() == cookie["max-age"]
    lock_strangers(both)
    clock.shift(timedelta(days=2))
    assert [429, 200] == [at_home.copy(both, HOME).guess("right"), at_home.copy(alone, HOME).guess("right")]


def test_two_scopes_at_one_door_have_to_agree(verified):
    """Each has a cookie of its own, and speaks for itself only."""
    first, second = ABOUT(scope="first"), ABOUT(scope="second")
    both, alone = door(first, second), door(first)
    half, whole = owner(alone), owner(both)
    assert (1, 2) == (len(half.cookies), len(whole.cookies))
    lock_strangers(both)
    assert [429, 200, 200] == [half.copy(both).guess("right"), half.guess("right"), whole.guess("right")]


def test_password_is_no_code(verified):
    """Whoever knows bob's password gets as many browsers as he likes, and all of them are strangers to the code."""
    passwords, codes = door(ABOUT()), ABOUT(scope="codes")
    entered = []

    def view(request):
        with codes.attempt(request, "bob") as attempt:
            entered.append(request.POST["password"])
            if request.POST["password"] == "271828":
                attempt.succeed()
                return attempt.remember(HttpResponse("welcome"))
        return HttpResponse(status=401)

    second = lockout_protect(codes)(view)
    at_home = Browser(second)
    assert 200 == at_home.guess("271828")
    for _ in range(5):
        owner(passwords).copy(second).guess("000000")
    assert 4 == len(entered)
    assert [429, 200] == [owner(passwords).copy(second).guess("271828"), at_home.guess("271828")]


def test_trial_opens_no_door(verified):
    """A policy that is not enforced sets the cookie, and leaves it to the others whom they refuse."""
    trial = ABOUT(enforce=False)
    view = door(trial, BY_ADDRESS())
    at_home = owner(view)
    assert at_home.cookies
    for _ in range(2):
        Browser(view).guess()
    assert 401 == at_home.guess()
    assert 2 == trial.status(RequestFactory().post("/"), "bob").failures
    assert 429 == at_home.guess("right")
    opened = door(ABOUT(), BY_ADDRESS(), ABOUT(scope="trial", enforce=False))
    assert 200 == at_home.copy(opened, HOME).guess("right")


# Keys and seals


def test_keys_before_the_current_one(settings, verified):
    """Are believed as long as Django believes them; the next success signs with the current one, for all accounts."""
    view = door(ABOUT())
    family = owner(view)
    family.guess("eves", "eve")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["tests"]
    lock_strangers(view)
    assert 200 == family.copy().guess("right")
    assert 200 == family.guess("right")
    settings.SECRET_KEY_FALLBACKS = []
    assert 200 == family.guess("right")
    settings.SECRET_KEY_FALLBACKS = ["tests"]
    lock_strangers(view, "eve")
    assert 200 == family.copy().guess("eves", "eve")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "newest", []
    lock_strangers(view)
    assert 429 == family.guess("right")


class Models(ModelBackend):
    """Django's own, and counts."""

    def authenticate(self, request, username=None, password=None, **more):
        CountingBackend.verified.append((username, password))
        return super().authenticate(request, username, password, **more)

    aauthenticate = sync_to_async(authenticate)


class Mails(Models):
    def authenticate(self, request, username=None, password=None, **more):
        found = User.objects.filter(email=username).first()
        return super().authenticate(request, found and found.username, password)


@pytest.fixture
def bob(db, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Models"]
    return User.objects.create_superuser("bob", "bob@example.org", "right")


def change_password(user, password):
    user.set_password(password)
    user.save()


@pytest.mark.parametrize(("seal", "replayed"), [("password", 429), (None, 200)])
def test_new_password_forgets_the_browsers(seal, replayed, bob, settings, verified):
    """If the project says so: a cookie that is replayed after everybody was logged out is a stranger's."""
    settings.LOCKOUT_BROWSER_SEAL = seal
    view = door(ABOUT(max=30))
    at_home, thief = owner(view), owner(view)
    change_password(bob, "safe")
    assert 200 == at_home.guess("safe")
    for _ in range(31):
        Browser(view).guess()
    verified.clear()
    assert replayed == thief.guess("safe")
    assert (200, 1 + (replayed == 200)) == (at_home.guess("safe"), len(verified))


def test_seal_costs_a_query_only_where_it_is_asked(bob, settings, django_assert_num_queries):
    """At the guess of a known browser, and at each success; strangers are not looked up before they are verified."""
    settings.LOCKOUT_BROWSER_SEAL = "password"
    view = door(ABOUT())
    with django_assert_num_queries(2):  # the backend's, and one for the seal
        at_home = owner(view)
    with django_assert_num_queries(3):
        at_home.guess("right")
    with django_assert_num_queries(1):
        Browser(view).guess()
    with django_assert_num_queries(1):
        at_home.copy().guess(name="eve")


def test_seal_finds_accounts_by_mail(bob, settings, verified):
    """Of an address that two accounts share nobody knows whose password it is: no cookie."""
    settings.LOCKOUT_BROWSER_SEAL, settings.AUTHENTICATION_BACKENDS = "password", [f"{__name__}.Mails"]
    view = door(ABOUT())
    browser = Browser(view)
    assert 200 == browser.guess("right", "bob@example.org")
    assert browser.cookies
    lock_strangers(view, "bob@example.org")
    assert 200 == browser.guess("right", "bob@example.org")
    User.objects.create_user("bobby", "bob@example.org")
    assert 429 == browser.guess("right", "bob@example.org")
    settings.LOCKOUT_CACHE_PREFIX = "fresh"
    again = Browser(view)
    assert (200, {}) == (again.guess("right", "bob@example.org"), again.cookies)


def seal(request, username):
    return {"bob": "sealed"}.get(username)


def test_seal_of_the_project(settings, verified):
    """Any text; who has none is not known. What is no text is no seal."""
    settings.LOCKOUT_BROWSER_SEAL = f"{__name__}.seal"
    view = door(ABOUT())
    at_home, eve = owner(view), Browser(view)
    assert (200, {}) == (eve.guess("eves", "eve"), eve.cookies)
    lock_strangers(view)
    assert 200 == at_home.copy().guess("right")
    settings.LOCKOUT_BROWSER_SEAL = lambda request, username: "another"
    assert 429 == at_home.copy().guess("right")
    settings.LOCKOUT_BROWSER_SEAL = lambda request, username: 7
    with pytest.raises(ImproperlyConfigured, match=r"LOCKOUT_BROWSER_SEAL is .*; it returned int"):
        at_home.copy().guess("right")


@pytest.mark.parametrize("value", ["passwords", 5, "no.where"])
def test_wrong_seals_are_named(value, settings):
    """By the sign_in."""
    settings.LOCKOUT_BROWSER_SEAL = value
    (message,) = check_lockout(None)
    assert ("lockout_decorators.E001", True) == (message.id, message.msg.startswith("LOCKOUT_BROWSER_SEAL is"))


def test_password_of_odd_accounts(bob, settings, rf):
    """Where user names are numbers, or there is no such field, nothing breaks."""
    from lockout_decorators.clients import browsers

    settings.LOCKOUT_BROWSER_SEAL = "password"
    sealed = browsers.seal_of(rf.get("/"), "bob")
    assert sealed and browsers.seal_of(rf.get("/"), "nobody") is None
    odd = SimpleNamespace(USERNAME_FIELD="id", get_email_field_name=lambda: "none", _default_manager=User.objects)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browsers, "get_user_model", lambda: odd)
        assert [sealed, None] == [browsers.seal_of(rf.get("/"), name) for name in (bob.pk, "bob")]


# The cookie


@pytest.mark.parametrize("secure", [False, True])
def test_cookie(secure, verified):
    """What it is called, how it is kept, and what it holds: digests and a random name."""
    response = Browser(door(ABOUT()), secure=secure).send("right")
    ((name, morsel),) = response.cookies.items()
    assert name.startswith("__Host-lockout-" if secure else "lockout-")
    assert ("/", "", True, "Lax", DAYS.total_seconds()) == (
        *(morsel["path"], morsel["domain"], morsel["httponly"], morsel["samesite"], morsel["max-age"]),
    )
    assert secure is bool(morsel["secure"])
    assert "Cookie" in response["Vary"]
    payload = morsel.value.partition(":")[0]
    ((account, browser, since, sealed),) = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (30, 16, "") == (len(account), len(browser), sealed) and since > 1_700_000_000
    assert "bob" not in str(payload) and len(morsel.value) < 200


def test_family(monkeypatch, verified):
    """Five accounts a cookie; the sixth takes the place of the one that was longest away. Each counts for itself."""
    names = [f"member{number}" for number in range(6)]
    monkeypatch.setattr(CountingBackend, "passwords", dict.fromkeys(names, "right"))
    view = door(ABOUT())
    family = Browser(view)
    for name in (*names[:5], names[0], names[0], names[5]):
        assert 200 == family.guess("right", name)
    (value,) = family.cookies.values()
    assert len(value) < 1000
    for name in names:
        for _ in range(3):
            Browser(view).guess(name=name)
    expected = dict.fromkeys(names, 200) | {names[1]: 429}
    assert expected == {name: family.copy().guess("right", name) for name in names}
    child = family.copy()
    assert [401, 401, 401, 429] == [child.guess(name=names[0]) for _ in range(4)]
    assert [429, 200] == [child.guess("right", names[0]), child.guess("right", names[2])]


def test_two_accounts_of_one_request(verified):
    """Both are known afterwards, each by a name of its own."""
    names = {"bob": "right", "eve": "eves"}
    browser = Browser(
        door(
            ABOUT(), view=lambda it: HttpResponse(authenticate(it, username=one, password=names[one]) for one in names)
        )
    )
    browser.guess()
    assert 2 == len({row.browser for row in rows_of(browser.request, "accounts")})


# When there is one


def wrong_code(request):
    """One form for both, whose second factor is told by a signal."""
    authenticate(request, username="bob", password="right")
    user_login_failed.send("codes", credentials={"username": "bob"}, request=request)
    return HttpResponse()


def wrong_before(request):
    authenticate(request, username="bob", password="wrong")
    return sign_in(request)


def broken(request):
    authenticate(request, username="bob", password="right")
    return HttpResponse(status=401)


BY_RESPONSES = partial(BY_ADDRESS, failure=401, credentials=lambda request: True)
NO_COOKIE = {
    "nobody asks": ([BY_ADDRESS()], sign_in, "right"),
    "wrong": ([ABOUT()], sign_in, "wrong"),
    "nothing verified": ([ABOUT()], lambda request: HttpResponse(), "right"),
    "a wrong code after it": ([ABOUT()], wrong_code, "right"),
    "a wrong guess before it": ([ABOUT()], wrong_before, "right"),
    "exempt": ([ABOUT(exempt=lambda request: True)], sign_in, "right"),
    "an answer that another policy reads as a failure": ([ABOUT(), BY_RESPONSES()], broken, "right"),
}


@pytest.mark.parametrize(("policies", "view", "password"), NO_COOKIE.values(), ids=NO_COOKIE)
def test_no_cookie(policies, view, password, verified):
    """Only what was proven, and by a request in which nothing failed, sets one."""
    response = Browser(door(*policies, view=view)).send(password)
    assert (False, False) == (bool(response.cookies), response.has_header("Vary"))


def test_wrong_codes_after_a_right_password_are_the_browsers(verified):
    """They lock that browser, and nobody else; nor is it named anew by the password."""
    policy = ABOUT()
    at_home = owner(door(policy)).copy(door(policy, view=wrong_code))
    assert [200, 200, 200, 429] == [at_home.guess() for _ in range(4)]
    assert [True, False] == [policy.status(one, "bob").locked for one in (at_home.request, RequestFactory().post("/"))]


def test_view_that_breaks_after_a_right_password(settings, verified):
    """Nobody is asked for a seal, in whatever state the database is by then; what broke comes out."""
    asked = []
    settings.LOCKOUT_BROWSER_SEAL = lambda request, username: asked.append(username)
    with pytest.raises(ZeroDivisionError):
        door(ABOUT(), view=lambda request: sign_in(request).status_code / 0)(RequestFactory().post("/", RIGHT))
    assert ([], [("bob", "right")]) == (asked, verified)


def test_lock_by_responses_is_looked_up_early_for_all(verified):
    """Nothing else would refuse, whoever asks."""
    view = door(ABOUT(), BY_RESPONSES())
    at_home = owner(view)
    for _ in range(3):
        Browser(view).guess()
    verified.clear()
    assert (429, 0) == (at_home.guess("right"), len(verified))


@pytest.mark.parametrize("value", [90, 0, "90 days", timedelta(seconds=59), timedelta(days=401), True])
def test_what_makes_no_sense_stops_at_import(value):
    """A number might be meant as days, or as seconds; and failures that only a response tells name nobody."""
    with pytest.raises(ValueError, match=r"known_browsers is .*; it must be a timedelta from a minute to 400 days"):
        lockout_protect(known_browsers=value)
    with pytest.raises(ValueError, match="known_browsers= has to know who is tried"):
        ABOUT(failure=401)


# At every kind of door


class Late(TemplateResponse):
    """Made by a callable, when it is rendered."""

    rendered_content = property(lambda self: str(self.context_data["make"]()))


def late(request):
    return Late(request, "", {"make": lambda: sign_in(request).content})


def proven_then_late(request):
    def make():
        if "a wrong code" in request.POST:
            user_login_failed.send("codes", credentials={}, request=request)

    sign_in(request)
    return Late(request, "", {"make": make})


def streamed(request):
    return StreamingHttpResponse(str(sign_in(request).content) for _ in range(2))


class Api(APIView):
    def post(self, request):
        return Response(sign_in(request._request).status_code)


class Handler(APIView):
    @lockout_protect(ABOUT())
    def post(self, request):
        return Response(sign_in(request._request).status_code)


site = AdminSite("known")
site.login = lockout_protect(ABOUT())(site.login)
DOORS = {
    "plain": door(ABOUT(), view=sign_in),
    "apart": door(ABOUT(), view=acheck),
    "form": door(ABOUT(), view=LoginView.as_view(template_name="two_forms.html")),
    "api": door(ABOUT(), view=Api).as_view(),
    "handler": Handler.as_view(),
    "late": door(ABOUT(), view=late),
    "unguarded": sign_in,
    "unguarded-apart": acheck,
}
urlpatterns = [path("admin/", site.urls), *(path(f"{name}/", view) for name, view in DOORS.items())]
SITE = {"key": "username", "ceiling": None, "max": 3, "patience": 0, "known_browsers": DAYS}


@pytest.fixture
def project(settings, bob):
    settings.ROOT_URLCONF, settings.LOCKOUT_SITE = __name__, SITE
    settings.MIDDLEWARE = ["lockout_decorators.middleware.LockoutMiddleware", *settings.MIDDLEWARE]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("url", ["/admin/login/?next=/admin/", *(f"/{name}/" for name in DOORS)])
def test_doors(url, kind, project, verified):
    """Through Django's own client: the owner's browser signs in, while strangers are locked out."""

    def visitor():
        client = kind()
        send = async_to_sync(client.post) if kind is AsyncClient else client.post
        return client, lambda password: send(url, {"username": "bob", "password": password}).status_code

    (client, guess), (_, stranger) = visitor(), visitor()
    assert guess("right") in (200, 302)
    (cookie,) = [morsel for name, morsel in client.cookies.items() if name.startswith("lockout-")]
    assert cookie["httponly"]
    client.cookies.pop("sessionid", None)
    assert [True, True, True, False] == [stranger("wrong") != 429 for _ in range(4)]
    verified.clear()
    assert 429 == stranger("right")
    assert guess("right") in (200, 302)
    assert [("bob", "right")] == verified


def test_cookie_is_taken_back_by_what_is_made_later(verified):
    """A wrong code that shows while the response is rendered."""
    view = lockout_protect(ABOUT())(proven_then_late)
    for made, kept in (("nothing", True), ("a wrong code", False)):
        response = view(RequestFactory().post("/", {**RIGHT, made: 1}))
        (before,) = [morsel.value for morsel in response.cookies.values()]
        response.render()
        assert [before] * kept == [morsel.value for morsel in response.cookies.values()]


def test_stream_comes_too_late(verified):
    """Its head is sent; and nothing breaks."""
    response = lockout_protect(ABOUT())(streamed)(RequestFactory().post("/", RIGHT))
    assert (2, False) == (len([*response]), bool(response.cookies))


def test_what_is_no_view_sets_none(verified):
    """There is nothing to set it on."""

    @lockout_protect(ABOUT(), request=lambda info, password: info)
    def resolve(info, password):
        return authenticate(info, username="bob", password=password) is not None

    assert resolve(RequestFactory().post("/"), "right") is True


# Blocks by hand


def observed(policy, request, response):
    with policy.observe(request) as block:
        authenticate(request, username="bob", password=request.POST["password"])
    return block.remember(response)


async def aattempted(policy, request, response):
    async with policy.attempt(request, "bob") as attempt:
        CountingBackend.verified.append(("bob", request.POST["password"]))
        if request.POST["password"] == "right":
            attempt.succeed()
        return attempt.remember(response)


@pytest.mark.parametrize("guess", [observed, async_to_sync(aattempted)])
@pytest.mark.parametrize("seal", [None, "password"])
def test_blocks(guess, seal, bob, settings, verified):
    """remember() sets the cookie, in the block or after it, and gives back the response."""
    settings.LOCKOUT_BROWSER_SEAL = seal
    policy = ABOUT()
    at_home = Browser(lambda request: guess(policy, request, HttpResponse()))
    at_home.guess("right")
    stranger = Browser(at_home.view)
    for _ in range(3):
        stranger.guess()
    assert (1, 0) == (len(at_home.cookies), len(stranger.cookies))
    verified.clear()
    with pytest.raises(LockedOut):
        stranger.guess("right")
    at_home.guess("right")
    assert [("bob", "right")] == verified


@pytest.mark.parametrize("said", [("cancel", "succeed"), ("fail", "succeed"), ("fail",), ("cancel",), ()])
def test_only_a_success_is_remembered(said, verified):
    """The first word stands."""
    with ABOUT().attempt(RequestFactory().post("/"), "bob") as attempt:
        for word in said:
            getattr(attempt, word)()
    assert not attempt.remember(HttpResponse()).cookies


def test_block_that_breaks_remembers_nothing(verified):
    """Whatever it was told before."""
    response = HttpResponse()
    with pytest.raises(ZeroDivisionError), ABOUT().observe(RequestFactory().post("/")) as block:
        authenticate(block.request, **RIGHT)
        block.remember(response)
        raise ZeroDivisionError
    assert not response.cookies and not block.remember(response).cookies


def test_nothing_to_remember(verified):
    """Where nobody asks, or guesses."""
    for policy in (BY_ADDRESS(), ABOUT()):
        with policy.observe(RequestFactory().post("/")) as block:
            pass
        assert not block.remember(HttpResponse()).cookies


# What support sees and does


def test_status_and_reset(verified):
    """Of a request with a cookie they mean its browser; a reset also frees what strangers have locked."""
    policy = ABOUT(username="username")
    view = door(policy)
    at_home = owner(view)
    request = at_home.request

    def locks(name="bob"):
        return [policy.status(one, name).locked for one in (request, RequestFactory().post("/"))]

    lock_strangers(view)
    assert ([False, True], "browser") == (locks(), policy.status(request, "bob").counter)
    for _ in range(3):
        at_home.guess()
    assert ([True, True], "browser") == (locks(), policy.status(request, "bob").counter)
    assert [False, False] == locks("eve")
    policy.forgive(request, "eve")
    assert [True, True] == locks()
    policy.reset(request, "bob")
    assert [False, False] == locks()
    assert 200 == at_home.guess("right")

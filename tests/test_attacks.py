"""What a guesser or a prankster with time would try; the oracle is how often a secret was verified."""

import contextvars
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from django.contrib.auth import authenticate
from django.core.cache import cache
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.views import APIView

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.attempts.counters import Client
from lockout_decorators.contrib.drf import LockoutAuthentication
from tests.backends import CountingBackend

AS = partial(LockoutPolicy, scope="attacks", key="ip", max=3, patience=0)
BY_STATUS = partial(AS, failure=401, credentials=lambda request: True)


def ask(request):
    return authenticate(request, username="bob", password=request.POST["password"])


def by_hand(request):
    """Verifies a secret by other means than `authenticate()`."""
    CountingBackend.verified.append(("", request.POST["password"]))
    return request.POST["password"] == "right"


def form(request, by=ask):
    return HttpResponse(status=200 if by(request) else 401)


def attack(view, rf):
    """Twenty wrong passwords, then the right one; what is left to be made of each answer is made."""
    for password in [*(f"wrong{n}" for n in range(20)), "right"]:
        with suppress(LockedOut):
            answer = view(rf.post("/", {"password": password}))
            getattr(answer, "render", bool)()


class Deferred(TemplateResponse):
    rendered_content = property(lambda self: str(self.context_data))


class Fields:
    """Accounts by user name, or by address; "mine" opens the attacker's."""

    def authenticate(self, asking, username=None, email=None, password=None):
        CountingBackend.verified.append((username or email, password))
        return CountingBackend().get_user(2) if isinstance(password, str) and password == "mine" else None


class Masked(str):
    """A name that is not to be read in logs."""

    __slots__ = ()
    __str__ = __repr__ = lambda self: "***"


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("other", [{"methods": ()}, {"key": "username", "ceiling": None}], ids=["methods", "key"])
def test_a_lock_by_responses_refuses_early_whoever_shares_the_door(other, turn, rf, verified):
    """Also where another policy has no early look: nothing else would refuse."""
    attack(lockout_protect(*[BY_STATUS(), AS(scope="other", **other)][::turn])(partial(form, by=by_hand)), rf)
    assert 3 == len(verified)


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize(("odd", "by"), [(BY_STATUS, by_hand), (partial(AS, exempt=bool), ask)])
def test_policies_that_count_alike_but_watch_differently_both_watch(odd, by, turn, rf, verified):
    """Whichever comes first."""
    attack(lockout_protect(*[AS(), odd()][::turn])(partial(form, by=by)), rf)
    assert 3 == len(verified)


@pytest.mark.parametrize("methods", [None, ()])
@pytest.mark.parametrize("make", [HttpResponse, partial(Deferred, None, "")], ids=["now", "later"])
def test_the_answer_to_a_refusal_verifies_nothing(make, methods, rf, verified):
    """`response=` shows the bound form again."""
    again = AS(methods=methods, response=lambda request, locked_out: make(SimpleLazyObject(lambda: str(ask(request)))))
    attack(lockout_protect(again)(form), rf)
    assert 3 == len(verified)


@pytest.mark.parametrize("methods", [None, ()])
def test_the_browsable_page_of_a_refusal_verifies_nothing(methods, rf, verified, db):
    """It asks the permissions which forms to show."""

    class Keys(BasePermission):
        has_permission = staticmethod(lambda request, view: bool(ask(request._request)))

    class Door(APIView):
        authentication_classes, permission_classes, renderer_classes = (), (Keys,), (BrowsableAPIRenderer,)
        post = get = put = lambda self, request: HttpResponse()

    attack(lockout_protect(AS(methods=methods))(Door).as_view(), rf)
    assert len({password for _, password in verified}) <= 3


@pytest.mark.parametrize("said", ["fail", "__repr__"])
def test_a_password_proves_no_code(said, rf, verified):
    """A held slot that the view's own code has used stays taken, though `authenticate()` is content afterwards."""

    def both(request):
        with AS().attempt(request, "eve") as guess:
            good = by_hand(request)
            getattr(guess, "succeed" if good else said)()
            return authenticate(request, username="eve", password="eves") and good

    attack(lockout_protect(AS())(partial(form, by=both)), rf)
    assert 3 == [name for name, _ in verified].count("")


@pytest.mark.parametrize("finds", [{"request": lambda it: it}, {}], ids=["resolver", "view"])
def test_stacked_resolvers_are_all_counted(finds, rf, verified):
    """The inner policy is the stricter one."""
    inner = lockout_protect(AS(), **finds)(partial(form))
    attack(lockout_protect(AS(scope="outer", max=9), request=lambda it: it)(inner), rf)
    assert 3 == len(verified)


def test_what_a_resolver_leaves_to_be_made_is_no_way_around(rf, verified):
    """A plain function that returns a generator: a TypeError, or watched."""
    lazy = lockout_protect(AS(), request=lambda it: it)(lambda request: (ask(request) for _ in "1"))
    with suppress(TypeError):
        attack(lambda request: list(lazy(request)), rf)
    assert len(verified) <= 3


async def test_a_coroutine_that_will_verify_is_no_success(rf, verified):
    """Asynchronous authentication classes: a TypeError when they are defined, or counted."""

    class Tokens(BaseAuthentication):
        def authenticate(self, request):
            return self.authenticate_credentials(request)

        async def authenticate_credentials(self, request):
            return by_hand(request) or None

    with suppress(TypeError, LockedOut):
        guarded = type("Guarded", (LockoutAuthentication, Tokens), {"lockout_policy": AS()})()
        for n in range(20):
            await guarded.authenticate(rf.post("/", {"password": f"wrong{n}"}))
    assert len(verified) <= 3


@pytest.mark.parametrize(
    ("theirs", "mine", "hosts"),
    [
        ({"username": "bob"}, {"username": "bob"}, ("acme.example", "evil.example")),
        ({"email": "bob@example.org"}, {"username": "bob@example.org"}, ("", "")),
        ({"username": Masked("bob")}, {"username": Masked("eve")}, ("", "")),
    ],
    ids=["namesake at another tenant", "named like an address", "masked"],
)
def test_own_sign_ins_forgive_nothing_of_others(theirs, mine, hosts, rf, verified, settings):
    """Two guesses at somebody else's account, then a sign-in to one's own, and so on."""
    settings.AUTHENTICATION_BACKENDS, settings.USE_X_FORWARDED_HOST = [f"{__name__}.Fields"], True
    for n in range(30):
        own = n % 3 == 2
        request = rf.post("/", HTTP_X_FORWARDED_HOST=hosts[own])
        with suppress(LockedOut), AS().observe(request):
            authenticate(request, password="mine" if own else f"wrong{n}", **(mine if own else theirs))
    assert sum(password != "mine" for _, password in verified) <= 3


# What held.

TEXTS = ["0" * 16 + text for text in (".fffffffffff.1.fffffffffff.zz.ffff.0.", ".0.0.0..0.ffff.", ".0.5.0.ab.0.0.")]


@pytest.mark.parametrize("found", [*TEXTS, "\u0661" * 16 + ".0.0.0..0.0.", "9" * 5_000_000, -1, None, b"\xff", [1], {}])
@pytest.mark.parametrize("rolling", [False, True])
def test_whatever_somebody_puts_into_the_cache_is_no_error(found, rolling, rf):
    policy = AS(rolling=rolling, lockout=(60, 120))
    for counter in Client(rf.post("/")).counters(policy, None):
        cache.set(counter.key, found)
    assert lockout_protect(policy)(form)(rf.post("/", {"password": "wrong"})).status_code in (401, 429)


def test_pools_and_words_are_no_way_around(rf, verified):
    """A guess after cancel(), a second word, a copy of the context in a thread: each has a slot of its own."""

    def view(request):
        with AS().attempt(request) as guess, ThreadPoolExecutor(1) as pool:
            guess.cancel(), guess.succeed()
            return pool.submit(contextvars.copy_context().run, ask, request).result()

    attack(lockout_protect(AS())(partial(form, by=view)), rf)
    assert 2 == len(verified)  # the third slot is held until the block ends

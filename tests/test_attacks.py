"""What a guesser or a prankster with time would try; the oracle is how often a secret was verified."""

from contextlib import nullcontext, suppress
from functools import partial

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import SimpleLazyObject
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.views import APIView

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.signals import attempt_refused
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
        with suppress(LockedOut, PermissionDenied):
            answer = view(rf.post("/", {"password": password}))
            getattr(answer, "render", bool)()


class Deferred(TemplateResponse):
    rendered_content = property(lambda self: str(self.context_data))


class Fields:
    """Accounts by user name, or by address; "mine" opens the attacker's."""

    def authenticate(self, asking, username=None, email=None, password=None):
        CountingBackend.verified.append((username or email, password))
        return CountingBackend().get_user(2) if isinstance(password, str) and password == "mine" else None


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


@pytest.mark.parametrize("raises", [False, True])
def test_a_verdict_may_come_while_the_body_is_made(raises, rf, verified):
    """Out of what it says, or out of what it raises."""

    def check(request):
        if not by_hand(request) and raises:
            raise PermissionDenied

    seen = AS(failure=lambda request, response: response.status_code == 403 or b"None" in response.content)
    view = lockout_protect(seen)(lambda request: Deferred(None, "", SimpleLazyObject(lambda: str(check(request)))))
    attack(view, rf)
    assert 3 == len(verified)


class Rendering(HttpResponse):
    """Has a render(), which is all that Django asks for."""

    def __init__(self, request):
        super().__init__()
        self.render = lambda: HttpResponse(str(ask(request)))


def parting(request):
    try:
        yield from "ab"
    finally:
        ask(request)


LEFT = {
    "template": lambda request: Deferred(None, "", SimpleLazyObject(lambda: str(ask(request)))),
    "rendering": Rendering,
    "stream": lambda request: StreamingHttpResponse(map(str, map(ask, [request]))),
    "file without a file": lambda request: FileResponse(map(str, map(ask, [request]))),
    "stream closed early": lambda request: StreamingHttpResponse(parting(request)),
    "generator closed early": parting,
    "iterator": lambda request: map(ask, [request]),
}


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("door", ["view", "resolver", "block around it"])
def test_what_is_left_to_be_made_is_watched(left, door, rf, verified, db):
    """Whatever it is, and whoever is in charge while the view runs; or it is a TypeError."""
    find = {"request": lambda it: it} if door == "resolver" or left in ("generator closed early", "iterator") else {}
    view = lockout_protect(AS(), **find)(lambda it: LEFT[left](it))  # noqa: PLW0108
    for n in range(20):
        request = rf.post("/", {"password": f"wrong{n}"})
        with suppress(LockedOut, TypeError):
            with AS().observe(request) if door == "block around it" else nullcontext():
                made = view(request)
            getattr(made, "render", bool)()
            next(iter(made), None)
            getattr(made, "close", bool)()
    assert len(verified) <= 3


@pytest.mark.parametrize(
    "asks",
    [{"exempt": lambda it: it.user.is_staff}, {"key": "user"}, {"key": lambda it, _: str(it.user.pk)}, {}],
    ids=["exempt", "key", "callable", "receiver"],
)
def test_what_the_project_is_asked_is_watched(asks, rf, verified):
    """A middleware authenticates when somebody first looks at `request.user`: that may be this very package.

    Where the key itself asks, that guess is counted by the address, beside the view's own.
    """

    def audit(request, **kwargs):
        return request.user.is_staff

    def middleware(request):
        request.user = SimpleLazyObject(lambda: ask(request) or AnonymousUser())
        return door(request)

    door = lockout_protect(AS(**asks))(partial(form, by=lambda request: request.user.is_authenticated))
    attempt_refused.connect(audit)
    try:
        attack(middleware, rf)
    finally:
        attempt_refused.disconnect(audit)
    assert len(verified) <= (6 if callable(asks.get("key")) else 3)

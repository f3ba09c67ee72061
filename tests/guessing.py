"""What tests of watched guesses share: a policy, a form that is sent, a login, backends, and an attacker."""

from base64 import b64encode
from contextlib import suppress
from functools import partial

from django.contrib.auth import authenticate
from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import LockedOut, LockoutPolicy
from tests.backends import CountingBackend

COUNTING, HERE = "tests.backends.CountingBackend", "tests.guessing"
WRONG = [f"wrong{n}" for n in range(8)]

rule = partial(LockoutPolicy, scope="guessing", key="ip", max=3, patience=0)
by_status = partial(rule, failure=401, credentials=lambda request: True)
by_name = partial(rule, key="username", ceiling=None)


def post(password="", **more):
    return RequestFactory().post("/", {"password": password}, **more)


def basic(password, username="bob"):
    return {"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode()}


def ask(request):
    return authenticate(request, username="bob", password=request.POST["password"])


def by_hand(request):
    """Verifies a secret by other means than `authenticate()`."""
    CountingBackend.verified.append(("bob", request.POST["password"]))
    return request.POST["password"] == "right"


def login(request, by=ask):
    return HttpResponse("welcome" if (user := by(request)) else "wrong", status=200 if user else 401)


def attack(view):
    """Eight wrong passwords, then the right one; what is left to be made of each answer is made."""
    for password in [*WRONG, "right"]:
        with suppress(LockedOut, PermissionDenied):
            getattr(view(post(password)), "render", bool)()


def stops(view, verified):
    """Three wrong ones are verified, then not even the right one."""
    verified.clear()
    attack(view)
    assert [("bob", password) for password in WRONG[:3]] == verified


class Second(CountingBackend):
    """Another one that counts into the same list."""


class Fields(BaseBackend):
    """Accounts by user name, or by address; "mine" opens the attacker's."""

    def authenticate(self, asking, username=None, email=None, password=None):
        CountingBackend.verified.append((username or email, password))
        return CountingBackend().get_user(2) if isinstance(password, str) and password == "mine" else None


class Keys(BaseBackend):
    """Takes a secret in the place of a name, or none: the request has it."""

    def authenticate(self, request, username=None, password=None):
        CountingBackend.verified.append((username, password))


class Broken(BaseBackend):
    """A directory that is asked and does not answer."""

    def authenticate(self, request, username=None, password=None):
        CountingBackend.verified.append((username, password))
        raise ConnectionError

    async def aauthenticate(self, request, username=None, password=None):
        self.authenticate(request, username, password)


SECOND, FIELDS, KEYS, BROKEN = [f"{HERE}.{name}" for name in ("Second", "Fields", "Keys", "Broken")]

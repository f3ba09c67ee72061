"""Odd values and odd calls: no errors, no strangers or rightful people counted for nothing."""

import asyncio
import gc
import time
from contextlib import suppress

import pytest
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.http import StreamingHttpResponse
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BaseAuthentication

from lockout_decorators import LockedOut, lockout_protect
from lockout_decorators.contrib.drf import LockoutAuthentication
from tests.test_attacks import AS, Fields, ask, attack, by_hand


class Again(Fields):
    def authenticate(self, request, username=None, password=None):
        return authenticate(request, email=username, password=password.strip())


class Masked(str):
    """A name that is not to be read in logs."""

    __slots__ = ()

    __str__ = __repr__ = lambda self: "***"

    def __bool__(self):
        return False


class HiddenBytes(bytes):
    __repr__ = lambda self: "***"  # noqa: E731


class Attributes(dict):
    __getattr__ = dict.__getitem__


Second = Third = Fields
FIELDS, SECOND, THIRD, AGAIN = [f"tests.test_attacks_more.{name}" for name in ("Fields", "Second", "Third", "Again")]


@pytest.mark.parametrize("kind", [Masked, lambda text: HiddenBytes(text, "ascii")], ids=["str", "bytes"])
def test_secrets_that_hide_themselves_are_told_apart(kind, rf, verified, settings):
    settings.AUTHENTICATION_BACKENDS = [FIELDS]
    with suppress(LockedOut), AS().observe(rf.post("/")):
        [authenticate(None, username=kind("bob"), password=kind(f"wrong{n}")) for n in range(20)]
    assert 3 == len(verified)


@pytest.mark.parametrize("odd", [SimpleLazyObject(lambda: "wrong"), SimpleLazyObject(lambda: 7)])
def test_odd_secrets_break_nothing(odd, rf, settings):
    """Lazy ones, which say that they are text or a number."""
    settings.AUTHENTICATION_BACKENDS = [FIELDS]
    with AS().observe(request := rf.post("/")):
        authenticate(request, username="bob", password=odd)
        user_login_failed.send("elsewhere", credentials={"username": odd, 1: 2}, request=Attributes())
    assert 1 == AS().status(request).failures


@pytest.mark.parametrize("backends", [[AGAIN, FIELDS], [SECOND, THIRD, FIELDS]], ids=["asks again", "of one class"])
def test_one_call_is_one_guess(backends, rf, settings):
    """Whatever a backend asks inside; however many there are of one class."""
    settings.AUTHENTICATION_BACKENDS = backends
    with AS().observe(request := rf.post("/")):
        authenticate(request, username="eve", password="wrong ")
    assert 1 == AS().status(request).failures


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
    settings.AUTHENTICATION_BACKENDS, settings.USE_X_FORWARDED_HOST = [FIELDS], True
    for n in range(30):
        own = n % 3 == 2
        request = rf.post("/", HTTP_X_FORWARDED_HOST=hosts[own])
        with suppress(LockedOut), AS().observe(request):
            authenticate(request, password="mine" if own else f"wrong{n}", **(mine if own else theirs))
    assert sum(password != "mine" for _, password in verified) <= 3


class Numbers(Fields):
    def authenticate(self, request, username=None, email=None, password=None):
        return super().authenticate(request, int(username) if username else email.strip(), password=password)


SPELLED = {"number": lambda n: ("username", "0" * n + "7"), "spaces": lambda n: ("email", " " * (16384 + n) + "bob")}


@pytest.mark.parametrize("how", SPELLED)
def test_one_account_is_one_counter_however_it_is_spelled(how, rf, verified, settings, monkeypatch):
    """Numbers, where they name accounts; names behind more spaces than anybody looks at."""
    monkeypatch.setattr(User, "USERNAME_FIELD", "id")
    settings.AUTHENTICATION_BACKENDS = ["tests.test_attacks_more.Numbers"]
    for n in range(20):
        request = rf.post("/", REMOTE_ADDR=f"192.0.2.{n}")
        with suppress(LockedOut), AS(key="username", ceiling=None).observe(request):
            authenticate(request, password=f"wrong{n}", **dict([SPELLED[how](n)]))
    assert len(verified) <= 3


def test_a_second_name_with_the_same_secret_is_counted_too(rf, verified, settings):
    """Two fields of one form: the first name is another each time."""
    settings.AUTHENTICATION_BACKENDS = [FIELDS]
    for n in range(20):
        with suppress(LockedOut), AS(key="username", ceiling=None).observe(request := rf.post("/")):
            authenticate(request, username=f"somebody{n}", password=f"wrong{n}")
            authenticate(request, email="bob", password=f"wrong{n}")
    assert [name for name, _ in verified].count("bob") <= 3


def broken(request):
    raise ValueError("a NUL in a string")


@pytest.mark.parametrize("before", [ask, broken])
def test_nobody_waits_for_what_never_comes(before, rf, settings):
    """A slot of the same request, or one whose backend broke down: a thread is held for nothing."""
    policy = AS(max=1, patience=2)
    settings.AUTHENTICATION_BACKENDS = [SECOND if before is ask else "tests.test_attacks_more.Broken"]
    with suppress(ValueError), policy.observe(request := rf.post("/", {"password": "wrong"})):
        ask(request)
        began = time.monotonic()
        with suppress(LockedOut):
            policy.attempt(request).__enter__()
    if before is broken:
        began = time.monotonic()
        with suppress(LockedOut):
            policy.attempt(request).__enter__()
    assert time.monotonic() - began < 1


class Broken(Fields):
    def authenticate(self, request, username=None, password=None):
        return broken(request)


def test_who_finds_nobody_has_failed(rf, verified):
    """A token class that returns None."""
    attack(guarded(lambda self, request: by_hand(request) or None).authenticate, rf)
    assert 3 == len(verified)


def test_a_coroutine_that_will_verify_is_no_success():
    """It would be right before it has looked."""

    async def verify(self, request):
        """Never called."""

    with pytest.raises(TypeError):
        guarded(verify)


def guarded(verify):
    ask_it = {"authenticate": lambda self, request: self.authenticate_credentials(request)}
    tokens = type("Tokens", (BaseAuthentication,), {**ask_it, "authenticate_credentials": verify})
    return type("Guarded", (LockoutAuthentication, tokens), {"lockout_policy": AS()})()


async def test_an_asynchronous_stream_that_is_closed_early_is_watched(rf, verified):
    async def chunks(request, password):
        try:
            yield "a"
        finally:
            await aauthenticate(request, username="bob", password=password)

    async def view(request):
        return StreamingHttpResponse(chunks(request, request.POST["password"]))

    for n in range(20):
        await anext(aiter(await lockout_protect(AS(methods=()))(view)(rf.post("/", {"password": f"wrong{n}"}))))
        gc.collect()
        await asyncio.sleep(0.01)
    assert len(verified) <= 3

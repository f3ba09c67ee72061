"""Odd values and odd calls: no errors, no strangers or rightful people counted for nothing."""

from contextlib import suppress
from functools import partial

import pytest
from django.contrib.auth import authenticate, get_backends
from django.contrib.auth.signals import user_login_failed
from django.utils.functional import SimpleLazyObject

from lockout_decorators import LockedOut, lockout_protect
from tests.test_attacks import AS, Deferred, Fields, ask, attack, by_hand, form
from tests.test_attacks import Masked as MaskedName


class Again(Fields):
    def authenticate(self, request, username=None, password=None):
        return authenticate(request, email=username, password=password.strip())


class Masked(MaskedName):
    __bool__ = lambda self: False


class HiddenBytes(bytes):
    __repr__ = lambda self: "***"


class Array:
    """Compares as NumPy's do: the result is neither true nor false."""

    __hash__ = None
    __eq__ = lambda self, other: Array()
    __bool__ = lambda self: [].pop()


class Attributes(dict):
    __getattr__ = dict.__getitem__


Second = Third = Fields
FIELDS, SECOND, THIRD, AGAIN = [f"tests.test_attacks_more.{name}" for name in ("Fields", "Second", "Third", "Again")]


@pytest.mark.parametrize("kind", [Masked, lambda text: HiddenBytes(text, "ascii")], ids=["str", "bytes"])
def test_secrets_that_hide_themselves_are_told_apart(kind, rf, verified, settings):
    settings.AUTHENTICATION_BACKENDS = [FIELDS]
    with suppress(LockedOut), AS().observe(rf.post("/")):
        for n in range(20):
            authenticate(None, username=kind("bob"), password=kind(f"wrong{n}"))
    assert 3 == len(verified)


@pytest.mark.parametrize("odd", [Array(), SimpleLazyObject(lambda: "wrong"), SimpleLazyObject(lambda: 7)])
def test_odd_secrets_break_nothing(odd, rf, settings):
    """A face, as an array of numbers; lazy ones, which say that they are text or a number."""
    settings.AUTHENTICATION_BACKENDS = [FIELDS]
    with AS().observe(request := rf.post("/")):
        authenticate(request, username="bob", password=odd)
        user_login_failed.send("elsewhere", credentials={"username": odd, 1: 2}, request=Attributes())
    assert 1 == AS().status(request).failures


def test_a_block_of_one_policy_inside_a_door_of_two(rf):
    """The same secrets again: to the inner block a new guess, to the other policy one that it knows."""

    def twice(request):
        if not ask(request):
            with AS().attempt(request):
                return ask(request)

    door = lockout_protect(AS(), AS(scope="other"))(partial(form, by=twice))
    assert 401 == door(rf.post("/", {"password": "wrong"})).status_code


def test_a_verdict_may_look_into_a_body_that_is_made_later(rf, verified):
    seen = AS(failure=lambda request, response: b"False" in response.content)
    attack(lockout_protect(seen)(lambda request: Deferred(None, "", by_hand(request))), rf)
    assert 3 == len(verified)


@pytest.mark.parametrize("backends", [[AGAIN, FIELDS], [SECOND, THIRD, FIELDS]], ids=["asks again", "of one class"])
def test_one_call_is_one_guess(backends, rf, settings):
    """Whatever a backend asks inside; however many there are of one class."""
    settings.AUTHENTICATION_BACKENDS = backends
    with AS().observe(request := rf.post("/")):
        authenticate(request, username="eve", password="wrong ")
    assert 1 == AS().status(request).failures


def test_who_guesses_nothing_or_rightly_is_not_counted(rf, settings):
    """Whatever a backend calls its request; and though Django signals a call that no backend takes."""
    settings.AUTHENTICATION_BACKENDS = [FIELDS]
    with AS().observe(request := rf.post("/")):
        get_backends()[0].authenticate(request, None, None, "")
        authenticate(request, username="eve", password="mine")
        authenticate(request, unknown="")
    assert 0 == AS().status(request).failures


def test_a_block_that_is_entered_again_watches_on(rf, verified):
    """Or says that it can't be."""
    with suppress(LockedOut, RuntimeError), AS().observe(request := rf.post("/", {"password": "wrong"})) as block:
        with block:
            pass
        for _ in range(20):
            ask(request)
    assert len(verified) <= 6

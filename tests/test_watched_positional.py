"""Backends asked by position: `for backend in get_backends(): backend.authenticate(request, name, password)`."""

from contextlib import suppress

import pytest
from django.contrib.auth import get_backends
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from tests.backends import CountingBackend


@pytest.mark.parametrize("way", ["positional", "half", "keywords"])
def test_positional(way, verified):
    @lockout_protect(scope=f"positional {way}", key="ip", max=3, patience=0)
    def view(request):
        name, password = request.POST["username"], request.POST["password"]
        for backend in get_backends():
            if way == "positional":
                user = backend.authenticate(request, name, password)
            elif way == "half":
                user = backend.authenticate(request, name, password=password)
            else:
                user = backend.authenticate(request=request, username=name, password=password)
            if user:
                return HttpResponse("welcome")
        return HttpResponse("wrong", status=401)

    assert 200 == view(RequestFactory().post("/", {"username": "bob", "password": "right"})).status_code
    verified.clear()
    [view(RequestFactory().post("/", {"username": "bob", "password": f"wrong{n}"})).status_code for n in range(20)]
    view(RequestFactory().post("/", {"username": "bob", "password": "right"}))
    assert len(verified) <= 3


def test_half_identity(verified):
    """By position the name is unseen: under key="username" the address is counted instead."""
    policy = LockoutPolicy(scope="half id", key="username", ceiling=None, max=3, patience=0)

    @lockout_protect(policy)
    def view(request):
        for backend in get_backends():
            if backend.authenticate(request, "bob", password=request.POST["password"]):
                return HttpResponse("welcome")
        return HttpResponse("wrong", status=401)

    assert 200 == view(RequestFactory(REMOTE_ADDR="203.0.113.9").post("/", {"password": "right"})).status_code
    verified.clear()
    for n in range(20):
        view(RequestFactory(REMOTE_ADDR=f"198.51.100.{n}").post("/", {"password": f"wrong{n}"}))
    assert len(verified) <= 3


class Loose(CountingBackend):
    """Takes what it is given."""

    def authenticate(self, request, *args, **credentials):
        return super().authenticate(request, *args, **credentials)


@pytest.mark.parametrize("way", ["positional", "half"])
def test_backend_that_names_nothing(way, verified, settings):
    """Its secrets are told apart by their places."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Loose"]
    policy = LockoutPolicy(scope=f"loose {way}", key="ip", max=3, patience=0)

    def guess(password):
        (backend,) = get_backends()
        with suppress(LockedOut), policy.observe(RequestFactory().post("/")) as block:
            request = block.request
            if way == "positional":
                return backend.authenticate(request, "bob", password)
            return backend.authenticate(request, "bob", password=password)

    assert guess("right")
    verified.clear()
    assert [None] * 21 == [guess(password) for password in [*map("wrong{}".format, range(20)), "right"]]
    assert 3 == len(verified)


class Last(CountingBackend):
    """Has the request at the end."""

    def authenticate(self, username=None, password=None, request=None):
        return super().authenticate(request, username, password)


class Strict(CountingBackend):
    """Takes nothing by position."""

    def authenticate(self, *, request, username, password):
        return super().authenticate(request, username, password)


@pytest.mark.parametrize("kind", [Loose, Last, Strict])
def test_name_given_by_keyword(kind, verified, settings):
    """It is who is tried, from whichever address, whatever the signature looks like."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.{kind.__name__}"]
    policy = LockoutPolicy(scope="loose name", key="username", ceiling=None, max=3, patience=0)

    def guess(password, n):
        (backend,) = get_backends()
        request = RequestFactory(REMOTE_ADDR=f"198.51.100.{n}").post("/")
        with suppress(LockedOut), policy.observe(request):
            return backend.authenticate(request=request, username="bob", password=password)

    assert [None] * 20 == [guess(f"wrong{n}", n) for n in range(20)]
    assert guess("right", 21) is None
    assert 3 == len(verified)
    policy.reset(RequestFactory().post("/"), "bob")
    assert guess("right", 99)


def test_secrets_of_one_request(verified):
    """Each password is a guess, however many of them a view tries at a time."""
    policy = LockoutPolicy(scope="many", key="ip", max=3, patience=0)
    with policy.observe(RequestFactory().post("/")) as block:
        (backend,) = get_backends()
        assert [None] * 3 == [backend.authenticate(block.request, "bob", f"wrong{n}") for n in range(3)]
        with pytest.raises(LockedOut):
            backend.authenticate(block.request, "bob", "right")
    assert 3 == len(verified)


def test_call_that_no_backend_takes(verified):
    """Fails as it does without a policy."""
    (backend,) = get_backends()
    policy = LockoutPolicy(scope="mistaken", key="ip", max=3)
    with pytest.raises(TypeError), policy.observe(request := RequestFactory().post("/")):
        backend.authenticate(request, "bob", "wrong", "and", "more", "and", "more")
    assert [] == verified

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


def test_call_that_no_backend_takes(verified):
    """Fails as it does without a policy."""
    (backend,) = get_backends()
    policy = LockoutPolicy(scope="mistaken", key="ip", max=3)
    with pytest.raises(TypeError), policy.observe(request := RequestFactory().post("/")):
        backend.authenticate(request, "bob", "wrong", "and", "more", "and", "more")
    assert [] == verified

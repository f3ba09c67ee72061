"""Backends asked by position: `for backend in get_backends(): backend.authenticate(request, name, password)`."""

import pytest
from django.contrib.auth import get_backends
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import LockoutPolicy, lockout_protect


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

    for n in range(20):
        view(RequestFactory(REMOTE_ADDR=f"198.51.100.{n}").post("/", {"password": f"wrong{n}"}))
    assert len(verified) <= 3

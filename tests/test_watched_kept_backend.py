"""A backend that the project keeps: it watches for the block it was loaded in, and for no other."""

import functools

from django.contrib.auth import get_backends
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import lockout_protect


def test_kept(verified):
    @functools.cache
    def directory():
        return get_backends()[0]

    @lockout_protect(scope="kept", key="ip", max=3, patience=0)
    def view(request):
        user = directory().authenticate(request, username="bob", password=request.POST["p"])
        return HttpResponse(status=200 if user else 401)

    [view(RequestFactory().post("/", {"p": f"w{n}"})).status_code for n in range(20)]
    assert 429 == view(RequestFactory().post("/", {"p": "right"})).status_code
    assert len(verified) <= 3

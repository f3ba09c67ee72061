"""Guesses that DRF makes while the response is rendered: after the decorated view has returned."""

import base64
import sys

import pytest
from django.test import Client, override_settings
from django.urls import path
from rest_framework.response import Response
from rest_framework.versioning import QueryParameterVersioning
from rest_framework.views import APIView

from lockout_decorators import LockoutPolicy, lockout_protect

p1 = LockoutPolicy(scope="versioned", key="ip", max=3, patience=0)
p2 = LockoutPolicy(scope="lazy", key="ip", max=3, patience=0)


@lockout_protect(p1)
class Versioned(APIView):
    """Default authenticators (Session, Basic) and renderers (JSON, browsable); versioning as in its docs."""

    versioning_class = QueryParameterVersioning

    def get(self, request):
        return Response({"user": str(request.user)})  # pragma: no cover  # its version is refused, at each request

    post = get


@lockout_protect(p2)
class Lazy(APIView):
    """Authenticates lazily: DRF's docs name `perform_authentication` as the method to override for that."""

    def perform_authentication(self, request):
        pass

    def get(self, request):
        return Response({"hello": "world"})

    post = get


urlpatterns = [path("v/", Versioned.as_view()), path("l/", Lazy.as_view())]


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def ask(url, password, method="get"):
    client = Client(raise_request_exception=False)
    return getattr(client, method)(url, HTTP_AUTHORIZATION=basic("bob", password), HTTP_ACCEPT="text/html")


@override_settings(ROOT_URLCONF=sys.modules[__name__], REST_FRAMEWORK={"ALLOWED_VERSIONS": ["1"]})
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(("url", "policy"), [("/v/?version=2", p1), ("/l/", p2)])
def test_rendering_verifies_unwatched(url, policy, method, verified):
    with override_settings():
        QueryParameterVersioning.allowed_versions = ["1"]
        [ask(url, f"wrong{n}", method).status_code for n in range(20)]
        ask(url, "right", method)
    assert len(verified) <= 3


@override_settings(ROOT_URLCONF=sys.modules[__name__])
def test_even_while_locked(verified):
    QueryParameterVersioning.allowed_versions = ["1"]
    for n in range(4):
        ask("/v/?version=1", f"wrong{n}")
    assert 429 == ask("/v/?version=1", "right").status_code
    before = len(verified)
    for n in range(20):
        ask("/v/?version=2", f"again{n}")
    ask("/v/?version=2", "right")
    assert len(verified) == before

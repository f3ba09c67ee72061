"""failure=: verdicts that the view raises, and verdicts that show only while the response is rendered."""

import sys

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response
from rest_framework.versioning import QueryParameterVersioning
from rest_framework.views import APIView

from lockout_decorators import lockout_protect

looked_up = []


def token_is_right(request):
    token = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Token ")
    looked_up.append(token)
    return token == "right"


@lockout_protect(scope="raises 403", key="ip", max=3, failure=403)
def hook(request):
    """As a webhook's view is usually written."""
    if not token_is_right(request):
        raise PermissionDenied
    return HttpResponse("done")


@lockout_protect(scope="araises 403", key="ip", max=3, failure=403)
async def ahook(request):
    if not token_is_right(request):
        raise PermissionDenied
    return HttpResponse("done")


@lockout_protect(scope="raises 404", key="ip", max=3, failure=404)
def invitation(request, code):
    looked_up.append(code)
    if code != "right":
        raise Http404
    return HttpResponse("welcome")


@lockout_protect(scope="callable", key="ip", max=3, failure=lambda request, response: response.status_code == 403)
def hook2(request):
    if not token_is_right(request):
        raise PermissionDenied
    return HttpResponse("done")


class Tokens(BaseAuthentication):
    def authenticate(self, request):
        token = get_authorization_header(request).decode().removeprefix("Token ")
        if not token:
            return None
        looked_up.append(token)
        if token != "right":
            raise AuthenticationFailed("Invalid token.")
        from django.contrib.auth.models import User

        return User(pk=1, username="bob"), token

    def authenticate_header(self, request):
        return "Token"


@lockout_protect(scope="drf tokens", key="ip", max=3, failure=(401, 403))
class Account(APIView):
    authentication_classes = [Tokens]
    versioning_class = QueryParameterVersioning

    def get(self, request):
        return Response({"user": str(request.user)})


urlpatterns = [
    path("hook/", hook),
    path("ahook/", ahook),
    path("invitation/<code>/", invitation),
    path("hook2/", hook2),
    path("drf/", Account.as_view()),
]


@override_settings(ROOT_URLCONF=sys.modules[__name__])
@pytest.mark.parametrize(
    "url", ["/hook/", "/ahook/", "/hook2/", "/invitation/{}/", "/drf/?version=2", "/drf/?version=1"]
)
def test_failure(url, caplog):
    QueryParameterVersioning.allowed_versions = ["1"]
    looked_up.clear()
    c = Client(raise_request_exception=False)
    extra = {"HTTP_ACCEPT": "text/html"} if "drf" in url else {}
    c.get(url.format("right"), **extra)  # shows no credential
    c.get(url.format("right"), HTTP_AUTHORIZATION="Token right", **extra)
    looked_up.clear()
    [c.get(url.format(f"wrong{n}"), HTTP_AUTHORIZATION=f"Token wrong{n}", **extra).status_code for n in range(20)]
    c.get(url.format("right"), HTTP_AUTHORIZATION="Token right", **extra)
    assert len(looked_up) <= 3

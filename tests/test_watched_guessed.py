"""failure=401: a right password in the same request hides what the response says."""

import base64
import sys

from django.contrib.auth import authenticate
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response
from rest_framework.views import APIView

from lockout_decorators import lockout_protect

codes = []


def code_is_right(code):
    codes.append(code)
    return code == "right"


@lockout_protect(scope="both", key="ip", max=3, failure=401, credentials=lambda request: True, patience=0)
def password_and_code(request):
    user = authenticate(request, username=request.POST["u"], password=request.POST["p"])
    if user is None or not code_is_right(request.POST["code"]):
        return HttpResponse("wrong", status=401)
    return HttpResponse("welcome")


@lockout_protect(scope="keys", key="ip", max=3, failure=(401, 403), patience=0)
class Api(APIView):
    authentication_classes = [BasicAuthentication]

    def get(self, request):
        if not code_is_right(request.headers.get("X-Api-Key")):
            raise AuthenticationFailed
        return Response("secret")


urlpatterns = [path("login/", password_and_code), path("api/", Api.as_view())]


@override_settings(ROOT_URLCONF=sys.modules[__name__])
def test_code(verified):
    codes.clear()
    c = Client()
    assert 200 == c.post("/login/", {"u": "bob", "p": "right", "code": "right"}).status_code
    codes.clear()
    [c.post("/login/", {"u": "bob", "p": "right", "code": f"wrong{n}"}).status_code for n in range(50)]
    assert len(codes) <= 3


@override_settings(ROOT_URLCONF=sys.modules[__name__])
def test_key(verified):
    codes.clear()
    c = Client()
    basic = "Basic " + base64.b64encode(b"eve:eves").decode()
    assert 200 == c.get("/api/", HTTP_AUTHORIZATION=basic, HTTP_X_API_KEY="right").status_code
    codes.clear()
    [c.get("/api/", HTTP_AUTHORIZATION=basic, HTTP_X_API_KEY=f"wrong{n}").status_code for n in range(50)]
    assert len(codes) <= 3

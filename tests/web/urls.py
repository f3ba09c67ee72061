"""The doors of the site for real web servers, and the hasher behind them."""

import json
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User, update_last_login
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.decorators import api_view
from rest_framework.response import Response

from lockout_decorators import LockoutPolicy, lockout_protect

SITE = settings.SITE

user_logged_in.disconnect(update_last_login, dispatch_uid="update_last_login")  # there is no table of users


class Hasher(BaseBackend):
    """Slow, and counted across processes: each run adds a character to a file, + for right passwords, - for wrong."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None) -> User | None:
        right = password == "right"
        with Path(SITE["hasher"]).open("ab", buffering=0) as file:
            file.write(b"+" if right else b"-")
        time.sleep(SITE["verification"])
        return User(pk=1, username=username) if right else None


def protect(key: str, scope: str) -> Any:
    """With so much patience that a slow machine is not taken for a fault."""
    seconds = SITE["seconds"]
    policy = LockoutPolicy(key=key, max=5, window=seconds, lockout=seconds, scope=scope, patience=30)
    return lockout_protect(policy) if SITE["decorated"] else lambda view: view


@csrf_exempt
@protect("ip+ua", "json")
async def json_login(request: HttpRequest) -> HttpResponse:
    user = await aauthenticate(request, **json.loads(request.body))
    return JsonResponse({}, status=200 if user else 401)


@api_view(["POST"])
@protect("ip", "token")
def token(request: Any) -> Response:
    user = authenticate(request, username=request.data["username"], password=request.data["password"])
    return Response({}, status=200 if user else 401)


urlpatterns = [
    path("form/", protect("ip", "form")(LoginView.as_view(template_name="login.html"))),
    path("json/", json_login),
    path("token/", token),
]

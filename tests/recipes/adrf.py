"""adrf: coroutine views of Django REST framework, and authentication classes that are coroutines."""

# fmt: off
# recipe
from adrf.decorators import api_view
from adrf.views import APIView
from django.contrib.auth import aauthenticate
from django.urls import path
from rest_framework.authentication import (
    BaseAuthentication,
    get_authorization_header,
)
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response

from lockout_decorators import LockoutPolicy, lockout_protect, presets

tokens = LockoutPolicy(scope="tokens", key="ip", max=5, lockout=600)


class Tokens(BaseAuthentication):
    async def authenticate(self, request):
        scheme, _, key = (
            get_authorization_header(request).decode("latin-1").partition(" ")
        )
        if scheme != "Token" or not key:
            return None  # presents nothing, so is no guess
        async with tokens.attempt(request) as attempt:
            token = await find_token(key)
            if token is None:
                raise AuthenticationFailed
            attempt.succeed()
        return token.user, token

    def authenticate_header(self, request):
        return "Token"


class Account(APIView):
    authentication_classes = [Tokens]
    permission_classes = [IsAuthenticated]

    async def get(self, request):
        return Response({"user": request.user.get_username()})


@lockout_protect(*presets.LOGIN)
class Login(APIView):
    authentication_classes = []

    async def post(self, request):
        user = await aauthenticate(request, **request.data)
        return Response(
            {"user": user and user.get_username()}, status=200 if user else 403
        )


@api_view(["POST"])
@lockout_protect(*presets.LOGIN)
async def login(request):
    user = await aauthenticate(request, **request.data)
    return Response(
        {"user": user and user.get_username()}, status=200 if user else 403
    )


urlpatterns = [
    path("account/", Account.as_view()),
    path("login/", Login.as_view()),
    path("function/", login),
]
# end

looked_up: list[str] = []


async def find_token(key):
    """The project's own lookup."""
    looked_up.append(key)
    return await Token.objects.select_related("user").filter(key=key).afirst()


class Basic(BaseAuthentication):
    """Asks aauthenticate()."""

    async def authenticate(self, request):
        user = await aauthenticate(
            request, username="bob", password=request.headers["X-Password"]
        )
        if user is None:
            raise AuthenticationFailed
        return user, None


@lockout_protect(key="ip", max=5, lockout=600)
class Watched(Account):
    authentication_classes = [Basic]


urlpatterns += [
    path("watched/", Watched.as_view()),
    path(
        "around/",
        lockout_protect(key="ip", max=5, lockout=600, scope="around")(
            Login.as_view()
        ),
    ),
]

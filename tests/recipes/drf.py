"""Django REST framework: tokens, Basic authentication, the browsable API's login, actions."""

# fmt: off
# recipe
from django.contrib.auth import authenticate
from django.contrib.auth.views import LoginView
from django.urls import include, path
from rest_framework.authentication import (
    BasicAuthentication,
    TokenAuthentication,
)
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework.decorators import action
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView, exception_handler
from rest_framework.viewsets import ViewSet

from lockout_decorators import (
    LockedOut,
    LockoutPolicy,
    lockout_protect,
    presets,
)
from lockout_decorators.contrib.drf import LockoutAuthentication


class Account(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"user": request.user.get_username()})


# The class, since DRF authenticates before the handler runs.
@lockout_protect(*presets.LOGIN)
class BasicAccount(Account):
    authentication_classes = [BasicAuthentication]


class Tokens(LockoutAuthentication, TokenAuthentication):
    lockout_policy = LockoutPolicy(scope="tokens", key="ip", max=5)


class TokenAccount(Account):
    authentication_classes = [Tokens]


@lockout_protect(key="ip", max=5, failure=401)
class ResponseAccount(Account):
    authentication_classes = [TokenAuthentication]


class Sessions(ViewSet):
    authentication_classes = []

    @action(detail=False, methods=["post"])
    @lockout_protect(*presets.LOGIN)
    def sign_in(self, request):
        user = authenticate(
            request,
            username=request.data.get("username"),
            password=request.data.get("password"),
        )
        if user is None:
            raise AuthenticationFailed
        return Response({"user": user.get_username()})


router = SimpleRouter()
router.register("sessions", Sessions, basename="sessions")

browsable = LoginView.as_view(template_name="rest_framework/login.html")

urlpatterns = [
    path("token/", lockout_protect(*presets.LOGIN)(obtain_auth_token)),
    # Goes before the package's own.
    path("api-auth/login/", lockout_protect(*presets.LOGIN)(browsable)),
    path("api-auth/", include("rest_framework.urls")),
    path("basic/", BasicAccount.as_view()),
    path("tokens/", TokenAccount.as_view()),
    path("response/", ResponseAccount.as_view()),
    path("", include(router.urls)),
]
# end


# handler
def handle(error, context):
    """For `EXCEPTION_HANDLER`."""
    response = exception_handler(error, context)
    if isinstance(error, LockedOut):
        response.data = {
            "code": "locked_out",
            "seconds": error.status.retry_after,
        }
    return response


# end of handler

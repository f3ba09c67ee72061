"""mozilla-django-oidc: the callback of a sign-on, and access tokens of an API."""

# fmt: off
# recipe
from django.core.exceptions import PermissionDenied
from django.urls import include, path
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.contrib.drf import OIDCAuthentication
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView
from requests.exceptions import HTTPError
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from lockout_decorators import LockoutPolicy, lockout_protect

tokens = LockoutPolicy(
    scope="access tokens", key="ip", max=20, window=300, lockout=600
)


class Backend(OIDCAuthenticationBackend):
    """For `AUTHENTICATION_BACKENDS`."""

    def raise_token_response_error(self, response):
        """A code that the provider does not take is wrong."""
        try:
            super().raise_token_response_error(response)
        except HTTPError as error:
            if response.status_code in (400, 401):
                raise PermissionDenied from error
            raise


@lockout_protect(key="ip", max=5, window=300, lockout=600, methods=["GET"])
class Callback(OIDCAuthenticationCallbackView):
    """For `OIDC_CALLBACK_CLASS`."""


class AccessToken(OIDCAuthentication):
    def authenticate(self, request):
        if not self.get_access_token(request):
            return None  # presents nothing, so is no guess
        with tokens.attempt(request) as attempt:
            found = super().authenticate(request)
            attempt.succeed()
        return found


class Account(APIView):
    authentication_classes = [AccessToken]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"user": request.user.get_username()})


urlpatterns = [
    path("oidc/", include("mozilla_django_oidc.urls")),
    path("account/", Account.as_view()),
]
# end

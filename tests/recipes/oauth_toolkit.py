"""django-oauth-toolkit: passwords of users at the token endpoint, secrets of applications at three."""

# fmt: off
# recipe
from django.http import JsonResponse
from django.urls import include, path
from oauth2_provider.views import (
    IntrospectTokenView,
    RevokeTokenView,
    TokenView,
)

from lockout_decorators import lockout_protect


def presents_secret(request):
    return "Authorization" in request.headers or "client_secret" in request.POST


def refuse(request, locked_out):
    error = {
        "error": "temporarily_unavailable",
        "error_description": locked_out.message,
    }
    return JsonResponse(error, status=locked_out.status_code)


protect = lockout_protect(
    scope="oauth",
    key="ip+username",
    max=5,
    failure=(401, 403),
    credentials=presents_secret,
    response=refuse,
)

for view in (TokenView, RevokeTokenView, IntrospectTokenView):
    protect(view)  # in place, so the URLs stay those of the package

urlpatterns = [path("o/", include("oauth2_provider.urls"))]
# end

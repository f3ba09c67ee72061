"""djangorestframework-simplejwt: the endpoint that takes passwords, and the one that takes refresh tokens."""

# fmt: off
# recipe
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from lockout_decorators import lockout_protect, presets


def rejected(request, response):
    return response.status_code == 401


urlpatterns = [
    path(
        "token/", lockout_protect(*presets.LOGIN)(TokenObtainPairView.as_view())
    ),
    path(
        "token/refresh/",
        lockout_protect(key="ip", max=20, failure=rejected)(
            TokenRefreshView.as_view()
        ),
    ),
]
# end

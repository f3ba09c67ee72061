"""dj-rest-auth: its login, the old password of a password change, and the tokens of a password reset."""

# fmt: off
# recipe
from dj_rest_auth.serializers import PasswordChangeSerializer
from dj_rest_auth.views import (
    LoginView,
    PasswordChangeView,
    PasswordResetConfirmView,
)
from django.urls import include, path

from lockout_decorators import LockoutPolicy, lockout_protect, presets

old_passwords = LockoutPolicy(scope="old passwords", key="user", max=5)


class PasswordChange(PasswordChangeSerializer):
    def validate_old_password(self, value):
        with old_passwords.attempt(
            self.request, self.user.get_username()
        ) as guess:
            value = super().validate_old_password(value)
            guess.succeed()
        return value


def wrong_link(request, response):
    return response.status_code == 400 and not {"uid", "token"}.isdisjoint(
        response.data
    )


# In place, so the URLs stay those of the package.
lockout_protect(*presets.LOGIN)(LoginView)
lockout_protect(key="ip", max=5, failure=wrong_link)(PasswordResetConfirmView)
PasswordChangeView.serializer_class = PasswordChange

urlpatterns = [path("auth/", include("dj_rest_auth.urls"))]
# end

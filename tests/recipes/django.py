"""Django's own login, change of password and reset link."""

# fmt: off
# recipe
from django.contrib.auth.views import (
    LoginView,
    PasswordChangeView,
    PasswordResetConfirmView,
)
from django.urls import path

from lockout_decorators import LockoutPolicy, lockout_protect, presets

login = lockout_protect(*presets.LOGIN)(LoginView.as_view())

old_passwords = LockoutPolicy(scope="old password", key="user", max=5)


@lockout_protect(old_passwords)  # answers when attempt() raises LockedOut
class ChangePassword(PasswordChangeView):
    success_url = "/"

    def get_form(self, form_class=None):
        form = super().get_form(form_class)
        if self.request.POST.get("old_password"):
            with old_passwords.attempt(
                self.request, self.request.user.get_username()
            ) as guess:
                if not form.has_error("old_password"):  # verifies it
                    guess.succeed()
        return form


def link_is_invalid(request, response):
    return getattr(response, "context_data", {}).get("validlink") is False


@lockout_protect(key="ip", max=10, failure=link_is_invalid)
class Reset(PasswordResetConfirmView):
    success_url = "/login/"


urlpatterns = [
    path("login/", login, name="login"),
    path("password_change/", ChangePassword.as_view(), name="password_change"),
    path(
        "reset/<uidb64>/<token>/",
        Reset.as_view(),
        name="password_reset_confirm",
    ),
]
# end

"""django-allauth: one policy for the logins by password, form and headless, and one for the codes sent by e-mail."""

# fmt: off
# recipe
from dataclasses import replace

from allauth.account import views
from allauth.account.forms import ConfirmLoginCodeForm
from allauth.core import context
from allauth.headless.account import views as headless
from allauth.headless.account.inputs import ConfirmLoginCodeInput
from django.urls import include, path

from lockout_decorators import LockoutPolicy, lockout_protect, presets

passwords = [replace(policy, scope="passwords") for policy in presets.LOGIN]
codes = LockoutPolicy(scope="login codes", key="ip", max=5)


class CountsCodes:
    def clean_code(self):
        with codes.attempt(context.request) as guess:
            code = super().clean_code()
            guess.succeed()
        return code


class LoginCodeForm(CountsCodes, ConfirmLoginCodeForm):
    """In ACCOUNT_FORMS as "confirm_login_code"."""


class LoginCodeInput(CountsCodes, ConfirmLoginCodeInput):
    pass


for view in (
    views.LoginView,
    views.ReauthenticateView,
    headless.LoginView,
    headless.ReauthenticateView,
):
    # In place, so the URLs stay those of the package.
    lockout_protect(*passwords)(view)

for view in (views.ConfirmLoginCodeView, headless.ConfirmLoginCodeView):
    lockout_protect(codes)(view)

headless.ConfirmLoginCodeView.input_class = LoginCodeInput

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
]
# end

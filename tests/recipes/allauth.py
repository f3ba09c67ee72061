"""django-allauth: one policy for the logins by password, form and headless, and one for the codes sent by e-mail."""

# recipe
from allauth.account import views
from allauth.account.forms import ConfirmLoginCodeForm
from allauth.core import context
from allauth.headless.account import views as headless
from allauth.headless.account.inputs import ConfirmLoginCodeInput
from django.urls import include, path

from lockout_decorators import LockoutPolicy, lockout_protect

passwords = LockoutPolicy(scope="passwords", key="ip+username", max=5)
codes = LockoutPolicy(scope="login codes", key="ip", max=5)


class CountsCodes:
    def clean_code(self):
        with codes.attempt(context.request) as guess:
            code = super().clean_code()
            guess.succeed()
        return code


class LoginCodeForm(CountsCodes, ConfirmLoginCodeForm):  # in ACCOUNT_FORMS as "confirm_login_code"
    pass


class LoginCodeInput(CountsCodes, ConfirmLoginCodeInput):
    pass


for view in (views.LoginView, views.ReauthenticateView, headless.LoginView, headless.ReauthenticateView):
    lockout_protect(passwords)(view)  # in place, so the URLs stay those of the package

for view in (views.ConfirmLoginCodeView, headless.ConfirmLoginCodeView):
    lockout_protect(codes)(view)

headless.ConfirmLoginCodeView.input_class = LoginCodeInput

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
]
# end

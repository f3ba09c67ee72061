"""The second step of allauth's MFA, form and headless: codes count by account, whoever knows the password."""

# fmt: off
# recipe
from dataclasses import replace

from allauth.core import context
from allauth.headless.mfa import views as headless
from allauth.headless.mfa.inputs import AuthenticateInput
from allauth.mfa.base import views
from allauth.mfa.base.forms import AuthenticateForm
from django.urls import include, path

from lockout_decorators import lockout_protect, presets

second_step = replace(*presets.CODES, scope="second step")


class CountsCodes:
    def clean_code(self):
        with second_step.attempt(
            context.request, self.user.get_username()
        ) as guess:
            code = super().clean_code()
            guess.succeed()
        return code


class CodeForm(CountsCodes, AuthenticateForm):  # in MFA_FORMS as "authenticate"
    pass


class CodeInput(CountsCodes, AuthenticateInput):
    pass


headless.AuthenticateView.input_class = CodeInput

for view in (views.AuthenticateView, headless.AuthenticateView):
    lockout_protect(second_step)(view)  # answers who is refused

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
]
# end

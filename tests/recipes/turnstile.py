"""A login form with Cloudflare's Turnstile, or Google's reCAPTCHA, before the fourth guess."""

# fmt: off
# recipe
import json
from urllib.parse import urlencode
from urllib.request import urlopen

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.urls import path
from django.utils.html import format_html

from lockout_decorators import ChallengeRequired, lockout_protect

FIELD = "cf-turnstile-response"  # reCAPTCHA: g-recaptcha-response


def is_passed(request):
    if not (token := request.POST.get(FIELD)):
        return False  # as whoever was not shown any
    asked = urlencode(
        {"secret": settings.TURNSTILE_SECRET, "response": token}
    ).encode()
    with urlopen(settings.TURNSTILE_VERIFY, asked, timeout=3) as answer:
        return json.load(answer)["success"] is True


class Turnstile(forms.Widget):
    def render(self, name, value, attrs=None, renderer=None):
        page = (
            '<div class="cf-turnstile" data-sitekey="{}"></div>'
            '<script src="{}" async defer></script>'
        )
        return format_html(
            page, settings.TURNSTILE_KEY, settings.TURNSTILE_SCRIPT
        )


class LoginForm(AuthenticationForm):
    def clean(self):
        try:
            return super().clean()
        except ChallengeRequired:
            self.fields[FIELD] = forms.CharField(widget=Turnstile, label="")
            raise ValidationError(
                "Please show that you are no program.", code="challenge"
            ) from None


login = lockout_protect(
    key="ip+username", max=10, challenge_after=3, challenge=is_passed
)(LoginView.as_view(authentication_form=LoginForm, template_name="form.html"))

urlpatterns = [path("login/", login)]
# end

"""A login form that has the browser work before the fourth guess."""

# fmt: off
# recipe
from hashlib import sha256
from secrets import token_urlsafe

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, TimestampSigner
from django.templatetags.static import static
from django.urls import path
from django.utils.html import format_html

from lockout_decorators import ChallengeRequired, lockout_protect

BITS = 14  # some second in a browser; each one more doubles the work
LIFE = 600  # seconds from the page to the guess

signer = TimestampSigner(salt="proof of work")


def is_worked_out(request):
    puzzle, _, number = request.POST.get("work", "").partition(" ")
    try:
        signer.unsign(puzzle, max_age=LIFE)
    except BadSignature:
        return False
    found = sha256(f"{puzzle} {number}".encode()).digest()
    if int.from_bytes(found) >> (256 - BITS):
        return False
    return cache.add(f"worked-out:{puzzle}", True, LIFE)  # each serves once


class Work(forms.HiddenInput):
    def render(self, name, value, attrs=None, renderer=None):
        puzzle = signer.sign(token_urlsafe(12))  # a new one for each page
        field = (
            '<input type="hidden" name="{}" data-puzzle="{}" data-bits="{}">'
            '<script src="{}" defer></script>'
        )
        return format_html(
            field, name, puzzle, BITS, static("proof_of_work.js")
        )


class LoginForm(AuthenticationForm):
    def clean(self):
        try:
            return super().clean()
        except ChallengeRequired:
            self.fields["work"] = forms.CharField(widget=Work)
            raise ValidationError(
                "Please sign in once more, in a moment.", code="challenge"
            ) from None


login = lockout_protect(
    key="ip+username", max=10, challenge_after=3, challenge=is_worked_out
)(LoginView.as_view(authentication_form=LoginForm, template_name="form.html"))

urlpatterns = [path("login/", login)]
# end

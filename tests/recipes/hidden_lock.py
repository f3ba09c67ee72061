"""A login form that does not tell whether it is locked."""

# fmt: off
# recipe
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.hashers import make_password
from django.contrib.auth.views import LoginView
from django.urls import path

from lockout_decorators import LockedOut, lockout_protect, presets


class LoginForm(AuthenticationForm):
    def clean(self):
        try:
            return super().clean()
        except LockedOut as locked_out:
            if locked_out.status_code != 429:
                raise  # the cache is down: that is no secret
            # Takes as long as to verify it.
            make_password(self.cleaned_data["password"])
            raise self.get_invalid_login_error() from None


login = lockout_protect(*presets.LOGIN)(
    LoginView.as_view(authentication_form=LoginForm, template_name="form.html")
)

urlpatterns = [path("login/", login)]
# end

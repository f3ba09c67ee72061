"""A login form that does not tell whether it is locked."""

# recipe
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.hashers import make_password
from django.contrib.auth.views import LoginView
from django.urls import path

from lockout_decorators import LockedOut, lockout_protect


class LoginForm(AuthenticationForm):
    def clean(self):
        try:
            return super().clean()
        except LockedOut as locked_out:
            if locked_out.status_code != 429:
                raise  # the cache is down: that is no secret
            make_password(self.cleaned_data["password"])  # takes as long as to verify it
            raise self.get_invalid_login_error() from None


# methods=(): nobody is refused before the form has its say
login = lockout_protect(key="ip+username", max=5, methods=())(
    LoginView.as_view(authentication_form=LoginForm, template_name="form.html")
)

urlpatterns = [path("login/", login)]
# end

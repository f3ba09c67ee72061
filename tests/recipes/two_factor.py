"""django-two-factor-auth: one wizard, whose steps count apart."""

# fmt: off
# recipe
from dataclasses import replace

from django.urls import include, path
from two_factor.urls import urlpatterns as two_factor
from two_factor.views import LoginView

from lockout_decorators import lockout_protect, presets

second_step = replace(*presets.CODES, scope="second step")


@lockout_protect(*presets.LOGIN)
class Login(LoginView):
    def post(self, *args, **kwargs):
        user = self.storage.authenticated_user  # who passed the first step
        if not user or {"token-otp_token", "backup-otp_token"}.isdisjoint(
            self.request.POST
        ):
            return super().post(*args, **kwargs)
        with second_step.attempt(self.request, user.get_username()) as guess:
            response = super().post(*args, **kwargs)
            # The device that took the code.
            if getattr(self.user_cache, "otp_device", None):
                guess.succeed()
        return response


urlpatterns = [
    path("account/login/", Login.as_view()),
    path("", include(two_factor)),
]
# end

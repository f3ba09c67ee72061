"""django-two-factor-auth: one wizard, whose steps count apart."""

# recipe
from django.urls import include, path
from two_factor.urls import urlpatterns as two_factor
from two_factor.views import LoginView

from lockout_decorators import LockoutPolicy, lockout_protect

second_step = LockoutPolicy(scope="second step", key="username", max=5, window=3600, lockout=3600)


@lockout_protect(key="ip+username", max=5)
class Login(LoginView):
    def post(self, *args, **kwargs):
        user = self.storage.authenticated_user  # who passed the first step
        if not user or {"token-otp_token", "backup-otp_token"}.isdisjoint(self.request.POST):
            return super().post(*args, **kwargs)
        with second_step.attempt(self.request, user.get_username()) as guess:
            response = super().post(*args, **kwargs)
            if getattr(self.user_cache, "otp_device", None):  # the device that took the code
                guess.succeed()
        return response


urlpatterns = [path("account/login/", Login.as_view()), path("", include(two_factor))]
# end

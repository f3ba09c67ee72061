"""A form, a token endpoint and the admin: one policy, so one count."""

# fmt: off
# recipe
from dataclasses import replace

from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView

from lockout_decorators import lockout_protect, presets

policies = [replace(policy, scope="sign in") for policy in presets.LOGIN]
sign_in = lockout_protect(*policies)

admin.site.login = sign_in(admin.site.login)

urlpatterns = [
    path(
        "login/", sign_in(LoginView.as_view(template_name="admin/login.html"))
    ),
    path("token/", sign_in(TokenObtainPairView.as_view())),
    path("admin/", admin.site.urls),
]
# end

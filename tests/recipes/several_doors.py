"""A form, a token endpoint and the admin: one policy, so one count."""

# recipe
from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView

from lockout_decorators import LockoutPolicy, lockout_protect

sign_in = lockout_protect(LockoutPolicy(scope="sign in", key="ip+username", max=5))

admin.site.login = sign_in(admin.site.login)

urlpatterns = [
    path("login/", sign_in(LoginView.as_view(template_name="admin/login.html"))),
    path("token/", sign_in(TokenObtainPairView.as_view())),
    path("admin/", admin.site.urls),
]
# end

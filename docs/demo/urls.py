"""The doors' addresses."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import path
from views import Token, challenged_login, code, index, json_login, login

urlpatterns = [
    path("", index, name="index"),
    path("login/", login, name="login"),
    path("logout/", LogoutView.as_view(next_page="index"), name="logout"),
    path("code/", code, name="code"),
    path("token/", Token.as_view()),
    path("json/", json_login),
    path("challenged/", challenged_login),
    path("admin/", admin.site.urls),
]

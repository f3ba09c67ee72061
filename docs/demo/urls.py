"""The doors' addresses, and those of the pages around them."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from pages import index, live, mails
from views import Token, challenged_login, code, json_login, login

from lockout_decorators import mail, policies_of
from lockout_decorators.contrib.admin import add_to

add_to(admin.site)
mail.tells_owner(*policies_of(login), *policies_of(admin.site.login), base_url=settings.SITE)

urlpatterns = [
    path("", index, name="index"),
    path("login/", login, name="login"),
    path("logout/", LogoutView.as_view(next_page="index"), name="logout"),
    path("code/", code, name="code"),
    path("token/", Token.as_view()),
    path("json/", json_login),
    path("challenged/", challenged_login),
    path("admin/", admin.site.urls),
    path("unlock/", include("lockout_decorators.urls")),
    path("mails/", mails, name="mails"),
    path("live/", live, name="live"),
    path("i18n/", include("django.conf.urls.i18n")),
]

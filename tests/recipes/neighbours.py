"""Beside django-axes, django-defender and django-ratelimit."""

# fmt: off
# recipe
from defender.decorators import watch_login
from django.contrib.auth.views import LoginView
from django.urls import path
from django_ratelimit.decorators import ratelimit

from lockout_decorators import lockout_protect

limited = ratelimit(group="login", key="ip", rate="10/m", method="POST")
watched = watch_login()
protected = lockout_protect(key="ip+ua", max=5, window=300, lockout=600)

login = LoginView.as_view(template_name="admin/login.html")

urlpatterns = [
    # Beside django-axes, which is a backend and a middleware.
    path("login/", protected(login)),
    path("watched/", protected(watched(login))),
    path("limited/", protected(limited(login))),
    path("all/", protected(limited(watched(login)))),
]
# end

from django.contrib import admin  # noqa: E402

patient = lockout_protect(key="ip", max=50, scope="patient")
urlpatterns += [
    path("admin/", admin.site.urls),  # whose template asks for it
    path(
        "counted/",
        lockout_protect(key="ip", max=5, scope="counted", enforce=False)(login),
    ),
    path("patient/login/", patient(login)),
    path("patient/watched/", patient(watched(login))),
    path("patient/limited/", patient(limited(login))),
    path("wrong/watched/", watched(protected(login))),
    path("wrong/limited/", limited(protected(login))),
]

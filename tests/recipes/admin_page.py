"""The page of lockouts in the admin."""

# recipe
from django.contrib import admin
from django.urls import path

from lockout_decorators.contrib.admin import add_to

add_to(admin.site, view="auth.view_user", unlock="auth.change_user")

urlpatterns = [
    path("admin/", admin.site.urls),
]
# end

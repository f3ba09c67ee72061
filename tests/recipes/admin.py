"""The admin's login, and that of a second AdminSite."""

# fmt: off
# recipe
from dataclasses import replace

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.urls import path

from lockout_decorators import lockout_protect, presets

partners = AdminSite(name="partners")

admin.site.login = lockout_protect(*presets.LOGIN)(admin.site.login)

apart = [replace(policy, scope="partners") for policy in presets.LOGIN]
partners.login = lockout_protect(*apart)(partners.login)


def old_password_is_wrong(request, response):
    form = getattr(response, "context_data", {}).get("form")
    return form is not None and form.has_error(
        "old_password", "password_incorrect"
    )


old_passwords = lockout_protect(
    key="user",
    max=5,
    scope="admin: old password",
    failure=old_password_is_wrong,
)
admin.site.password_change = old_passwords(admin.site.password_change)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("partners/", partners.urls),
]
# end

"""The admin's login, and that of a second AdminSite."""

# recipe
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.urls import path

from lockout_decorators import lockout_protect

partners = AdminSite(name="partners")

admin.site.login = lockout_protect(key="ip+username", max=5, scope="admin")(admin.site.login)
partners.login = lockout_protect(key="ip+username", max=5, scope="partners")(partners.login)


def old_password_is_wrong(request, response):
    form = getattr(response, "context_data", {}).get("form")
    return form is not None and form.has_error("old_password", "password_incorrect")


old_passwords = lockout_protect(key="user", max=5, scope="admin: old password", failure=old_password_is_wrong)
admin.site.password_change = old_passwords(admin.site.password_change)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("partners/", partners.urls),
]
# end

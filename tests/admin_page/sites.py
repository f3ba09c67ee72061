"""Sites of the admin that have the page, and how people read it."""

import re
from html import unescape

from django.contrib.admin import AdminSite
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import path

from lockout_decorators import LockedOut
from lockout_decorators.contrib.admin import add_to

HERE = "192.0.2.7"
RIGHTS = {"view": "auth.view_user", "unlock": "auth.change_user"}


class Sorted(AdminSite):
    """Has a list of apps of its own."""

    def get_app_list(self, request, app_label=None):
        return sorted(super().get_app_list(request, app_label), key=lambda app: app["name"], reverse=True)


site, partners, late = Sorted("staff"), AdminSite("partners"), AdminSite("late")
site.register(User)
add_to(site)
add_to(site, **RIGHTS)
add_to(partners)
urlpatterns = [
    path("staff/", site.urls),
    path("partners/", partners.urls),
    path("late/", late.urls),
    path("static/", HttpResponse),
]
add_to(late)


def is_in(policy, request):
    """Whether the right password is let through."""
    try:
        with policy.observe(request):
            return authenticate(request, username="bob", password="right") is not None
    except LockedOut:
        return False


def text_of(response):
    """What people read."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def rows_of(response, table):
    """The cells of "lockouts-found" or "lockouts-recent" as people read them: state, address, name, policy, counter."""
    body = response.text.partition(f'<caption id="{table}"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>")]
    read = [[" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in row] for row in cells]
    return [tuple(row[-7:-2]) for row in read if row]

"""A page in Django's admin, for those who help people that are locked out; without a model.

from lockout_decorators.contrib.admin import add_to

add_to(admin.site)
"""

from typing import Any

from django.contrib.admin import AdminSite

from .page import Page
from .permissions import UNLOCK, VIEW, Permission, allowing

__all__ = ["add_to"]

PAGE = "_lockouts"  # the attribute of a site


def add_to(site: AdminSite, *, view: Permission = VIEW, unlock: Permission = UNLOCK) -> None:
    """Give an admin site the page `lockouts/`, and a link to it in its list of apps.

    Write it above the line that mounts `site.urls`. Whoever may enter the site sees the page with the permission
    `view`, and lifts locks with `unlock` as well: each the name of a permission, or `(request) -> bool`. Without them
    superusers do, and whoever a backend of yours gives the permissions that are their defaults. A second call for the
    same site only says anew who may.

    Raises TypeError or ValueError for what is no permission.
    """
    page = Page(site, allowing("view", view), allowing("unlock", unlock))
    added = hasattr(site, PAGE)
    setattr(site, PAGE, page)
    if not added:
        _extend(site)


def _extend(site: Any) -> None:
    """By the two methods that every theme and every subclass of AdminSite goes by, as they are on this one site."""
    get_urls, get_app_list = site.get_urls, site.get_app_list

    def with_page() -> Any:
        return [*getattr(site, PAGE).urls(), *get_urls()]  # the last of the others catches all

    def with_link(request: Any, app_label: str | None = None) -> Any:
        return [*get_app_list(request, app_label), *getattr(site, PAGE).apps(request, app_label)]

    site.get_urls, site.get_app_list = with_page, with_link

"""The page: what it shows, and what it does."""

import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from ...conf import conf
from ...exceptions import StoreError
from ...logs import extra
from ...policy import known_policies
from ...support import finding
from ...support.numbers import numbers
from ...support.standing import Standing
from ...support.unlocking import unlock_all
from ...terms.bounds import ADDRESSES
from .charts import HEIGHT, WIDTH, charts
from .permissions import Allowing
from .search import Search, answer
from .words import readable, row, rule

logger: logging.Logger = logging.getLogger("lockout_decorators")

APP, NAME, UNLOCK = "lockout_decorators", "lockouts", "lockouts_unlock"
TEMPLATE = "lockout_decorators/admin/lockouts.html"
SHOWN = 50  # locks at a time
TITLE = _("Lockouts")


class Page:
    """That of one admin site, for those whom the site lets in and who have its permissions."""

    def __init__(self, site: AdminSite, may_view: Allowing, may_unlock: Allowing) -> None:
        self.site: AdminSite = site
        self.may_view: Allowing = may_view
        self.may_unlock: Allowing = may_unlock

    def urls(self) -> list[URLPattern]:
        """With the site's own login, and its protection against forgery."""
        show, unlock = self.site.admin_view(require_GET(self.show)), self.site.admin_view(require_POST(self.unlock))
        return [path("lockouts/", show, name=NAME), path("lockouts/unlock/", unlock, name=UNLOCK)]

    def apps(self, request: HttpRequest, app_label: str | None) -> list[dict[str, Any]]:
        """Its entry in the site's list of apps, for whoever may see it."""
        if app_label not in (None, APP) or not (self.site.has_permission(request) and self.may_view(request)):
            return []
        try:
            url = self._url(NAME)
        except NoReverseMatch:  # the site was mounted before the page was there, or is not in this URLconf
            return []
        link = {"name": TITLE, "object_name": "Lockout", "admin_url": url, "add_url": None, "view_only": True}
        model = {**link, "perms": {"view": True}}
        return [{"name": TITLE, "app_label": APP, "app_url": url, "has_module_perms": True, "models": [model]}]

    def show(self, request: HttpRequest) -> HttpResponse:
        """The whole page. Raises PermissionDenied."""
        if not self.may_view(request):
            raise PermissionDenied
        search, failed = Search.of(request.GET), False
        try:
            told = {**_found(search), **_recent(request.GET.get("page")), **_charts()}
        except StoreError as error:
            _log("cache %a failed, the page of lockouts can't be shown: %.300a", error)
            told, failed = {}, True
        context = {
            **self.site.each_context(request),
            **told,
            "title": TITLE,
            "search": search,
            "failed": failed,
            "journal": conf.journal,
            "may_unlock": self.may_unlock(request),
            "unlock_url": self._url(UNLOCK),
            "rules": [rule(policy) for several in sorted(known_policies().items()) for policy in several[1]],
            "addresses": ADDRESSES,
        }
        request.current_app = self.site.name
        return TemplateResponse(request, TEMPLATE, context, status=503 if failed else None)

    def unlock(self, request: HttpRequest) -> HttpResponse:
        """Lift the locks of who is meant, and forget the failures; then back to the page. Raises PermissionDenied."""
        if not (self.may_view(request) and self.may_unlock(request)):
            raise PermissionDenied
        search = Search.of(request.POST)
        by = f"admin: {request.user.get_username()}"
        try:
            _tell(request, unlock_all(answer(search).found, by, request))
        except StoreError as error:
            _log("cache %a failed, nothing could be unlocked: %.300a", error)
            messages.error(request, _("The cache does not answer. Try again."))
        asked = {name: request.POST[f"asked_{name}"] for name in Search.base_fields if f"asked_{name}" in request.POST}
        return HttpResponseRedirect(f"{self._url(NAME)}?{urlencode(asked)}".rstrip("?"))

    def _url(self, name: str) -> str:
        return reverse(f"admin:{name}", current_app=self.site.name)


def _found(search: Search) -> dict[str, Any]:
    """What was looked up."""
    found, remarks = answer(search)
    standing = any(not one.clean for one in found)
    return {"found": list(map(row, found)), "remarks": remarks, "standing": standing}


def _recent(number: str | None) -> dict[str, Any]:
    """The locks of late, a page of them."""
    shown = Paginator(finding.listed(), SHOWN).get_page(number)
    return {"recent": list(map(row, finding.stand(list(shown.object_list)))), "shown": shown}


def _charts() -> dict[str, Any]:
    """What was counted, if anything is."""
    known = numbers() if conf.journal else []
    drawn = charts(known)
    quiet = [one.scope for one in known if one.scope not in [chart.scope for chart in drawn]]
    return {"charts": drawn, "quiet": quiet, "width": WIDTH, "height": HEIGHT}


def _log(line: str, error: StoreError) -> None:
    logger.error(line, error.alias, error.error, extra=extra("page_failed", alias=error.alias))


def _tell(request: HttpRequest, unlocked: Sequence[Standing]) -> None:
    if not unlocked:
        messages.warning(request, _("Nothing was on record."))
        return
    told = [f"{one.status.scope} ({readable(one.status.reference or one.username or one.address)})" for one in unlocked]
    messages.success(request, _("Unlocked: %s.") % ", ".join(told))

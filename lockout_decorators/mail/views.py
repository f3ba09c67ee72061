"""The page that a mailed link leads to. A look at it changes nothing, since mail scanners look at every link; its
button lifts the lock.

The token is the only proof: no cookie is asked for or set, and it is in no log line of ours or of Django's.
"""

import logging

from django.contrib.auth.decorators import login_not_required
from django.core.signing import BadSignature, SignatureExpired
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from ..exceptions import StoreError
from ..logs import extra
from ..support.finding import by_reference
from ..support.standing import Standing
from ..support.unlocking import unlock as lift
from .links import lifts, reference_in

logger: logging.Logger = logging.getLogger("lockout_decorators")

TEMPLATE = "lockout_decorators/unlock.html"
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}
STATUSES = {"locked": 200, "unlocked": 200, "over": 410, "unknown": 404, "down": 503}


@csrf_exempt  # whoever could forge the form has the token, and needs no forgery
@login_not_required
def unlock(request: HttpRequest, token: str) -> HttpResponse:
    """A page with a button; by POST the lock of the link is lifted, if it stands still."""
    try:
        state = _state(request, token)
    except StoreError as error:
        facts = extra("link_failed", alias=error.alias)
        logger.error("cache %a failed, a link unlocks nothing: %.300a", error.alias, error.error, extra=facts)
        state = "down"
    response = render(request, TEMPLATE, {"state": state}, status=STATUSES[state])
    for name, value in HEADERS.items():
        response.headers[name] = value
    vars(response)["_has_been_logged"] = True  # Django would log the path, which has the token
    return response


def _state(request: HttpRequest, token: str) -> str:
    try:
        reference = reference_in(token)
    except SignatureExpired:
        return "over"
    except BadSignature:
        return "unknown"
    standing = by_reference(reference)
    if standing is None or not _is_liftable(standing):
        return "over"
    if request.method != "POST":
        return "locked"
    return "unlocked" if lift(standing, "mail link", request) else "over"


def _is_liftable(standing: Standing) -> bool:
    return standing.status.locked and lifts(standing.key, standing.status.counter)

"""An ASGI scope as a request, for logins that are no Django views, as those of Channels."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

Requestlike = HttpRequest | Mapping[str, Any]


def request_from(given: Any) -> Any:
    """`given`; if it is an ASGI scope, a request with its address, headers, user and session, and no body."""
    if isinstance(given, HttpRequest) or not isinstance(given, Mapping) or "type" not in given:
        return given
    request = ASGIRequest({"method": given["type"], "path": "/", **given}, BytesIO())
    vars(request).update({name: given[name] for name in ("user", "session") if name in given})
    return request


def expected_request(given: Any, scope: str) -> Any:
    """The same, for the policy of that scope. Raises TypeError for what is no request."""
    found = request_from(given)
    if not hasattr(found, "META"):
        raise TypeError(f"policy {scope!r}: request is {given!r}; it must be a request, or an ASGI scope.")
    return found

"""Django REST framework: LockedOut as DRF's own Throttled, and answers by the view's own exception handler.

Nothing of DRF is imported unless the project has imported it.
"""

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from .exceptions import LockedOut, LockoutStatus

if TYPE_CHECKING:
    from rest_framework.views import APIView


def flavoured(kind: type[LockedOut]) -> type[LockedOut]:
    """`kind`, which is a `Throttled` as well in a project that uses DRF."""
    return _throttled(kind) if "rest_framework.views" in sys.modules else kind  # type: ignore[arg-type]


@cache
def _throttled(kind: type[LockedOut]) -> type[LockedOut]:
    from rest_framework.exceptions import Throttled

    def __init__(self: Any, status: LockoutStatus) -> None:
        kind.__init__(self, status)
        Throttled.__init__(self, wait=status.retry_after, detail=gettext(kind.message))

    def __reduce__(self: Any) -> tuple[Any, ...]:
        return _revived, (kind, self.status)

    body = {"__init__": __init__, "__reduce__": __reduce__, "__module__": __name__}
    return type(kind.__name__, (kind, Throttled), body)


def _revived(kind: type[LockedOut], status: LockoutStatus) -> LockedOut:
    return flavoured(kind)(status)


def view_of(
    target: Any, instance: Any, request: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> "APIView | None":
    """The DRF view that is being called: running already, or still to be set up by `target`; None if it is none."""
    if "rest_framework.views" not in sys.modules:
        return None
    from rest_framework.request import Request
    from rest_framework.views import APIView

    if isinstance(request, Request):
        running = (request.parser_context or {}).get("view")
        return running if isinstance(running, APIView) else None
    if isinstance(instance, APIView):
        return instance
    cls = getattr(target, "cls", None)
    if not (isinstance(cls, type) and issubclass(cls, APIView)):
        return None
    view = cls(**getattr(target, "initkwargs", {}))
    vars(view)["action_map"] = getattr(target, "actions", None) or {}
    view.setup(request, *args, **kwargs)
    return view


def answer(view: "APIView", request: Any, locked_out: LockedOut) -> HttpResponseBase:
    """What the view's exception handler makes of `locked_out`, rendered as the view would."""
    from rest_framework.request import Request

    if isinstance(request, Request):
        return view.handle_exception(locked_out)
    view.request = request = view.initialize_request(request)
    request._not_authenticated()  # nobody, the renderer neither, may verify credentials from here on
    view.headers = view.default_response_headers
    view.format_kwarg = view.get_format_suffix(**view.kwargs)
    request.accepted_renderer, request.accepted_media_type = view.perform_content_negotiation(request, force=True)
    response = view.handle_exception(locked_out)
    view.response = view.finalize_response(request, response)
    return view.response

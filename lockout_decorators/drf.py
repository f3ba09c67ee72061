"""Django REST framework: LockedOut as DRF's own Throttled, and answers by the view's own exception handler.

Nothing of DRF is imported unless the project has imported it.
"""

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from .exceptions import LockedOut, LockoutStatus

if TYPE_CHECKING:
    from rest_framework.views import APIView


def flavoured(kind: type[LockedOut]) -> type[LockedOut]:
    """`kind`, which is a `Throttled` as well in a project that uses DRF."""
    return _throttled(kind) if "rest_framework.views" in sys.modules else kind


@cache
def _throttled(kind: type[LockedOut]) -> type[LockedOut]:
    from rest_framework.exceptions import Throttled

    def __init__(self: Any, status: LockoutStatus) -> None:
        kind.__init__(self, status)
        Throttled.__init__(self, wait=status.retry_after, detail=kind.message)

    return type(kind.__name__, (kind, Throttled), {"__init__": __init__, "__module__": __name__})


def view_of(target: Any, instance: Any, request: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "APIView | None":
    """The DRF view that is being called: running already, or still to be set up by `target`; None if it is none."""
    if "rest_framework.views" not in sys.modules:
        return None
    from rest_framework.request import Request
    from rest_framework.views import APIView

    if isinstance(request, Request):
        view = (request.parser_context or {}).get("view")
        return view if isinstance(view, APIView) else None
    if isinstance(instance, APIView):
        return instance
    cls = getattr(target, "cls", None)
    if not (isinstance(cls, type) and issubclass(cls, APIView)):
        return None
    view = cls(**getattr(target, "initkwargs", {}))
    view.action_map = getattr(target, "actions", None) or {}
    view.setup(request, *args, **kwargs)
    return view


def answer(view: "APIView", request: Any, locked_out: LockedOut) -> HttpResponseBase:
    """What the view's exception handler makes of `locked_out`, rendered as the view would."""
    from rest_framework.request import Request

    if isinstance(request, Request):
        return view.handle_exception(locked_out)
    view.args, view.kwargs = (), {}
    view.request = request = view.initialize_request(request)
    view.headers = view.default_response_headers
    response = view.handle_exception(locked_out)
    view.response = view.finalize_response(request, response)
    return view.response

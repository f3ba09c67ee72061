"""Django REST framework: answers by the view's own exception handler.

Nothing of DRF is imported unless the project has imported it.
"""

import sys
from typing import TYPE_CHECKING, Any

from django.http.response import HttpResponseBase

from ..exceptions import LockedOut

if TYPE_CHECKING:
    from rest_framework.views import APIView


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

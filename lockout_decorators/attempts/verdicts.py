"""Which response Django makes of an exception, for verdicts that are raised."""

from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse
from django.http.multipartparser import MultiPartParserError

from ..exceptions import LockedOut

STATUSES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((PermissionDenied,), 403),
    ((Http404,), 404),
    ((BadRequest, SuspiciousOperation, MultiPartParserError), 400),
)


def is_unmade(response: Any) -> bool:
    """Whether the rest of a response is still to be rendered; Django renders whatever has a `render()`."""
    return callable(getattr(response, "render", None)) and getattr(response, "is_rendered", False) is not True


def response_to(error: BaseException) -> HttpResponse | None:
    """A response with the status that the exception will have; None for one that is no verdict. Exceptions of Django
    REST framework say theirs."""
    if isinstance(error, LockedOut):
        return None
    known = next((status for kinds, status in STATUSES if isinstance(error, kinds)), None)
    status = getattr(error, "status_code", None) if known is None else known
    return HttpResponse(status=status) if isinstance(status, int) and 400 <= status < 500 else None

"""The whole site: every guess of every request counts, whichever view, middleware or template makes it."""

from collections.abc import Callable
from typing import Any, ClassVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest

from .answers.plain import answer
from .answers.ratelimit import tell
from .attempts.site import SiteBlock
from .attempts.waiting import hop
from .attempts.watch import site_block
from .exceptions import LockedOut, refusal_in
from .policy import LockoutPolicy, site_policies
from .views.calling import Visit
from .views.deferred import rendered


class LockoutMiddleware:
    """First in MIDDLEWARE, it watches every `authenticate()` of the site under the policies of `LOCKOUT_SITE`.

    It never looks early, asks no cache where nobody guesses, and is silent while the block of a decorated view, or one
    of `policy.observe()` or `policy.attempt()`, is open. A refused guess is answered as in a decorated view, also where
    another middleware has made an error of it. Raises ImproperlyConfigured for policies that make no sense.
    """

    sync_capable: ClassVar[bool] = True
    async_capable: ClassVar[bool] = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.policies: tuple[LockoutPolicy, ...] = site_policies()
        self.is_async: bool = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        block = SiteBlock(self.policies, request)
        return (self._acall if self.is_async else self._call)(block, request)

    def _call(self, block: SiteBlock, request: HttpRequest) -> Any:
        visit = Visit(block, self.get_response, None, (request,), {}, True)
        try:
            with block:
                response = block.response = self.get_response(request)
        except Exception:  # handler500 has failed as well
            if block.refused is None:
                block.linger()
                raise
            response = None
        if unanswered := _unanswered(block, response):
            return tell(block, rendered(visit.refuse(*unanswered)))
        return tell(block, visit.finish(response))

    async def _acall(self, block: SiteBlock, request: HttpRequest) -> Any:
        """See _call()."""
        visit = Visit(block, self.get_response, None, (request,), {}, True)
        try:
            async with block:
                response = block.response = await self.get_response(request)
        except Exception:
            if block.refused is None:
                block.linger()
                raise
            response = None
        if unanswered := _unanswered(block, response):
            return tell(block, await hop(rendered, await visit.arefuse(*unanswered)))
        return tell(block, visit.finish(response))

    def process_exception(self, request: HttpRequest, error: Exception) -> Any:
        """The answer to a guess that was refused in the view or in its rendering; None for any other error."""
        refused, block = refusal_in(error), site_block(request)
        if refused is None or block is None:
            return None
        view, args, kwargs = request.resolver_match or (None, (), {})
        return rendered(Visit(block, view, None, (request, *args), kwargs, True).answer(answer, refused))


def _unanswered(block: SiteBlock, response: Any) -> tuple[LockedOut, Any] | None:
    """The refusal that the site has not answered in its own way, and what DRF's exception handler has made of it."""
    refused = block.refused
    if refused is None:
        return None
    if response is None or response.status_code == 500:
        return refused, None
    drf = getattr(response, "exception", False) and response.status_code == refused.status_code
    return (refused, response) if drf else None

"""The whole site: every guess of every request counts, whichever view, middleware or template makes it."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.utils.module_loading import import_string

from .answers.plain import answer, bare
from .attempts.block import SiteBlock
from .attempts.verdicts import is_unmade
from .attempts.watch import site_block
from .conf import conf, refuse
from .exceptions import LockedOut, refusal_in
from .policy import LockoutPolicy
from .terms.terms import DERIVED
from .views.calling import Visit

SCOPE = "site"
ALLOWED = 'the arguments of a policy, as {"key": "ip+username"}, or the dotted path of a policy or of several'


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
        visit = Visit(SiteBlock(self.policies, request), self.get_response, None, (request,), {}, True)
        return self._acall(visit) if self.is_async else self._call(visit)

    def _call(self, visit: Visit) -> Any:
        with visit.block:
            response = visit.block.response = self.get_response(visit.block.request)
        if (refused := visit.block.refused) and response.status_code == 500:  # which an inner middleware made of it
            return visit.refuse(refused)
        return visit.finish(response)

    async def _acall(self, visit: Visit) -> Any:
        async with visit.block:
            response = visit.block.response = await self.get_response(visit.block.request)
        if (refused := visit.block.refused) and response.status_code == 500:
            return await visit.arefuse(refused)
        return visit.finish(response)

    def process_exception(self, request: HttpRequest, error: Exception) -> Any:
        """The answer to a guess that was refused in the view or in its rendering; None for any other error."""
        refused = refusal_in(error) if isinstance(error, ExceptionGroup) else error
        block = site_block(request)
        if not isinstance(refused, LockedOut) or block is None:
            return None
        view, args, kwargs = request.resolver_match or (None, (), {})
        try:
            made = Visit(block, view, None, (request, *args), kwargs, True).answer(answer, refused)
            return made.render() if is_unmade(made) else made
        except LockedOut:
            return bare(request, refused)


def site_policies() -> tuple[LockoutPolicy, ...]:
    """What `LOCKOUT_SITE` says; without it one policy under the other settings. Raises ImproperlyConfigured."""
    value = conf.site
    try:
        made = LockoutPolicy(**{"scope": SCOPE, **value}) if isinstance(value, Mapping) else import_string(value)
        several = made if isinstance(made, tuple | list) else (made,)
        policies = tuple([one.scoped(SCOPE) if one.scope == DERIVED else one for one in several])
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise refuse("LOCKOUT_SITE", value, f"{ALLOWED} ({error})") from error
    if not policies or any(one.failure is not None for one in policies):
        raise refuse("LOCKOUT_SITE", value, f"{ALLOWED}; failure= is for views")
    return policies

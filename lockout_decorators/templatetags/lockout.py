"""`{% lockout_status as lockout %}`: how whoever sees a page stands at the door behind it."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.template import Context

from ..attempts import desk
from ..attempts.counters import named
from ..attempts.waiting import aside
from ..attempts.watch import blocks_of
from ..clients.credentials import account_in, fields
from ..clients.identities import fold
from ..conf import conf
from ..doors.views import policies_around
from ..exceptions import LockoutStatus, StoreError
from ..logs import extra
from ..policy import LockoutPolicy, known_policies
from ..terms.terms import DERIVED, Terms

logger: logging.Logger = logging.getLogger("lockout_decorators")
register: template.Library = template.Library()

Named = str | LockoutPolicy | Iterable[LockoutPolicy] | None


@register.simple_tag(takes_context=True)
def lockout_status(context: Context, policies: Named = None, username: Any = None) -> LockoutStatus | None:
    """A `LockoutStatus`: of the counter that refuses longest, else of that with the fewest tries left.

    `policies` are those of the view that serves the request, or of its open block; else the site's. Where the form is
    sent to another view, name them: a scope, a policy, or several. `username` is who is tried: by default what the
    bound `form` of the context, or else the request, has as credential. None where nothing can be told: nobody guesses
    there, the cache fails, or nobody knows the name yet, unless the address alone is locked.

    Costs one look at the cache. Raises ImproperlyConfigured without a request in the context, and LookupError for an
    unknown scope.
    """
    request = _request_of(context)
    if not conf.enabled:
        return None
    if isinstance(username, str):
        username = str.__str__(username)  # what a template spells is of a type of its own, and no account's name
    asked = _policies(request, policies)
    given = {} if username is not None else _given(context, request, asked)

    def name_of(terms: Terms) -> Any:
        if not callable(terms.username):
            return username or account_in(given, terms.username, request)[1]
        try:
            return named(terms, request, username or account_in(given, None, request)[1])
        except LookupError:  # it wants another credential
            return None

    try:
        return aside(desk.status_at, asked, request, name_of)
    except StoreError as error:
        facts = extra("status_failed", alias=error.alias, error=f"{error.error!a:.300}")
        logger.warning("cache %a failed, a page shows no status: error=%.300a", error.alias, error.error, extra=facts)
        return None


def _request_of(context: Context) -> HttpRequest:
    request: HttpRequest | None = getattr(context, "request", None) or context.get("request")
    if request is None:
        raise ImproperlyConfigured(
            "lockout_status needs the request: render the template with it, as render(request, ...) does, or add "
            '"django.template.context_processors.request" to the context processors.'
        )
    return request


def _policies(request: HttpRequest, named: Named) -> list[Any]:
    """Of a scope that is not known yet nothing can be told."""
    if isinstance(named, str):
        if named not in (known := known_policies()):
            raise LookupError(f"no policy has the scope {named!r}; there are: {', '.join(sorted(known)) or 'none'}")
        return [*known[named]]
    if named is not None:
        return [named] if isinstance(named, LockoutPolicy) else [*named]
    blocks = [block for block in blocks_of(request) if block.open]
    own = [terms for block in blocks if not block.site for terms in block.given]
    match = request.resolver_match
    around = own or [one for one in policies_around(match.func if match else None) if one.scope != DERIVED]
    return around or [terms for block in blocks for terms in block.given]


def _given(context: Context, request: HttpRequest, policies: Iterable[Terms]) -> Mapping[str, Any]:
    """Who is tried, by the names of credentials: as the bound form has it, else as it was sent."""
    form: Any = context.get("form")
    bound = getattr(form, "is_bound", False)
    data = form.data if bound else request.POST
    found = {}
    for name in (*fields(), *[terms.username for terms in policies if isinstance(terms.username, str)]):
        value = data.get(form.add_prefix(name) if bound else name)
        if fold(value) is not None:
            found[name] = value
    return found

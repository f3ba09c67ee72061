"""The doors of a site: what guesses go through, and the policies that they meet there together."""

from collections.abc import Sequence
from typing import NamedTuple

from django.urls import get_resolver

from lockout_decorators.conf import conf
from lockout_decorators.doors.urlconf import routes_of
from lockout_decorators.doors.views import decorations
from lockout_decorators.policy import LockoutPolicy, site_policies
from lockout_decorators.terms.registry import everyone

Policies = tuple[LockoutPolicy, ...]


class Door(NamedTuple):
    """Whatever meets the same policies.

    Attributes:
        name: The scopes that they count under.
        routes: Of the URLconf; none for a policy that no view there is decorated with.
        policies: A guess takes a slot of each.
    """

    name: str
    routes: Sequence[str]
    policies: Policies


def doors() -> list[Door]:
    """Those of the URLconf, and the whole site; then each policy that is left, by itself: what else is met with it
    nobody can see."""
    found: dict[Policies, list[str]] = {}
    for route, _, view in routes_of(get_resolver().url_patterns):
        for policies in decorations(view):
            found.setdefault(policies, []).append(f"/{route}")
    if conf.guards_site:
        found.setdefault(site_policies(), [])
    seen = [policy for policies in found for policy in policies]
    for policy in [one for one in everyone() if one not in seen]:
        found[policy,] = []
    return [Door(", ".join({one.scope: None for one in met}), at, met) for met, at in found.items()]

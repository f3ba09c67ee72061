"""Walks the URLconf."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.urls import get_resolver
from django.urls.resolvers import RoutePattern

from .door import Door, joined
from .layers import innermost
from .views import doors_at, is_decorated


def find_doors(urlconf: str | None = None, decorated: bool = False) -> list[Door]:
    """All doors of a URLconf, of the site's by default, in its order; or only those of views that are `decorated`,
    which takes much less time. What its import raises comes out."""
    routes = [*_reached(routes_of(get_resolver(urlconf).url_patterns))]
    views = frozenset(id(innermost(view)) for _, view in routes)
    asked = [(route, view) for route, view in routes if not decorated or is_decorated(view)]
    return joined(door for route, view in asked for door in doors_at(route, view, views))


def routes_of(patterns: Iterable[Any], before: str = "", plain: bool = True) -> Iterator[tuple[str, bool, Any]]:
    """Routes, as `request.resolver_match.route` has them; whether they are made by `path()` alone; and the views."""
    for pattern in patterns:
        route, is_plain = before + str(pattern.pattern), plain and type(pattern.pattern) is RoutePattern
        if hasattr(pattern, "url_patterns"):
            yield from routes_of(pattern.url_patterns, route, is_plain)
        else:
            yield route, is_plain, pattern.callback


def _reached(routes: Iterable[tuple[str, bool, Any]]) -> Iterator[tuple[str, Any]]:
    """Of several views at one plain route only the first one is reached."""
    seen: set[str] = set()
    for route, plain, view in routes:
        if not (plain and route in seen):
            yield route, view
        if plain:
            seen.add(route)

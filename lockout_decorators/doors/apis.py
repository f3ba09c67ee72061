"""What verifies before the view runs: authentication classes of Django REST framework and of django-ninja."""

from collections.abc import Iterator, Sequence
from inspect import getattr_static
from typing import Any

from ..policy import LockoutPolicy
from .door import Part
from .kinds import APIS, known
from .layers import attribute, closed_over, code_of, innermost, is_own, layers, module_of, name_of, policies_at
from .source import Reading, methods
from .writing import line_of_authentication, line_of_callback, line_of_method

GUARD = "lockout_decorators.contrib.drf.LockoutAuthentication"


def authentications(cls: type, outer: Sequence[LockoutPolicy]) -> Iterator[Part]:
    """The authentication classes of a view of Django REST framework."""
    classes = attribute(cls, "authentication_classes")
    named = [one for one in (classes if isinstance(classes, list | tuple) else ()) if isinstance(one, type)]
    yield from [_authentication(one, outer, line_of_authentication) for one in named]


def operations_of(view: Any) -> list[Any]:
    """What django-ninja keeps behind a path, in a closure."""
    kept = [getattr_static(value, "operations", None) for value in closed_over(innermost(view))]
    return [operation for found in kept if isinstance(found, list) for operation in found]


def operations(view: Any, outer: Sequence[LockoutPolicy], views: frozenset[int]) -> Iterator[Part]:
    """The operations, and what authenticates them."""
    for operation in operations_of(view):
        for callback in attribute(operation, "auth_callbacks") or ():
            yield _authenticator(callback, outer, views)
        yield _function(attribute(operation, "view_func"), outer, views, line_of_method)


def _authenticator(callback: Any, outer: Sequence[LockoutPolicy], views: frozenset[int]) -> Part:
    if code_of(innermost(callback)):
        return _function(callback, outer, views, line_of_callback)
    return _authentication(type(callback), outer, line_of_callback)


def _function(function: Any, outer: Sequence[LockoutPolicy], views: frozenset[int], lines: Any) -> Part:
    own = [*outer, *[policy for layer in layers(function) for policy in policies_at(layer)]]
    reading = Reading(module_of(innermost(function)), views)
    reading.read_inside(function)
    return Part(name_of(function), function, own, reading, lines=lines)


def _authentication(cls: Any, outer: Sequence[LockoutPolicy], lines: Any) -> Part:
    reading = Reading(module_of(cls) if is_own(module_of(cls)) else "", cls=cls)
    for method in methods(cls, reading.is_near):
        reading.read(method)
    if known(cls, {GUARD: True}):
        reading.watched.append(cls.lockout_policy)
        reading.attempted.append(cls.lockout_policy)
    kind = known(cls, APIS)
    return Part(name_of(cls), cls, outer, reading, () if kind is None else (kind,), lines=lines)

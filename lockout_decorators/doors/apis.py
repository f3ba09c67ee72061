"""What verifies before the view runs: authentication classes of Django REST framework and of django-ninja."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..policy import LockoutPolicy
from .door import Part
from .kinds import APIS, known
from .layers import attribute, closed_over, code_of, innermost, is_own, layers, module_of, name_of, policies_at
from .source import Reading, methods
from .writing import line_of_authentication, line_of_method

GUARD = "lockout_decorators.contrib.drf.LockoutAuthentication"


def authentications(cls: type, outer: Sequence[LockoutPolicy]) -> Iterator[Part]:
    """The authentication classes of a view of Django REST framework."""
    classes = attribute(cls, "authentication_classes")
    for one in classes if isinstance(classes, list | tuple) else ():
        if isinstance(one, type):
            yield _authentication(one, outer, line_of_authentication)


def operations(view: Any, outer: Sequence[LockoutPolicy], views: frozenset[int]) -> Iterator[Part]:
    """The operations of django-ninja behind a path, and what authenticates them."""
    for path_view in closed_over(innermost(view)):
        if known(type(path_view), {"ninja.operation.PathView": True}):
            for operation in path_view.operations:
                yield _function(operation.view_func, outer, views)
                yield from [_authenticator(one, outer, views) for one in operation.auth_callbacks]


def _authenticator(callback: Any, outer: Sequence[LockoutPolicy], views: frozenset[int]) -> Part:
    if code_of(innermost(callback)):
        return _function(callback, outer, views)
    return _authentication(type(callback), outer, line_of_method)


def _function(function: Any, outer: Sequence[LockoutPolicy], views: frozenset[int]) -> Part:
    own = [*outer, *[policy for layer in layers(function) for policy in policies_at(layer)]]
    reading = Reading(module_of(innermost(function)), views)
    reading.read_inside(function)
    return Part(name_of(function), function, own, reading, lines=line_of_method)


def _authentication(cls: Any, outer: Sequence[LockoutPolicy], lines: Any) -> Part:
    reading = Reading(module_of(cls) if is_own(module_of(cls)) else "", cls=cls)
    for method in methods(cls, reading.is_near):
        reading.read(method)
    if known(cls, {GUARD: True}):
        reading.watched.append(cls.lockout_policy)
        reading.attempted.append(cls.lockout_policy)
    kind = known(cls, APIS)
    return Part(name_of(cls), cls, outer, reading, () if kind is None else (kind,), lines=lines)

"""What verifies before the view runs: authentication classes of Django REST framework and of django-ninja."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..policy import LockoutPolicy
from .door import Part
from .kinds import APIS, known, loaded
from .layers import attribute, code_of, innermost, is_own, layers, module_of, name_of, policies_at
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
    path_view = loaded("ninja.operation.PathView")
    for cell in attribute(innermost(view), "__closure__") or ():
        if path_view is not None and isinstance(cell.cell_contents, path_view):
            for operation in cell.cell_contents.operations:
                yield _function(operation.view_func, outer, views)
                for callback in operation.auth_callbacks:
                    if code_of(innermost(callback)):
                        yield _function(callback, outer, views)
                    else:
                        yield _authentication(type(callback), outer, line_of_method)


def _function(function: Any, outer: Sequence[LockoutPolicy], views: frozenset[int]) -> Part:
    own = [*outer, *[policy for layer in layers(function) for policy in policies_at(layer)]]
    reading = Reading(module_of(innermost(function)), views)
    reading.read_inside(function)
    return Part(name_of(function), function, own, reading, lines=line_of_method)


def _authentication(cls: Any, outer: Sequence[LockoutPolicy], lines: Any) -> Part:
    reading, guard = Reading(module_of(cls) if is_own(module_of(cls)) else "", cls=cls), loaded(GUARD)
    for method in methods(cls, reading.is_near):
        reading.read(method)
    if guard is not None and issubclass(cls, guard):
        reading.watched.append(cls.lockout_policy)
        reading.attempted.append(cls.lockout_policy)
    kind = known(cls, APIS)
    return Part(name_of(cls), cls, outer, reading, () if kind is None else (kind,), lines=lines)

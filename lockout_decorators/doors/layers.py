"""What a view is made of: the decorators around it, its class, its policies, its name."""

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import wrapt

from ..decorators import policies_of
from ..policy import LockoutPolicy
from ..views.naming import scope_of

# What may be looked at and not run; a lazy object, say, would ask the database as soon as it is asked what it is.
PLAIN = (
    *(FunctionType, MethodType, partial, staticmethod, classmethod, type(cache(len)), type, LockoutPolicy),
    *(wrapt.FunctionWrapper, wrapt.BoundFunctionWrapper),
)
DEPTH = 100  # of decorators; more would be something that makes up its attributes
NOT_OWN = ("django", "lockout_decorators")
LIBRARY = sysconfig.get_path("stdlib")


class Made(NamedTuple):
    """What a view comes down to: a class behind `as_view()`; a function; or a method, with its object's class.

    `initial` is what `as_view()` was given.
    """

    cls: type | None
    function: Any
    initial: dict[str, Any]


def layers(view: Any) -> Iterator[Any]:
    """A view and what it wraps, from the outside in."""
    for _ in range(DEPTH):
        if view is None:
            return
        yield view
        view = view.func if isinstance(view, partial) else attribute(view, "__wrapped__")


def attribute(thing: Any, name: str) -> Any:
    """None where there is none, and where asking fails."""
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001  # whatever the URLconf names
        return None


def policies_at(thing: Any) -> tuple[LockoutPolicy, ...]:
    """Those that it is decorated with, at this very layer."""
    return policies_of(thing) if isinstance(attribute(thing, "lockout_policies"), tuple) else ()


def made_of(view: Any) -> Made:
    for layer in layers(view):
        for name in ("view_class", "cls"):  # Django's, DRF's
            if isinstance(found := attribute(layer, name), type):
                initial = attribute(layer, "view_initkwargs") or attribute(layer, "initkwargs") or {}
                return Made(found, None, initial)
        owner = attribute(layer, "__self__")
        if owner is not None and not isinstance(owner, ModuleType):
            return Made(owner if isinstance(owner, type) else type(owner), layer, {})
    inner = innermost(view)
    if code_of(inner) is None and code_of(call := attribute(type(inner), "__call__")):
        return Made(type(inner), call, {})
    return Made(None, inner, {})


def innermost(thing: Any) -> Any:
    """The plain function, where there is one."""
    *_, inner = None, *layers(thing)
    return attribute(inner, "__func__") or inner


def is_plain(value: Any) -> bool:
    return issubclass(type(value), PLAIN)


def closed_over(function: Any) -> Iterator[Any]:
    """What a closure holds."""
    for cell in attribute(function, "__closure__") or ():
        with suppress(ValueError):  # it is empty yet
            yield cell.cell_contents


def code_of(function: Any) -> CodeType | None:
    """None for what is written in C, and for what is no function."""
    found = attribute(function, "__code__")
    return found if isinstance(found, CodeType) else None


def name_of(thing: Any) -> str:
    """Dotted, without spaces."""
    while type(thing).__module__ == policies_of.__module__:  # a protected one, which hides an object's class
        thing = thing.__wrapped__
    inner = innermost(thing)
    try:
        name = scope_of(thing) or f"{module_of(inner)}.{attribute(inner, '__qualname__')}"
    except Exception:  # noqa: BLE001  # as above
        name = f"{module_of(type(inner))}.{type(inner).__qualname__}"
    return name.replace(" ", "")


def module_of(thing: Any) -> str:
    return str(attribute(thing, "__module__") or "")


@cache  # of a site's modules
def is_own(module: str) -> bool:
    """Whether a module is the project's: neither Python's nor installed."""
    file = str(attribute(sys.modules.get(module), "__file__") or "")
    if not file or module.partition(".")[0] in NOT_OWN:
        return False
    return not (file.startswith(LIBRARY) or "site-packages" in file or "dist-packages" in file)

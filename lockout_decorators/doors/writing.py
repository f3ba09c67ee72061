"""The lines that close a door; they can be pasted, and a test pastes them."""

import sys
from typing import Any

from asgiref.sync import iscoroutinefunction

from .kinds import CHECK, Kind, loaded, path_of
from .layers import attribute, innermost, is_own, module_of, name_of

PROTECT = "from lockout_decorators import lockout_protect"
LOGIN = "*presets.LOGIN"
POLICY = "from lockout_decorators import LockoutPolicy"


def line(kind: Kind, thing: Any, route: str) -> str:
    """For a view: above it where it is the project's, else in the URLconf."""
    if kind == CHECK:
        return _attempt(thing)
    name = attribute(innermost(thing), "__qualname__") or type(thing).__qualname__
    head, protect = _head(kind), f"lockout_protect({_arguments(kind)})"
    if "<" in name:  # what has no name to count under says so itself
        protect = f'lockout_protect(key="{kind.key}", max=5)'
        return "\n".join(
            [PROTECT, *head[1:], f"{protect[:-1]}, scope={f'/{route}'!r})(...)  # around the view at /{route}"]
        )
    if is_own(module_of(thing)):
        return "\n".join([*head, f"@{protect}  # above {name_of(thing)}"])
    head.insert(1, _import(thing, name))
    where = "above urlpatterns" if isinstance(thing, type) else f"around the view at /{route}"
    return "\n".join([*head, f"{protect}({name})  # {where}"])


def line_of_site(kind: Kind, method: Any, route: str) -> str:
    """For a method of an AdminSite, which is decorated on the object."""
    site, name = method.__self__, method.__name__
    module, variable = _variable(site)
    scope = site.name if name == "login" else f"{site.name}: {name}"
    arguments = _arguments(kind)
    protect = (
        f"lockout_protect({arguments})" if arguments == LOGIN else f'lockout_protect({arguments}, scope="{scope}")'
    )
    head = _head(kind)
    head.insert(1, f"from {module} import {variable.partition('.')[0]}")
    return "\n".join([*head, f"{variable}.{name} = {protect}({variable}.{name})  # above urlpatterns"])


def line_of_authentication(kind: Kind, cls: Any, route: str) -> str:
    """For an authentication class of Django REST framework."""
    name = cls.__qualname__
    if attribute(cls, "authenticate_credentials") is None:
        return line_of_method(kind, cls, route)
    return "\n".join(
        [
            POLICY,
            "from lockout_decorators.contrib.drf import LockoutAuthentication",
            _import(cls, name),
            f"\nclass Guarded{cls.__name__}(LockoutAuthentication, {name}):  # in its place",
            f'    lockout_policy = LockoutPolicy(scope="{name}", key="{kind.key}", max=20)',
        ]
    )


def line_of_callback(kind: Kind, thing: Any, route: str) -> str:
    """For what authenticates operations of django-ninja: it returns a user, so nobody may answer in its place."""
    found = "" if isinstance(thing, type) else ", request=lambda request: request"
    written = line_of_method(kind, thing, route, found)
    return f"{written}\n# It raises LockedOut: answer that by @api.exception_handler(LockedOut)."


def line_of_method(kind: Kind, thing: Any, route: str, more: str = "") -> str:
    """For an operation, and for the `authenticate()` of a class."""
    if kind == CHECK:
        return _attempt(thing)
    where = f"{name_of(thing)}.authenticate()" if isinstance(thing, type) else name_of(thing)
    return "\n".join([_protect(kind), f"@lockout_protect({_arguments(kind)}{more})  # above {where}"])


def _head(kind: Kind) -> list[str]:
    return [_protect(kind), f"\n{kind.failure}\n"] if kind.failure else [_protect(kind)]


def _protect(kind: Kind) -> str:
    return f"{PROTECT}, presets" if _arguments(kind) == LOGIN else PROTECT


def _arguments(kind: Kind) -> str:
    if kind.key == "ip+username" and not kind.name:
        return LOGIN
    return f'key="{kind.key}", max=5' + (f", failure={kind.name}" if kind.name else "")


def _attempt(thing: Any) -> str:
    enter = "async with" if iscoroutinefunction(innermost(thing)) else "with"
    return "\n".join(
        [
            POLICY,
            f'policy = LockoutPolicy(scope="{name_of(thing)}", key="user", max=5)',
            f"{enter} policy.attempt(request, request.user.get_username()) as guess:  # around check_password()",
            "    if request.user.check_password(password):",
            "        guess.succeed()",
        ]
    )


def _import(thing: Any, name: str) -> str:
    """By the path that the package documents, where it is a known one."""
    path = path_of(thing) or f"{module_of(thing)}.{name.partition('.')[0]}"
    return "from {0} import {2}".format(*path.rpartition("."))


def _variable(site: Any) -> tuple[str, str]:
    """Where an AdminSite can be found: a module, and a name there."""
    if attribute(loaded("django.contrib.admin.site"), "_wrapped") is site:
        return "django.contrib", "admin.site"
    for module in [module for module in sys.modules if is_own(module)]:
        for name, value in [*vars(sys.modules[module]).items()]:
            if value is site:
                return module, name
    return "...", site.name

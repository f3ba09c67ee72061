"""Who may see the page, and who may unlock."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from ...callables import plain, plainly

Allowing = Callable[[HttpRequest], bool]
Permission = str | Allowing

VIEW, UNLOCK = "lockout_decorators.view_lock", "lockout_decorators.unlock"


def allowing(name: str, permission: Permission) -> Allowing:
    """A permission as a function of the request. Raises TypeError or ValueError for what is none."""
    if isinstance(permission, str):
        if not all(permission.partition(".")):
            raise ValueError(f'add_to: {name} is {permission!r}; it must be "app_label.codename", as "auth.view_user".')
        return lambda request: _has(request.user, permission)
    if not plain(permission):
        raise TypeError(f"add_to: {name} is {permission!r}; it must be a permission's name, or (request) -> bool.")
    return lambda request: bool(plainly(f"add_to: {name}", permission(request)))


def _has(user: Any, permission: str) -> bool:
    """An admin site may let in users of a kind that has no permissions."""
    asked = getattr(user, "has_perm", None)
    return asked is not None and bool(asked(permission))

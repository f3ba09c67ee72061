"""The whole site: whether its middleware is there, and sees what happens before any view."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.utils.module_loading import import_string

from ..conf import MIDDLEWARE, conf
from ..doors.kinds import CALL
from ..doors.layers import module_of
from ..doors.source import Reading, methods
from ..middleware import LockoutMiddleware


def about_site() -> Iterator[CheckMessage]:
    before = []
    for path in settings.MIDDLEWARE:
        found = _found(path)
        if isinstance(found, type) and issubclass(found, LockoutMiddleware):
            break
        before.append((path, found))
    else:
        if conf.guards_site:
            yield _warning("LOCKOUT_SITE is set, but LockoutMiddleware is not in MIDDLEWARE: it guards nothing.")
        return
    for path, found in before:
        if _verifies(found):
            yield _warning(f"{path} comes before LockoutMiddleware and calls authenticate(): its guesses do not count.")


def _warning(message: str) -> CheckMessage:
    return Warning(message, hint=f'Put "{MIDDLEWARE}" first in MIDDLEWARE.', id="lockout_decorators.W014")


def _found(path: str) -> Any:
    with suppress(ImportError):  # Django stops at it when the server starts
        return import_string(path)
    return None


def _verifies(middleware: Any) -> bool:
    """Whether its own code, or that of a class it inherits from, calls `authenticate()`. Django's own does only for
    users whom the web server has verified."""
    reading = Reading(module_of(middleware))
    found = methods(middleware, reading.is_near) if isinstance(middleware, type) else [middleware]
    for function in found:
        reading.read(function)
    return CALL in reading.kinds

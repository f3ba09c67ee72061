"""What each argument of a policy may be: a check for each kind.

It returns the value as it is kept, or raises ValueError with what is allowed.
"""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction

from ..clients.addresses import network

T = TypeVar("T")

COLLECTIONS = (list, tuple, set, frozenset)


def whole(least: int, most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return check


def duration(least: float) -> Callable[[Any], float]:
    """Seconds, from `least` to ten years."""

    def check(value: Any) -> float:
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if type(seconds) not in (int, float) or not least <= seconds <= 315_360_000:  # nor is nan
            raise ValueError(f"seconds from {least:g} up to ten years, or a timedelta")
        return float(seconds)

    return check


def lifetime(value: Any) -> timedelta:
    """Of a cookie; a bare number would be taken for days by one, for seconds by another."""
    if not isinstance(value, timedelta) or not timedelta(minutes=1) <= value <= timedelta(days=400):
        raise ValueError("a timedelta from a minute to 400 days, as timedelta(days=90); browsers keep no cookie longer")
    return value


def lockout(value: Any) -> Any:
    """None, seconds (0 for no lock), or a tuple of several."""
    if value is None or (value == 0 and type(value) in (int, float)):
        return value
    try:
        if isinstance(value, tuple | list) and value:
            return tuple([duration(1)(one) for one in value])
        return duration(1)(value)
    except ValueError as error:
        raise ValueError(f"{error}, several of them in a row, None for ever, or 0 with rolling=True") from None


def names(value: Any) -> tuple[str, ...]:
    return _strings(value, 'a list of names such as ("tenant",), or ()')


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 200:
        raise ValueError("a name of 1 to 200 printable characters")
    return value


def label(value: Any) -> str:
    """What a quoted string of an HTTP field may hold."""
    if not isinstance(value, str) or not re.fullmatch(r"[ !#-\[\]-~]{1,100}", value):
        raise ValueError("a name of 1 to 100 printable ASCII characters, without quotes and backslashes")
    return value


def plain(value: Any) -> bool:
    """Whether a callable answers by itself: what a coroutine function returns would be true, whatever it says."""
    return callable(value) and not iscoroutinefunction(value) and not iscoroutinefunction(type(value).__call__)


def function(value: Any) -> Any:
    if not plain(value):
        raise ValueError("a plain callable")
    return value


def optional(check: Callable[[Any], T]) -> Callable[[Any], T | None]:
    def checked(value: Any) -> T | None:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            raise ValueError(f"{error}, or None") from None

    return checked


def networks_or_function(value: Any) -> Any:
    """Networks become a frozenset; a callable stays."""
    if plain(value):
        return value
    try:
        return frozenset(map(network, _strings(value if isinstance(value, COLLECTIONS) else None, "")))
    except ValueError:
        raise ValueError('a list of networks such as ["192.0.2.0/24"], or a plain callable') from None


def name_or_function(value: Any) -> Any:
    if not plain(value) and not (isinstance(value, str) and value):
        raise ValueError("a name or a plain callable")
    return value


def template_or_function(value: Any) -> Any:
    """Here a coroutine function will do: it is awaited."""
    if not callable(value) and not (isinstance(value, str) and value):
        raise ValueError("a name or a callable")
    return value


def methods(value: Any) -> frozenset[str]:
    found = _strings(value, 'a list of HTTP methods such as ("POST", "PUT"), or () for none')
    return frozenset(method.upper() for method in found)


def _strings(value: Any, allowed: str) -> tuple[str, ...]:
    found: tuple[Any, ...] = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (None,)
    if not all(isinstance(one, str) and one for one in found):
        raise ValueError(allowed)
    return found


def failure(value: Any) -> Any:
    """Statuses become a frozenset; a callable stays, but for an exception, which would make a failure of any answer."""
    if plain(value) and not (isinstance(value, type) and issubclass(value, BaseException)):
        return value
    codes = value if isinstance(value, COLLECTIONS) else (value,)
    if not codes or not all(type(code) is int and 100 <= code <= 599 for code in codes):
        allowed = "an HTTP status, several of them, or a plain callable (request, response) -> bool"
        raise ValueError(f"{allowed}; what is raised counts by its status, as PermissionDenied by 403")
    return frozenset(codes)

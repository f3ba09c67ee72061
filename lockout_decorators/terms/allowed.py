"""What each argument of a policy may be: a check for each kind.

It returns the value as it is kept, or raises ValueError with what is allowed.
"""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

from ..callables import plain
from ..clients.addresses import network

T = TypeVar("T")
Check = Callable[[Any], Any]

COLLECTIONS = (list, tuple, set, frozenset)
LABEL: re.Pattern[str] = re.compile(r"[ !#-\[\]-~]{1,100}")  # what a quoted string of an HTTP field may hold


def _only(fits: Callable[[Any], object], allowed: str) -> Check:
    """A value is kept as it is."""

    def check(value: Any) -> Any:
        if not fits(value):
            raise ValueError(allowed)
        return value

    return check


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


flag: Check = _only(lambda value: isinstance(value, bool), "True or False")
name: Check = _only(
    lambda value: _is_text(value) and value.strip() and value.isprintable() and len(value) <= 200,
    "a name of 1 to 200 printable characters",
)
label: Check = _only(
    lambda value: isinstance(value, str) and LABEL.fullmatch(value),
    "a name of 1 to 100 printable ASCII characters, without quotes and backslashes",
)
lifetime: Check = _only(  # of a cookie; a bare number would be taken for days by one, for seconds by another
    lambda value: isinstance(value, timedelta) and timedelta(minutes=1) <= value <= timedelta(days=400),
    "a timedelta from a minute to 400 days, as timedelta(days=90); browsers keep no cookie longer",
)
function: Check = _only(plain, "a plain callable")
name_or_function: Check = _only(lambda value: plain(value) or _is_text(value), "a name or a plain callable")
# Here a coroutine function will do: it is awaited.
template_or_function: Check = _only(lambda value: callable(value) or _is_text(value), "a name or a callable")


def whole(least: int, most: int) -> Callable[[Any], int]:
    return _only(lambda value: type(value) is int and least <= value <= most, f"a whole number from {least} to {most}")


def duration(least: float) -> Callable[[Any], float]:
    """Seconds, from `least` to ten years."""

    def check(value: Any) -> float:
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if type(seconds) not in (int, float) or not least <= seconds <= 315_360_000:  # nor is nan
            raise ValueError(f"seconds from {least:g} up to ten years, or a timedelta")
        return float(seconds)

    return check


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


def optional(check: Callable[[Any], T]) -> Callable[[Any], T | None]:
    def checked(value: Any) -> T | None:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            raise ValueError(f"{error}, or None") from None

    return checked


def names(value: Any) -> tuple[str, ...]:
    return _strings(value, 'a list of names such as ("tenant",), or ()')


def methods(value: Any) -> frozenset[str]:
    found = _strings(value, 'a list of HTTP methods such as ("POST", "PUT"), or () for none')
    return frozenset(method.upper() for method in found)


def networks_or_function(value: Any) -> Any:
    """Networks become a frozenset; a callable stays."""
    if plain(value):
        return value
    try:
        return frozenset(map(network, _strings(value if isinstance(value, COLLECTIONS) else None, "")))
    except ValueError:
        raise ValueError('a list of networks such as ["192.0.2.0/24"], or a plain callable') from None


def failure(value: Any) -> Any:
    """Statuses become a frozenset; a callable stays, but for an exception, which would make a failure of any answer."""
    if plain(value) and not (isinstance(value, type) and issubclass(value, BaseException)):
        return value
    codes = value if isinstance(value, COLLECTIONS) else (value,)
    if not codes or not all(type(code) is int and 100 <= code <= 599 for code in codes):
        allowed = "an HTTP status, several of them, or a plain callable (request, response) -> bool"
        raise ValueError(f"{allowed}; what is raised counts by its status, as PermissionDenied by 403")
    return frozenset(codes)


def _strings(value: Any, allowed: str) -> tuple[str, ...]:
    found: tuple[Any, ...] = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (None,)
    if not all(map(_is_text, found)):
        raise ValueError(allowed)
    return found

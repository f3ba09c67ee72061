"""Callables of the project answer by themselves: what is to be awaited would be true, whatever it says."""

from inspect import isawaitable, iscoroutine
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


def plain(value: Any) -> bool:
    """Whether a callable answers by itself, as far as it tells before it is called."""
    return callable(value) and not iscoroutinefunction(value) and not iscoroutinefunction(type(value).__call__)


def is_answer(said: Any) -> bool:
    """Whether what a callable said is an answer. A coroutine is closed, or Python warns that nobody awaited it."""
    if iscoroutine(said):
        said.close()
    return not isawaitable(said)


def plainly(name: str, said: T) -> T:
    """What the callable `name` said. Raises ImproperlyConfigured for what is to be awaited."""
    if not is_answer(said):
        raise ImproperlyConfigured(f"{name} returned a {type(said).__name__}; it must answer by itself.")
    return said

"""What is written by mistake where policies belong, and what to write instead."""

from collections.abc import Mapping
from typing import Any

from ..terms.terms import Terms

COLLECTIONS = (tuple, list, set, frozenset)


def instead_of(given: Any) -> str:
    """What to write instead of something that is no policy."""
    if isinstance(given, str):
        return f"lockout_protect: {given!r} is no policy; a key goes by its name: key={given!r}."
    if isinstance(given, COLLECTIONS):
        kind = type(given).__name__
        return f"lockout_protect: a {kind} is no policy; put a star before it: lockout_protect(*policies)."
    if isinstance(given, Mapping):
        return f"lockout_protect: {given!r} is no policy; put two stars before it: lockout_protect(**arguments)."
    if isinstance(given, type) and issubclass(given, Terms):
        return f'lockout_protect: {given.__name__} is a class; make a policy of it: {given.__name__}(scope="login").'
    if not callable(given):
        return f"lockout_protect: {given!r} is no policy; arguments go by their names, as key= and max= do."
    return f"lockout_protect needs parentheses: write @lockout_protect() above {given!r}."

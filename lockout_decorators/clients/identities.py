"""Who is tried: the name of an account, folded for counting."""

import reprlib
from itertools import islice
from typing import Any

from ..conf import conf
from .folding import folded

LIMIT = 4096  # characters of a name with all that is ignored in it; all longer ones are one identity
LENGTH = 256  # characters of a folded user name
OVERLONG = "<overlong>"
CONTAINERS = (list, tuple, dict, set, frozenset)
BYTES = (bytes, bytearray)
COMPOUND = (*CONTAINERS, *BYTES)  # no text, and no name of anybody


class _Beginnings(reprlib.Repr):
    """Looks at no more of a container than it shows; the library's own sorts all of it, and spells out a subclass."""

    def repr1(self, x: Any, level: int) -> str:
        for kind in CONTAINERS:
            if isinstance(x, kind):
                return super().repr1(_beginning(x, kind), level)
        if isinstance(x, BYTES):
            return repr(bytes(x[:LENGTH]))
        return super().repr1(x, level)


def _beginning(container: Any, kind: Any) -> Any:
    """A plain one, with one item more than is shown."""
    items = dict.items(container) if kind is dict else kind.__iter__(container)
    return kind(islice(items, 7))


_beginnings = _Beginnings()


def text_of(value: Any) -> str:
    """`value` as text, of lists and the like their beginning; the name of its type where it can't be told."""
    if issubclass(type(value), str):
        return str.__str__(value)  # a subclass may hide itself
    try:
        return _beginnings.repr(value) if isinstance(value, COMPOUND) else str(value)
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__}>"


def fold(value: Any) -> str | None:
    """The identity: `value` folded as far as any user store might, so that spellings of one name are counted as one.

    In single spaces, lower case and without what can't be seen; letters, digits and marks as collations compare them
    (`LOCKOUT_FOLD` says whose, where they contradict each other); cut to 256 characters. None if nothing is left.
    """
    if value is None:
        return None
    text = text_of(value).strip()
    if len(text) > LIMIT:
        return OVERLONG
    plain = text.isascii() and text.isprintable()
    text = " ".join(text.lower().split()) if plain else folded(text, conf.fold)
    return text[:LENGTH].rstrip() or None

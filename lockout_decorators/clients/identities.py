"""Who is tried: the name of an account, folded for counting."""

import reprlib
import unicodedata
from functools import lru_cache
from typing import Any

LONGEST = 16_384  # characters that are looked at, for a name behind spaces
LENGTH = 256  # characters of a folded user name; decomposed, it may be four times as long
CONTAINERS = (list, tuple, dict, set, frozenset, bytes, bytearray)
INVISIBLE = ("Mn", "Me", "Cf", "Cc")
LIGATURES = {"\N{LATIN SMALL LETTER AE}": "ae", "\N{LATIN SMALL LIGATURE OE}": "oe"}  # casefolded


def text_of(value: Any) -> str:
    """`value` as text, of lists and the like their beginning; the name of its type where it can't be told."""
    try:
        return reprlib.repr(value) if isinstance(value, CONTAINERS) else str(value)
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__}>"


def fold(value: Any) -> str | None:
    """The identity: `value` folded as far as any backend or collation might, so that variants are counted as one.

    Cut to 1024 characters; NFKD without marks, format and control characters; casefolded; o for a letter o with stroke;
    dotless i; stripped; cut to 256. None if nothing is left.
    """
    if value is None:
        return None
    text = text_of(value)[:LONGEST].lstrip()[: 4 * LENGTH]
    if text.isascii() and text.isprintable():
        return text.strip().lower()[:LENGTH].strip() or None
    text = _bare(_bare(text).casefold())  # bare first: casefolding makes letters of some marks
    text = "".join(c if c.isascii() else _base(c) for c in text)
    return text.replace("\N{LATIN SMALL LETTER DOTLESS I}", "i").strip()[:LENGTH].strip() or None


def _bare(text: str) -> str:
    """Decomposed, without marks, format and control characters."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in INVISIBLE)


@lru_cache(maxsize=1024)
def _base(letter: str) -> str:
    """The letter that `letter` is, by its Unicode name, with something added."""
    if letter in LIGATURES:
        return LIGATURES[letter]
    try:
        return unicodedata.lookup(unicodedata.name(letter, "").partition(" WITH ")[0])
    except KeyError:
        return letter

"""One spelling for all that a user store takes for the same, by a table that was generated from collations.

`folding.txt` says for each character what it is folded to; `tests/make_folding.py` wrote it. It holds for text that is
decomposed (NFKD). Few rules go beyond single characters: collations swap some neighbours and skip some dots.
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files

BEYOND = "\ufffd"  # what older collations of MySQL and MariaDB take every character beyond the BMP for
MOST = 512  # characters that are decomposed; what is left out of account is dropped before they are counted
SUPPLEMENTARY = re.compile("[\U00010000-\U0010ffff]")
OF_GENERAL_CI = str.maketrans({"\u00df": "s", "\u1e9e": "s", "\u0345": "\u03b9"})  # sharp s; the iota below a letter

# A vowel that is written before its consonant is sorted after it, and hamza on either side of its seat.
MOVED = "\u0621\u0e40-\u0e44\u0ec0-\u0ec4\u19b5-\u19b7\u19ba\uaab5\uaab6\uaab9\uaabb\uaabc"
RUNS = (
    "\u0621\u0627\u0648\u064a\u06c7",
    "\u0e01-\u0e2e\u0e40-\u0e44",
    "\u0e81-\u0eae\u0edc-\u0edf\u0ec0-\u0ec4",
    "\u1980-\u19ab\u19b5-\u19b7\u19ba",
    "\uaa80-\uaaaf\uaab5\uaab6\uaab9\uaabb\uaabc",
)
# A ligature for eighteen letters; MariaDB looks at the first eight.
BLESSING = "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647"
BLESSING_REST = " \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645"
SEQUENCES = re.compile(f"{BLESSING}{BLESSING_REST}|l\u00b7+|" + "|".join(f"[{run}]{{2,}}" for run in RUNS))
IS_MOVED = re.compile(f"[{MOVED}]").match


def folded(text: str, family: str) -> str:
    """`text` as `family` compares it, and every store that does not contradict; in single spaces, none around it."""
    table = _table()
    if family != "unicode":
        text = SUPPLEMENTARY.sub(BEYOND, text)
    if family == "general_ci":
        text = text.translate(OF_GENERAL_CI)
    text = " ".join(text.translate(table).split())[:MOST]  # without what is ignored: marks take long to put in order
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(table)
        text = SEQUENCES.sub(_in_order, SUPPLEMENTARY.sub(BEYOND, text))
    return " ".join(text.split())


def _in_order(match: re.Match[str]) -> str:
    found = match[0]
    if found[0] == "l":
        return "l"
    return BLESSING if found.endswith(BLESSING_REST) else "".join(sorted(found, key=lambda c: IS_MOVED(c) is not None))


@cache
def _table() -> dict[int, str]:
    """Read when the first name comes that is not plain ASCII."""
    lines = files(__package__).joinpath("folding.txt").read_text(encoding="ascii").splitlines()
    return {number: target for line in lines if line[:1] != "#" for number, target in _entries(line)}


def _entries(line: str) -> list[tuple[int, str]]:
    """Of `0061 0065: 00E6 01FC-01FD`: what those on the right are folded to stands on the left."""
    left, _, right = line.partition(":")
    target = "".join([chr(int(number, 16)) for number in left.split()])
    ranges = [[int(number, 16) for number in numbers.split("-")] for numbers in right.split()]
    return [(number, target) for numbers in ranges for number in range(numbers[0], numbers[-1] + 1)]

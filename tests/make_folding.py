"""Writes `lockout_decorators/clients/folding.txt`: python -m tests.make_folding

Needs PyICU (with libicu-dev and pkg-config to build it) and mariadbd; takes a minute. Each collation gives a character
weights, and a weight is named by the plainest character that has it alone. So "the ligature weighs what a and e weigh"
is an equation between texts. The equations of all stores are made true together, as far as they don't contradict each
other: one of a character and a text defines that character, one of two characters makes them one. What contradicts what
stands before is printed; the rules of `folding.py` and docs/explanation/keys.md answer for it.
"""

import os
import re
import tempfile
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import django
import icu

from lockout_decorators.clients import folding
from tests.spellings import CHARACTERS, in_mariadb

IOTA_BELOW = "\u0345"  # a mark that every collation ignores and casefolding makes a letter of
BEYOND = "\U00010000"
Weights = dict[str, Any]
TARGET = Path(folding.__file__).with_name("folding.txt")
HEAD = f"""\
# Written by tests/make_folding.py from ICU {icu.ICU_VERSION}, MariaDB and Unicode {unicodedata.unidata_version}.
# What each character on the right is folded to stands on the left of its line.
"""


def nfkd(text: str) -> str:
    return unicodedata.normalize("NFKD", text)


def preference(c: str) -> tuple[Any, ...]:
    """The least is the plainest."""
    plain = nfkd(c) == c, c.casefold() == c, unicodedata.category(c)[0] in "LN"
    return not c.isascii(), not re.match("[a-z0-9]", c), *(not yes for yes in plain), c


class Equations:
    """Makes equations true, by what each character is replaced with."""

    def __init__(self) -> None:
        self.replaced: dict[str, str] = {}
        self.contradictions: list[tuple[str, ...]] = []

    def solved(self, text: str) -> str:
        return "".join([self.solved(self.replaced[c]) if c in self.replaced else c for c in text])

    def equate(self, one: str, other: str, whose: str) -> None:
        a, b = self.solved(one), self.solved(other)
        if a == b:
            return
        if len(a) == len(b) == 1 and not (" " in a + b and (a + b).strip().isalnum()):
            self.replaced.update({max(a, b, key=preference): min(a, b, key=preference)})
        elif len(a) == 1 < len(b) and a not in b:
            self.replaced[a] = b
        elif len(b) == 1 < len(a) and b not in a:
            self.replaced[b] = a
        else:
            self.shorten(a, b, (whose, one, other, a, b))

    def shorten(self, a: str, b: str, said: tuple[str, ...]) -> None:
        """Try what differs between equal beginnings and ends."""
        while a and b and a[0] == b[0]:
            a, b = a[1:], b[1:]
        while a and b and a[-1] == b[-1]:
            a, b = a[:-1], b[:-1]
        if len(a) == len(b) == 1 and not (a + b).isascii() and (a, b) != said[-2:]:
            self.equate(a, b, said[0])
        else:
            self.contradictions.append(said)


def from_weights(equations: Equations, whose: str, weights: Weights) -> None:
    alone, alike = defaultdict(list), {}
    for c, found in weights.items():
        if len(found) == 1:
            alone[found[0]].append(c)
    names = {weight: min(several, key=preference) for weight, several in alone.items()}
    for c in sorted(weights, key=lambda c: len(weights[c])):
        if weights[c]:
            equations.equate(c, alike.setdefault(tuple(weights[c]), c), whose)
        if all(weight in names for weight in weights[c]):
            equations.equate(c, "".join([names[weight] for weight in weights[c]]), whose)


def from_python(equations: Equations) -> None:
    """What Django and Python take for one: NFKD, any way to another case. And Latin letters with a stroke."""
    for c in CHARACTERS:
        equations.equate(c, nfkd(c), "NFKD")
    for c in CHARACTERS:
        if IOTA_BELOW not in nfkd(c):
            for other in (c.casefold(), c.lower(), c.upper()):
                equations.equate(c, nfkd(other), "case")
    for c in CHARACTERS:
        base, _, addition = unicodedata.name(c, "").partition(" WITH ")
        if addition and base.startswith("LATIN ") and "LIGATURE" not in base:
            with suppress(KeyError):
                equations.equate(c, unicodedata.lookup(base), "letter with")


def from_icu() -> Weights:
    collator = icu.Collator.createInstance(icu.Locale("und"))
    return {c: primaries(collator.createCollationElementIterator(c)) for c in CHARACTERS}


def primaries(elements: Iterable[int]) -> list[tuple[int, ...]]:
    """The upper half of a collation element; longer where the next one continues it."""
    found: list[tuple[int, ...]] = []
    for element in elements:
        primary, continues = element >> 16 & 0xFFFF, element & 0xC0 == 0xC0
        if continues and found:
            found[-1] += (primary,)
        elif primary:
            found.append((primary,))
    return found


def split(weights: str) -> list[str]:
    """Four digits each; eight where the first ones say that the weight is made up from the code point."""
    return re.findall("F[B-E]..(?!$).{4}|.{4}", weights)


def mariadb() -> dict[str, Weights]:
    found = {}
    with tempfile.TemporaryDirectory() as folder, in_mariadb(Path(folder)) as file:
        for name in ("uca1400_ai_ci", "unicode_520_ci", "unicode_ci", "general_ci"):
            cursor = file(CHARACTERS, name)
            cursor.execute("SELECT number, HEX(WEIGHT_STRING(text)) FROM names")
            found[name] = {CHARACTERS[number]: split(weights) for number, weights in cursor.fetchall()}
    return found


def is_ignored(c: str, weights: Iterable[Weights]) -> bool:
    return unicodedata.category(c) in ("Cc", "Cf", "Me") or not all([found[c] for found in weights if c in found])


def make() -> Equations:
    equations = Equations()
    weights = mariadb()
    for older in ("unicode_ci", "general_ci"):  # these know nothing beyond the BMP
        weights[older] = {c: found for c, found in weights[older].items() if c < BEYOND}
    weights["ICU"] = from_icu()
    equations.replaced.update({c: "" for c in CHARACTERS if is_ignored(c, weights.values())})
    for name in ("uca1400_ai_ci", "ICU", "unicode_520_ci", "unicode_ci", "general_ci"):
        from_weights(equations, name, weights[name])
    from_python(equations)
    return equations


def lines(equations: Equations) -> Iterator[str]:
    """What is not folded to itself, or to what its decomposition is folded to."""
    sources = defaultdict(list)
    for c in CHARACTERS:
        target = equations.solved(c)
        usual = c if nfkd(c) == c else equations.solved(nfkd(c))
        if (target != usual or not target) and not (c >= BEYOND and target >= BEYOND):
            sources[target].append(ord(c))
    for target, found in sorted(sources.items()):
        yield f"{' '.join([f'{ord(c):04X}' for c in target])}: {' '.join(ranges(found))}"


def ranges(numbers: list[int]) -> Iterator[str]:
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        first, *rest = [number for _, number in run]
        yield f"{first:04X}-{rest[-1]:04X}" if rest else f"{first:04X}"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()  # the server is started for a cache
    solution = make()
    TARGET.write_text(HEAD + "\n".join(lines(solution)) + "\n", encoding="ascii")
    for whose, *said in solution.contradictions:
        print(whose, *[" ".join([f"{ord(c):04X}" for c in text]) or "nothing" for text in said], sep=": ")

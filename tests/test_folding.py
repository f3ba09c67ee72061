"""No two spellings that a user store takes for one are counted apart: asked of the stores themselves."""

import string
import timeit
from itertools import product

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from lockout_decorators.clients.folding import _table
from lockout_decorators.clients.identities import fold
from tests import spellings
from tests.sizes import IN_FULL, untraced

LETTERS = string.ascii_lowercase + string.digits
VOWELS, CONSONANTS = "\u0e40\u0e44\u0ec0\u0ec4\u19b5\uaab5", "\u0e01\u0e2e\u0e81\u1980\uaa80"
# Sequences that collations have weights for, or swap: vowels before their consonants, vowels of two parts, hamza, dots.
SEQUENCES = [
    *[vowel + consonant for vowel, consonant in product(VOWELS, CONSONANTS)],
    *[consonant + vowel for vowel, consonant in product(VOWELS, CONSONANTS)],
    *[first + second for first, second in product("\u0621\u0627\u0648\u064a\u06c7\u0674", repeat=2)],
    *[first + second for first, second in product("lL\u00b7\u0387\u013f\u0140", repeat=2)],
    *[first + second for first, second in product("\u0f71\u0f72\u0f74\u0f80\u0fb2\u0fb3", repeat=2)],
    "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645",
    "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647",
    "\u09c7\u09be",
    "\u0e4d\u0e32",
]


DENSE = [range(0x400, 0x3400), range(0xA000, 0xAC00), range(0xF900, 0x10000), range(0x1D400, 0x1F200)]


def of_interest():
    """Those that are folded, and of the rest a third of the scripts and one in a hundred. In full all of the two planes
    that have scripts, and one in ten of the others: ideographs, private ones, and what is no character yet."""
    table, whole, one_in = _table(), *((0x20000, 10) if IN_FULL else (0x400, 100))
    for number in map(ord, spellings.CHARACTERS):
        some = number % one_in == 0 or (number % 3 == 0 and any(number in dense for dense in DENSE))
        if some or number < whole or number in table:
            yield chr(number)


@pytest.fixture(scope="module")
def texts():
    """Each character alone, in a name and at its end; that name without it, and with each two letters in its place."""
    characters = [*of_interest()]
    pairs = [one + other for one, other in product(LETTERS, repeat=2)]
    inner = ["", "  ", *characters, *pairs, *SEQUENCES]
    return [
        *dict.fromkeys([*characters, *SEQUENCES, *[f"b{c}b" for c in inner], "bob", *[f"bob{c}" for c in characters]])
    ]


@pytest.fixture(scope="module")
def in_mariadb(tmp_path_factory, django_db_blocker):
    with django_db_blocker.unblock(), spellings.mariadb_groups(tmp_path_factory.mktemp("mariadb")) as groups:
        yield groups


@pytest.fixture(scope="module")
def in_postgresql():
    with spellings.postgresql() as connection:
        yield connection


def told_apart(groups, family="unicode", among=None):
    """One text each of what folds apart though it stands in one group; no store tells everything apart itself."""
    assert len(groups) >= len(string.ascii_letters)
    asked = [[*filter(among, group)] for group in groups]
    with override_settings(LOCKOUT_FOLD=family):
        folds = untraced(lambda: [{fold(text): text for text in group} for group in asked])()
    return [sorted(map(ascii, found.values())) for found in folds if len(found) > 1]


@pytest.mark.servers
@pytest.mark.parametrize(
    ("collation", "family"),
    [
        ("uca1400_ai_ci", "unicode"),
        ("unicode_520_ci", "unicode"),
        ("unicode_ci", "unicode_ci"),
        ("general_ci", "general_ci"),
    ],
)
def test_what_mariadb_takes_for_one(collation, family, in_mariadb, texts):
    """Under each family's own setting nothing is told apart."""
    assert [] == told_apart(in_mariadb(texts, collation), family)


@pytest.mark.servers
@pytest.mark.parametrize("collation", ["unicode_ci", "general_ci"] if IN_FULL else ["general_ci"])
def test_what_is_left_by_default(collation, in_mariadb, texts):
    """Only what these alone take for one: all beyond the BMP; in general_ci sharp s and s, iota below and iota."""
    contested = "\u00df\u1e9e\u0345"

    def uncontested(text):
        return max(text) < "\U00010000" and not any(c in text for c in contested)

    assert [] == told_apart(in_mariadb(texts, collation), "unicode", uncontested)


@pytest.mark.servers
@pytest.mark.parametrize("locale", ["und-u-ks-level1", "und-u-ks-level2"])
def test_what_postgresql_takes_for_one(locale, in_postgresql, texts):
    """ICU's collations that are not deterministic, at primary strength and with accents."""
    assert [] == told_apart(spellings.postgresql_groups(in_postgresql, texts, locale))


def test_what_sqlite_takes_for_one(texts):
    """NOCASE: letters of ASCII."""
    assert [] == told_apart(spellings.sqlite_groups(texts))


@pytest.mark.servers
def test_what_openldap_takes_for_one(tmp_path, texts):
    """caseIgnoreMatch: also runs of spaces. U+037A is to OpenLDAP a space with a mark, and to collations an iota."""
    spaced = ["a b", "a  b", " a b ", "A   B", "a\u00a0 b", "a\u3000b"]
    groups = spellings.openldap_groups(tmp_path, [*texts, *spaced])
    assert [] == told_apart(groups, among=lambda text: "\u037a" not in text)


# The rest of it


@pytest.mark.parametrize(
    ("name", "family", "identity"),
    [
        ("Stra\u00dfe", "unicode", "strasse"),
        ("Stra\u00dfe", "unicode_ci", "strasse"),
        ("Stra\u00dfe", "general_ci", "strase"),
        ("\U0001d41bob", "unicode", "bob"),
        ("\U0001d41bob", "unicode_ci", "\ufffdob"),
        ("\U0001f600", "unicode", "\ufffd"),
        ("\u03b1\u0345", "unicode", "\u03b1"),
        ("\u03b1\u0345", "general_ci", "\u03b1\u03b9"),
        ("Bob", "general_ci", "bob"),
    ],
)
def test_family_of_stores(name, family, identity):
    """LOCKOUT_FOLD decides where they contradict each other."""
    with override_settings(LOCKOUT_FOLD=family):
        assert identity == fold(name)


@pytest.mark.parametrize("family", ["general", "", None, ["unicode"]])
def test_unknown_family(family):
    """It is told at the first name that needs it."""
    with override_settings(LOCKOUT_FOLD=family), pytest.raises(ImproperlyConfigured, match="'unicode_ci'"):
        fold("Stra\u00dfe")


@pytest.mark.parametrize(
    "names",
    [
        ["\u5c71", "\u7530", "\u5ddd", "\u3400"],
        ["a", "\u0430", "\u03b1", "\u0627", "\u05d0"],
        ["\u0915", "\u0915\u093f", "\u0915\u0941"],
        ["bob", "bo b", "b-ob", "bo.b", "rob", "bobby", "b0b"],
        ["1", "l", "-", "_", "a@b.c", "a@b.d"],
        ["\ud55c", "\uae00"],
    ],
)
def test_other_names(names):
    """Ideographs, scripts, vowels, punctuation, look-alikes and syllables that no collation equates are others."""
    assert len({*map(fold, names)}) == len(names)


def test_time():
    """20 microseconds for a usual name, a millisecond for the longest; five times that on a busy machine."""
    usual = ["bob", "Jos\u00e9 Garc\u00eda", "\u5c71\u7530\u592a\u90ce", "\ud55c\uae00", "\u0e40\u0e01\u0e35"]
    units = ["\u00e9", "\u1ebf", "\ufdfa", "\u0323\u0301", "\u0f74\u0f71", "\U0001f600", "\u0e40\u0e01", "\u0621\u0627"]
    longest = [*[unit * 2048 for unit in units], 256 * "\u0f74" + 256 * "\u0f71"]
    assert max(microseconds(name) for name in usual) < 5 * 20
    assert max(microseconds(name[:4096]) for name in longest) < 5 * 1000


def microseconds(name):
    return min(timeit.repeat(lambda: fold(name), number=1, repeat=20)) * 1e6

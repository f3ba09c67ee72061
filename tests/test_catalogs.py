"""The catalogs have a translation for all that users read, and nothing else; compiled."""

import re
from collections import Counter

import pytest
from django.template import Engine
from django.template.base import TextNode

from lockout_decorators import ChallengeRequired, LockedOut
from lockout_decorators.exceptions import StoreUnavailable
from tests.messages import FOLDERS, LANGUAGES, PACKAGE, PLACE, compiled, in_python, in_template, messages_in, po_entries

MESSAGES = messages_in()
TEMPLATES = [*(PACKAGE / "templates").rglob("*.html"), *(PACKAGE / "templates").rglob("unlock*.txt")]
NUMBERS = ["%(count)d", "%(number)s"]
ANY = {0: 0, 1: 0, 2: 0, 100: 0}
# Which form goes with a number, as the Unicode CLDR has it.
ONE, ONE_AND_NONE = {0: 1, 1: 0, 2: 1, 5: 1, 100: 1}, {0: 0, 1: 0, 2: 1, 5: 1, 100: 1}
FORMS = {
    "ar": {0: 0, 1: 1, 2: 2, 3: 3, 10: 3, 11: 4, 99: 4, 100: 5, 102: 5, 103: 3, 111: 4},
    "cs": {0: 2, 1: 0, 2: 1, 4: 1, 5: 2, 22: 2, 100: 2},
    **dict.fromkeys(["de", "es", "it", "nl"], ONE),
    **dict.fromkeys(["fr", "pt_BR", "tr"], ONE_AND_NONE),
    **dict.fromkeys(["ja", "zh_Hans"], ANY),
    "pl": {0: 2, 1: 0, 2: 1, 4: 1, 5: 2, 11: 2, 12: 2, 22: 1, 25: 2, 102: 1, 112: 2},
}


def test_what_there_is_to_translate_is_found():
    """In code, whatever the functions are called there, and in templates."""
    assert (None, "Too many failed attempts.", None) in MESSAGES
    assert (None, "Try again in %(count)d day.", "Try again in %(count)d days.") in MESSAGES
    assert ("lock page", "Go back", None) in MESSAGES
    assert ("lockouts", "known browser", None) not in MESSAGES and (None, "known browser", None) in MESSAGES
    texts = {text for _, text, _ in MESSAGES}
    assert {kind.message for kind in (LockedOut, ChallengeRequired, StoreUnavailable)} <= texts
    code = """
from django.utils.translation import gettext_lazy as _, ngettext_lazy as n, npgettext, pgettext_lazy
_("a"), n("b", "c", 1), pgettext_lazy("d", "e"), npgettext("f", "g", "h", 1), _(name), other("i")
"""
    assert [(None, "a", None), (None, "b", "c"), ("d", "e", None), ("f", "g", "h")] == [*in_python(code)]
    template = """{% load i18n %}{% if a %}{% trans "it's" context "b" as c %}{% else %}{% translate "d" %}{% endif %}
{% blocktranslate trimmed count e=f context "g" %}
  h
{% plural %}
  {{ e }} h
{% endblocktranslate %}{% for i in j %}{% blocktrans with k=l %}m {{ k }}%{% endblocktrans %}{% endfor %}"""
    found = [("b", "it's", None), (None, "d", None), ("g", "h", "%(e)s h"), (None, "m %(k)s%%", None)]
    assert found == [*in_template(template)]


@pytest.mark.parametrize("file", TEMPLATES, ids=[file.name for file in TEMPLATES])
def test_templates_say_nothing_by_themselves(file):
    """Outside of tags there is no word, nor in what is read out of them."""
    parsed = Engine.get_default().from_string(file.read_text(encoding="utf-8")).nodelist
    text = "".join([node.s for node in parsed.get_nodes_by_type(TextNode)])
    text = re.sub(r"(?s)<(style)\b.*?</\1>", "", text)
    read = re.findall(r'(?:aria-label|title|alt|placeholder|value)="([^"]*)"', text)
    names = {"lockouts"}  # a class of the body
    assert names >= {*re.findall(r"\w\w+", re.sub(r"<[^>]*>", "", text) + " ".join(read))}


def test_every_language_that_is_there_is_tested():
    """A new catalog is not forgotten here."""
    assert sorted(folder.name for folder in (PACKAGE / "locale").iterdir()) == LANGUAGES == sorted(FORMS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalog_is_whole(language):
    """It has every message of the source and no other, none is empty, a guess or a leftover."""
    entries, messages = po_entries(language)
    assert MESSAGES == {message for message in messages.values() if message[1]}
    assert all(entries.values())
    assert not re.findall(
        r"^#(?:~|,.*fuzzy).*", (FOLDERS[language] / "django.po").read_text(encoding="utf-8"), re.MULTILINE
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_stays_in_its_place(language):
    """A form for one number alone may spell that out."""
    entries, _ = po_entries(language)
    for (msgid, number), text in entries.items():
        told, kept = [Counter(PLACE.findall(one)) for one in (msgid, text)]
        if (language, number) in {("ar", 1), ("ar", 2)} and not {*NUMBERS} & {*kept}:
            told -= Counter(NUMBERS)
        assert told == kept or not msgid, msgid


@pytest.mark.parametrize("language", LANGUAGES)
def test_compiled_catalog_is_that_of_the_source(language):
    """Whoever edits the .po compiles it."""
    entries, _ = po_entries(language)
    there = {key if isinstance(key, tuple) else (key, None): text for key, text in compiled(language)._catalog.items()}
    assert entries == there


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms(language):
    """Each number gets the form that the language has for it, and there are no others."""
    entries, _ = po_entries(language)
    catalog = compiled(language)
    plurals = [(one, many) for _, one, many in MESSAGES if many]
    assert 10 == len(plurals)
    for one, many in plurals:
        assert {number for msgid, number in entries if msgid == one} == {*FORMS[language].values()}
        for count, form in FORMS[language].items():
            assert catalog.ngettext(one, many, count) == entries[one, form]

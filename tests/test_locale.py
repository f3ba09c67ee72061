"""The answer is told in the visitor's language: the catalogs are whole, compiled, and used."""

import ast
import gettext
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

import lockout_decorators
from lockout_decorators import ChallengeRequired, LockedOut, LockoutPolicy, LockoutStatus, lockout_protect
from lockout_decorators.answers.plain import answer
from lockout_decorators.exceptions import StoreUnavailable
from tests.doors import FORM, check, mount

PACKAGE = Path(lockout_decorators.__file__).parent
SINGULAR = {
    "de": "Versuchen Sie es in 1 Sekunde erneut.",
    "es": "Vuelva a intentarlo dentro de 1 segundo.",
    "fr": "Réessayez dans 1 seconde.",
    "pt_BR": "Tente novamente em 1 segundo.",
}
LANGUAGES = sorted(SINGULAR)
FOLDERS = {language: PACKAGE / "locale" / language / "LC_MESSAGES" for language in LANGUAGES}
TITLES = {
    "de": "Zu viele Fehlversuche.",
    "es": "Demasiados intentos fallidos.",
    "fr": "Trop de tentatives infructueuses.",
    "pt_BR": "Muitas tentativas malsucedidas.",
}


def said(node):
    """The messages in a piece of syntax: of gettext and ngettext, and what is raised says its own."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("gettext", "ngettext"):
        texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
        if texts:
            yield texts[0], texts[1] if len(texts) > 1 else None
    if isinstance(node, ast.ClassDef) and node.name in ("LockedOut", "ChallengeRequired", "StoreUnavailable"):
        for statement in node.body:
            target = getattr(statement, "target", None) or next(iter(getattr(statement, "targets", ())), None)
            if getattr(target, "id", None) in ("message", "advice"):
                yield statement.value.value, None


MESSAGES = {
    message
    for file in PACKAGE.rglob("*.py")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    for message in said(node)
}


def po_entries(language):
    """The catalog's source as {(msgid, number or None): text}, "" being the header."""
    entries, msgid, plurals = {}, "", {}
    where = None
    for line in (FOLDERS[language] / "django.po").read_text(encoding="utf-8").splitlines():
        word, _, text = line.partition(" ")
        if line.startswith('"'):
            entries[where] += ast.literal_eval(line)
        elif word == "msgid":
            msgid = ast.literal_eval(text)
        elif word == "msgid_plural":
            plurals[msgid] = ast.literal_eval(text)
        elif word.startswith("msgstr"):
            where = msgid, int(word[7]) if "[" in word else None
            entries[where] = ast.literal_eval(text)
    return entries, plurals


def compiled(language):
    with (FOLDERS[language] / "django.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def test_source_has_messages():
    """The scan finds what there is to translate."""
    assert ("Too many failed attempts.", None) in MESSAGES
    assert ("Try again in %d minute.", "Try again in %d minutes.") in MESSAGES
    assert {kind.message for kind in (LockedOut, ChallengeRequired, StoreUnavailable)} <= {text for text, _ in MESSAGES}


def test_every_language_that_is_there_is_tested():
    """A new catalog is not forgotten here."""
    assert sorted(folder.name for folder in (PACKAGE / "locale").iterdir()) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalog_is_whole(language):
    """It has every message of the source and no other, none is empty, and every number stays in its place."""
    entries, plurals = po_entries(language)
    assert {(msgid, plurals.get(msgid)) for msgid, _ in entries if msgid} == MESSAGES
    for (msgid, number), text in entries.items():
        assert text
        assert text.count("%d") == text.count("%") == msgid.count("%d") or not msgid, (msgid, number)


@pytest.mark.parametrize("language", LANGUAGES)
def test_compiled_catalog_is_that_of_the_source(language):
    """Whoever edits the .po compiles it."""
    entries, _ = po_entries(language)
    there = {key if isinstance(key, tuple) else (key, None): text for key, text in compiled(language)._catalog.items()}
    assert entries == there


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms(language):
    """One and many; French and Portuguese say zero like one."""
    entries, _ = po_entries(language)
    catalog = compiled(language)
    for one, many in (message for message in MESSAGES if message[1]):
        forms = {number: catalog.ngettext(one, many, number) for number in (0, 1, 2, 5, 100)}
        assert forms[1] == entries[one, 0] != entries[one, 1]
        assert {forms[number] for number in (2, 5, 100)} == {entries[one, 1]}
        assert forms[0] == entries[one, 0 if language in ("fr", "pt_BR") else 1]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
def test_answer_is_in_the_active_language(language, accept, rf):
    """Title and advice, in whatever form."""
    locked_out = LockedOut(LockoutStatus("login", True, 5, 5, 1))
    with translation.override(language.replace("_", "-")):
        response = answer(rf.post("/", headers={"accept": accept}), locked_out)
    text = response.text if accept != "application/json" else response.content.decode("unicode-escape")
    assert TITLES[language] in text
    assert SINGULAR[language] in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_answer_heeds_accept_language(language, settings, verified):
    """A real request through LocaleMiddleware: German for a German browser."""
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware"]
    mount(settings, lockout_protect(max=1, lockout=1200, scope=language)(check))
    headers = {"accept-language": language.replace("_", "-"), "accept": "text/html"}
    assert [Client().post("/", FORM, headers=headers).status_code for _ in range(2)] == [401, 429]
    refused = Client().post("/", FORM, headers=headers)
    assert TITLES[language] in refused.text
    assert f'<html lang="{language.replace("_", "-").lower()}">' in refused.text
    assert len(verified) == 1


def test_drf_answers_in_the_active_language(rf):
    """Throttled carries the translated message; DRF adds its own sentence about the time."""
    policy = LockoutPolicy(scope="login", max=1)
    with policy.attempt(rf.post("/")):
        pass
    with translation.override("de"), pytest.raises(LockedOut) as refused:
        policy.attempt(rf.post("/")).__enter__()
    assert str(refused.value.detail).startswith(TITLES["de"])


def test_other_languages_get_english(rf):
    """What is not translated is said as it is written."""
    with translation.override("ja"):
        response = answer(rf.post("/"), LockedOut(LockoutStatus("login", True, 5, 5)))
    assert response.text == "Too many failed attempts. Ask the site's administrators for help.\n"

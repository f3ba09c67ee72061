"""The answer is told in the visitor's language: the catalogs are whole, compiled, and used."""

import ast
import gettext
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

import lockout_decorators
from lockout_decorators import ChallengeRequired, LockedOut, LockoutPolicy, LockoutStatus, lockout_protect
from lockout_decorators.answers import words
from lockout_decorators.answers.plain import answer
from lockout_decorators.exceptions import StoreUnavailable
from tests.doors import FORM, check, mount

PACKAGE = Path(lockout_decorators.__file__).parent
TITLES = {
    "ar": "محاولات فاشلة كثيرة جدًا.",
    "cs": "Příliš mnoho neúspěšných pokusů.",
    "de": "Zu viele Fehlversuche.",
    "es": "Demasiados intentos fallidos.",
    "fr": "Trop de tentatives infructueuses.",
    "it": "Troppi tentativi falliti.",
    "ja": "試行の失敗回数が多すぎます。",
    "nl": "Te veel mislukte pogingen.",
    "pl": "Zbyt wiele nieudanych prób.",
    "pt_BR": "Muitas tentativas malsucedidas.",
    "tr": "Çok fazla başarısız deneme.",  # noqa: RUF001
    "zh_Hans": "失败的尝试次数过多。",
}
LANGUAGES = sorted(TITLES)
FOLDERS = {language: PACKAGE / "locale" / language / "LC_MESSAGES" for language in LANGUAGES}
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
ADVICE = {  # seconds, minutes, hours, days
    "ar": ["ثانية واحدة.", "3 دقائق.", "11 ساعة.", "3 أيام."],
    "cs": ["1 sekundu.", "3 minuty.", "11 hodin.", "3 dny."],
    "de": ["1 Sekunde erneut.", "3 Minuten erneut.", "11 Stunden erneut.", "3 Tagen erneut."],
    "es": ["1 segundo.", "3 minutos.", "11 horas.", "3 días."],
    "fr": ["1 seconde.", "3 minutes.", "11 heures.", "3 jours."],
    "it": ["1 secondo.", "3 minuti.", "11 ore.", "3 giorni."],
    "ja": ["1秒後に", "3分後に", "11時間後に", "3日後に"],
    "nl": ["1 seconde opnieuw.", "3 minuten opnieuw.", "11 uur opnieuw.", "3 dagen opnieuw."],
    "pl": ["1 sekundę.", "3 minuty.", "11 godzin.", "3 dni."],
    "pt_BR": ["1 segundo.", "3 minutos.", "11 horas.", "3 dias."],
    "tr": ["1 saniye sonra", "3 dakika sonra", "11 saat sonra", "3 gün sonra"],
    "zh_Hans": ["1 秒后", "3 分钟后", "11 小时后", "3 天后"],
}
FUNCTIONS = {"gettext": ("id",), "ngettext": ("id", "plural"), "pgettext": ("context", "id")}


def said(node):
    """The messages in a piece of syntax, as (context, text, plural); what is raised says its own."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
        texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
        if texts:
            named = dict(zip(FUNCTIONS[node.func.id], texts, strict=False))
            yield named.get("context"), named["id"], named.get("plural")
    if isinstance(node, ast.ClassDef) and node.name in ("LockedOut", "ChallengeRequired", "StoreUnavailable"):
        for statement in node.body:
            target = getattr(statement, "target", None) or next(iter(getattr(statement, "targets", ())), None)
            if getattr(target, "id", None) in ("message", "advice"):
                yield None, statement.value.value, None


MESSAGES = {
    message
    for file in PACKAGE.rglob("*.py")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    for message in said(node)
}


def po_entries(language):
    """The catalog's source as {(msgid, number or None): text}, "" being the header; and which of all are told apart."""
    entries, messages, context, msgid = {}, {}, None, ""
    where = None
    for line in (FOLDERS[language] / "django.po").read_text(encoding="utf-8").splitlines():
        word, _, text = line.partition(" ")
        if line.startswith('"'):
            entries[where] += ast.literal_eval(line)
        elif word == "msgctxt":
            context = ast.literal_eval(text)
        elif word == "msgid":
            msgid = f"{context}\x04{ast.literal_eval(text)}" if context else ast.literal_eval(text)
            messages[msgid], context = (context, ast.literal_eval(text), None), None
        elif word == "msgid_plural":
            messages[msgid] = (*messages[msgid][:2], ast.literal_eval(text))
        elif word.startswith("msgstr"):
            where = msgid, int(word[7]) if "[" in word else None
            entries[where] = ast.literal_eval(text)
    return entries, messages


def compiled(language):
    with (FOLDERS[language] / "django.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def test_source_has_messages():
    """The scan finds what there is to translate."""
    assert (None, "Too many failed attempts.", None) in MESSAGES
    assert (None, "Try again in %(count)d day.", "Try again in %(count)d days.") in MESSAGES
    assert ("lock page", "Go back", None) in MESSAGES
    texts = {text for _, text, _ in MESSAGES}
    assert {kind.message for kind in (LockedOut, ChallengeRequired, StoreUnavailable)} <= texts


def test_every_language_that_is_there_is_tested():
    """A new catalog is not forgotten here."""
    assert sorted(folder.name for folder in (PACKAGE / "locale").iterdir()) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalog_is_whole(language):
    """It has every message of the source and no other, none is empty, and every number stays in its place; a form for
    one number alone may spell it out."""
    entries, messages = po_entries(language)
    assert {message for message in messages.values() if message[1]} == MESSAGES
    for (msgid, number), text in entries.items():
        assert text
        left_out = msgid.count("%") - text.count("%")
        assert left_out == 0 or not msgid or (language, number, left_out) in {("ar", 1, 1), ("ar", 2, 1)}


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
    assert len(plurals) == 4
    for one, many in plurals:
        assert {number for msgid, number in entries if msgid == one} == {*FORMS[language].values()}
        for count, form in FORMS[language].items():
            assert catalog.ngettext(one, many, count) == entries[one, form]


@pytest.mark.parametrize("language", LANGUAGES)
def test_time_in_words(language, rf):
    """Seconds, minutes, hours, days; rounded up."""
    with translation.override(language.replace("_", "-")):
        for seconds, told in zip([1, 121, 10 * 3600 + 1, 2 * 86_400 + 1], ADVICE[language], strict=True):
            response = answer(rf.post("/"), LockedOut(LockoutStatus("login", True, 5, 5, seconds)))
            assert told in response.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
def test_answer_is_in_the_active_language(language, accept, rf):
    """Title and advice, in whatever form."""
    locked_out = LockedOut(LockoutStatus("login", True, 5, 5, 1, datetime(2030, 1, 1, tzinfo=UTC), "key", "7F3K-92QD"))
    with translation.override(language.replace("_", "-")):
        response = answer(rf.post("/", headers={"accept": accept}), locked_out)
    text = response.text if accept != "application/json" else " ".join(map(str, json.loads(response.content).values()))
    assert TITLES[language] in text
    assert ADVICE[language][0] in text
    assert "7F3K-92QD" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_answer_heeds_accept_language(language, settings, verified):
    """A real request through LocaleMiddleware: German for a German browser."""
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware"]
    mount(settings, lockout_protect(max=1, lockout=1200, scope=language)(check))
    headers = {"accept-language": language.replace("_", "-"), "accept": "text/html"}
    assert [Client().post("/", FORM, headers=headers).status_code for _ in range(2)] == [401, 429]
    refused = Client().post("/", FORM, headers=headers)
    assert TITLES[language] in refused.text
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language.replace("_", "-").lower()}" dir="{direction}">' in refused.text
    assert len(verified) == 1


def test_drf_answers_in_the_active_language(rf):
    """Throttled carries the translated message; DRF adds its own sentence about the time."""
    policy = LockoutPolicy(scope="login", max=1)
    with policy.attempt(rf.post("/")):
        pass
    with translation.override("de"), pytest.raises(LockedOut) as refused:
        policy.attempt(rf.post("/")).__enter__()
    assert str(refused.value.detail).startswith(TITLES["de"])


@pytest.fixture
def forgotten():
    """What was translated already, before and after."""
    known = words.translated.cache_clear, translation.trans_real._translations.clear
    yield [forget() for forget in known]
    for forget in known:
        forget()


@pytest.mark.parametrize(
    ("active", "default", "told"),
    [
        ("ko", "en-us", 'lang="en"'),
        ("ko", "de", 'lang="de"'),  # Django falls back on that
        ("he", "en-us", 'lang="en" dir="ltr"'),
        ("de-at", "en-us", 'lang="de-at"'),
        ("en-gb", "en-us", 'lang="en-gb"'),
        ("pt", "en-us", 'lang="en"'),
    ],
)
def test_page_names_the_language_it_is_really_in(active, default, told, rf, settings, forgotten):
    """That of the words, which a visitor gets where there are none in his own; or his kind of it."""
    settings.LANGUAGE_CODE = default
    status = LockoutStatus("login", True, 5, 5, 600, datetime(2030, 5, 2, tzinfo=UTC))
    with translation.override(active):
        page = answer(rf.post("/", headers={"accept": "text/html"}), LockedOut(status)).text
    assert f"<html {told}" in page
    assert ("Zu viele" in page, "Mai" in page) == (german := 'lang="de' in told, german)


def test_other_languages_get_english(rf):
    """What is not translated is said as it is written."""
    with translation.override("ko"):
        response = answer(rf.post("/"), LockedOut(LockoutStatus("login", True, 5, 5)))
    assert response.text == "Too many failed attempts. Ask the site's administrators for help.\n"

"""The answer is told in the visitor's language."""

import json
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import translation

from lockout_decorators import LockedOut, LockoutPolicy, LockoutStatus, lockout_protect
from lockout_decorators.answers import words
from lockout_decorators.answers.plain import answer
from tests.doors import FORM, check, mount

TITLES = {  # for the words of all languages see tests/test_catalogs.py
    "ar": "محاولات فاشلة كثيرة جدًا.",
    "de": "Zu viele Fehlversuche.",
    "pl": "Zbyt wiele nieudanych prób.",
    "pt_BR": "Muitas tentativas malsucedidas.",
    "zh_Hans": "失败的尝试次数过多。",
}
ADVICE = {  # seconds, minutes, hours, days
    "ar": ["ثانية واحدة.", "3 دقائق.", "11 ساعة.", "3 أيام."],
    "de": ["1 Sekunde erneut.", "3 Minuten erneut.", "11 Stunden erneut.", "3 Tagen erneut."],
    "pl": ["1 sekundę.", "3 minuty.", "11 godzin.", "3 dni."],
    "pt_BR": ["1 segundo.", "3 minutos.", "11 horas.", "3 dias."],
    "zh_Hans": ["1 秒后", "3 分钟后", "11 小时后", "3 天后"],
}


@pytest.mark.parametrize("language", TITLES)
@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
def test_answer_is_in_the_active_language(language, accept, rf):
    """Title and advice, in whatever form; the time in seconds, minutes, hours or days, rounded up."""
    request, end = rf.post("/", headers={"accept": accept}), datetime(2030, 1, 1, tzinfo=UTC)
    for seconds, told in zip([1, 121, 10 * 3600 + 1, 2 * 86_400 + 1], ADVICE[language], strict=True):
        status = LockoutStatus("login", True, 5, 5, seconds, end, "key", "7F3K-92QD")
        with translation.override(language.replace("_", "-")):
            response = answer(request, LockedOut(status))
        text = " ".join(map(str, json.loads(response.content).values())) if "json" in accept else response.text
        assert all(part in text for part in (TITLES[language], told, "7F3K-92QD"))


@pytest.mark.parametrize("language", TITLES)
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
        ("ko", "en-us", 'lang="en" dir="ltr"'),
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

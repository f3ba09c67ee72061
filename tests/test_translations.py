"""What people read is in their language, all of it: the admin page, the page behind an unlock link, and its mail."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from django.utils.translation import gettext, ngettext, override, pgettext

from lockout_decorators import LockoutPolicy, mail
from lockout_decorators.contrib.admin import add_to, page
from lockout_decorators.contrib.admin.words import rule
from lockout_decorators.exceptions import StoreError
from lockout_decorators.journal import entries, tallies
from lockout_decorators.journal.lock import Lock, new_code, spell_reference
from lockout_decorators.journal.tally import Tally
from lockout_decorators.stores import Store, host_clock, store_for
from tests.mailing import Told, links_in, with_mails
from tests.messages import LANGUAGES, PLACE, messages_in
from tests.sizes import IN_FULL

HERE, URL = "192.0.2.7", "https://example.com"
MAILED = {one for one in messages_in("templates") - messages_in("templates/lockout_decorators/admin") if one[1] != "en"}
SHOWN = messages_in("contrib/admin") | messages_in("templates/lockout_decorators/admin")
LOCALES = ["en", *[language.replace("_", "-").lower() for language in (LANGUAGES if IN_FULL else ["ar"])]]

site = AdminSite("staff")
add_to(site)
urlpatterns = [
    path("staff/", site.urls),
    path("unlock/", include("lockout_decorators.urls")),
    path("static/", HttpResponse),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture(params=LOCALES)
def language(request, settings):
    """Of the site and of the browser."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
    settings.LANGUAGE_CODE, settings.LOCKOUT_JOURNAL = request.param, True
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    return request.param


@pytest.fixture
def boss(language):
    client = Client(headers={"accept-language": language})
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def down(monkeypatch):
    """Gives what is read from a cache that does not answer."""

    def gone(store, *args):
        raise StoreError(store.alias, ConnectionError("gone"))

    def read(ask):
        with monkeypatch.context() as broken:
            broken.setattr(Store, "read", gone)
            return ask()

    return read


def policies():
    """Of every kind that the page has words for; those that bob will fail at."""
    rare = {"max": 2, "ceiling": None}
    LockoutPolicy(scope="q1", key="user", **rare, lockout=None, known_browsers=timedelta(days=90))
    LockoutPolicy(scope="q2", key="ip+user+session+ua", **rare, rolling=True, lockout=0)
    LockoutPolicy(scope="q3", key=lambda request, name: "x", max=1, ceiling=None)
    LockoutPolicy(scope="q4", key="username+header:X-Qq", **rare)
    LockoutPolicy(scope="q5", key="username", **rare)
    return (
        LockoutPolicy(scope="q6", key="ip+username", **rare, lockout=(90, 60, 7200, 86400)),
        LockoutPolicy(scope="q7", key="ip", **rare, enforce=False),
        LockoutPolicy(scope="q8", key="ip", max=3),
    )


def fail(policy, rf):
    for _ in range(2):
        with policy.attempt(rf.post("/", REMOTE_ADDR=HERE), "bob"):
            pass


def file_locks():
    """One of each counter."""
    store, now = store_for("default"), host_clock()
    locks = [
        Lock(spell_reference(new_code()), "q", "ip", counter, "record", now, now) for counter in ("ceiling", "browser")
    ]
    for lock in locks:
        entries.enter(store, [lock], now)


def words(*texts):
    """What people read of pages, also in attributes; without keys, which are code."""
    text = re.sub(r"(?s)<(script|style|code)\b.*?</\1>", " ", " ".join(texts))
    text = re.sub(r'<[^>]*?(?:(?:aria-label|value)="([^"]*)"[^>]*)?>', r" \1 ", text)
    return " ".join(unescape(text).split())


def said(message):
    """Its translations."""
    context, text, plural = message
    if plural:
        return {ngettext(text, plural, count) for count in (1, 2, 3, 11, 1000)}
    return {pgettext(context, text) if context else gettext(text)}


def pattern(text):
    return ".{1,60}?".join(map(re.escape, PLACE.split(text)))


def check(messages, text, language):
    """Each is there in the language, and not in English."""
    with override(language):
        told = {message: said(message) for message in messages}
    assert [] == [one for one, texts in told.items() if not any(re.search(pattern(it), text) for it in texts)]
    english = {one for _, one, _ in messages if language != "en" and re.search("[a-z]{2}", PLACE.sub("", one))}
    foreign = english - {it for texts in told.values() for it in texts}
    assert [] == [one for one in foreign if re.search(rf"(?<!\w){pattern(one)}(?!\w)", text)]


def test_the_admin_page(language, boss, down, rf, settings, monkeypatch):
    """Whatever it has to say; from right to left where people read so."""
    monkeypatch.setattr(page, "SHOWN", 2)

    def get(**asked):
        return boss.get("/staff/lockouts/", asked).text

    def unlock(**asked):
        return boss.post("/staff/lockouts/unlock/", asked, follow=True).text

    seen = [unlock(ip=HERE, asked_ip=HERE)]
    for policy in policies():
        fail(policy, rf)
    file_locks()
    tallies.count("default", {"q5": Tally(3, 2, 1)}, host_clock())
    seen += [get(page=1), get(page=2), get(ip=HERE, username="bob"), get(reference="junk", ip="junk")]
    seen += [get(reference="7F3K-92QD"), get(reference="7F3K-92QD", ip=HERE)]
    seen += [unlock(ip=HERE, username="bob", asked_ip=HERE), down(lambda: unlock(ip=HERE))]
    settings.LOCKOUT_JOURNAL = None
    seen.append(get())
    check(SHOWN, words(*seen), language)
    assert all(f' dir="{"rtl" if language == "ar" else "ltr"}"' in text for text in seen)


def test_numbers_are_written_as_the_language_does():
    """Those of the bounds."""
    with override("de"):
        bounds = rule(LockoutPolicy(scope="q", key="ip+username", window=300, ceiling=None)).account
        slow = rule(LockoutPolicy(scope="slow", key="username", max=1, lockout=172_800, ceiling=None)).account
    assert ("1.152", "1.157") == bounds[0]
    assert ("115.200.000", "0,5") == (bounds[2][0], slow[0][0])


def test_the_unlock_link(language, down, rf, settings):
    """The mail with it, and the page behind it."""
    with_mails(settings)
    User.objects.create_user("bob", "bob@example.com")
    told = Told()
    receiver = mail.tells_owner(base_url=URL, deliver=told.append)
    fail(LockoutPolicy(scope="q", key="username", max=2, ceiling=None, lockout=None), rf)
    (sent,) = told.send(receiver)
    (link,) = links_in([sent])
    client = Client(headers={"accept-language": language})
    seen = [client.get(link).text, down(lambda: client.get(link).text), *[client.post(link).text for _ in range(2)]]
    check(MAILED, words(sent.subject, sent.body, *seen), language)
    assert all(f' dir="{"rtl" if language == "ar" else "ltr"}"' in text for text in seen)

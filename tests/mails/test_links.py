"""Mails with a link that unlocks: who gets one, how many, and when nobody can tell; what a link lifts, and what not."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.signing import TimestampSigner
from django.test import Client
from django.test.utils import override_script_prefix
from django.utils import timezone, translation

from lockout_decorators import mail
from lockout_decorators.exceptions import StoreError
from lockout_decorators.journal.entries import recent
from lockout_decorators.mail.links import SALT, path_of, token_for
from lockout_decorators.mail.owners import owner_of
from lockout_decorators.stores import Store
from lockout_decorators.support.finding import by_reference
from lockout_decorators.support.unlocking import unlock
from tests.mailing import ELSEWHERE, HERE, POLICIES, URL, Failing, guess, links_in, lock, mount, signs_in

SECURITY = ("Cache-Control", "Referrer-Policy", "X-Robots-Tag")


@pytest.fixture(autouse=True)
def bob(settings, db):
    """The owner of an account at a site that mails."""
    mount(settings)
    return User.objects.create_user("bob", "bob@example.com")


# Who


@pytest.mark.parametrize(
    "name", ["bob", "BOB", " \uff42ob", "bob@example.com", "Bob@Example.COM", "b\u200bo" + "\u200b" * 300 + "b"]
)
def test_the_owner_is_found_by_whatever_is_counted_as_his_name(name, client, receiver, told):
    """The mail goes to the address on file, not to what was typed."""
    lock(client, "account", name)
    (sent,) = told.send(receiver)
    assert ["bob@example.com"] == sent.to


@pytest.mark.parametrize(
    "changed",
    [{"is_active": False}, {"email": ""}, {"username": "ann", "email": "ann@example.com"}],
    ids=["inactive", "no address", "another"],
)
def test_accounts_without_a_mail(changed, client, receiver, told):
    """Nobody could sign in there, or there is nobody to write to."""
    User.objects.update(**changed)
    lock(client, "account")
    assert 1 == len(told) and not told.send(receiver)


@pytest.mark.parametrize("twin", [{"username": "Bob"}, {"username": "eve", "email": "BOB"}], ids=["name", "address"])
def test_twins_get_no_link(twin, client, receiver, told):
    """They share their locks: whoever took such a name could lift those of the other, and guess on."""
    User.objects.create(**{"email": "eve@example.com", **twin})
    lock(client, "account", "BOB")
    assert not told.send(receiver)


@pytest.mark.parametrize("name", ["\x00", "\ud800", "x" * 5000, "   "], ids=["NUL", "surrogate", "long", "blank"])
def test_names_that_nobody_has(name):
    """Whatever a database says to them."""
    assert (None, "") == owner_of(name)


@pytest.mark.parametrize("door", ["address", "ceiling", "tried", "ending", "custom", "computed"])
def test_locks_without_a_mail(door, client, receiver, told):
    """Of an address, by a network's ceiling; that refuse nobody, or end by themselves; whose client nobody knows."""
    for name in ("eve", "bob", "bob"):
        guess(client, door, name)
    assert [] == [one for one in told if one["counter"] == "ceiling" or door != "ceiling"]


def test_a_project_finds_its_own(client, bob, told):
    """Where names are computed, or accounts kept elsewhere; of the policies that it names."""
    found = {"555": bob}
    receiver = mail.tells_owner(POLICIES["computed"], base_url=URL, find=found.get, deliver=told.append)
    for door, name in (("account", "555"), ("computed", "444"), ("computed", "555")):
        lock(client, door, name)
    assert ["444", "555"] == [one["username"] for one in told]
    assert 1 == len(told.send(receiver))


def test_a_lock_that_is_over_is_not_mailed_about(client, receiver, told):
    """As where support was quicker than the queue."""
    lock(client, "account")
    unlock(by_reference(told[0]["reference"]), "support")
    assert not told.send(receiver)


# How many


def test_one_mail_an_account_and_hour(client, receiver, told):
    """Whatever locks fall: under several policies, of a botnet's pairs, by name or address. All parallel."""
    for number in range(8):
        lock(client, "pair", ("bob", "bob@example.com")[number % 2], f"198.51.100.{number}")
    lock(client, "account")
    with time_machine.travel(timezone.now() + timedelta(seconds=3590), tick=False):
        lock(client, "account", "bob@example.com")
        assert 10 == len(told) and 1 == len(told.send(receiver))
    with time_machine.travel(timezone.now() + timedelta(seconds=7195)):
        lock(client, "pair", "bob", ELSEWHERE)
        assert 1 == len(told.send(receiver))


def test_namesakes_share_the_hour(client, receiver, told):
    """No database finds all whose names are counted as one. Each could lift the lock of all, and guess on."""
    for name in ("m\u00fcller", "m\u00f9ller", "m\u00faller"):
        User.objects.create(username=name, email=f"{ascii(name)[4:6]}@example.com")
    sent = []
    for name in ("m\u00f9ller", "m\u00faller"):
        lock(client, "account", name)
        sent += told.send(receiver)
        POLICIES["account"].reset({"type": "http", "client": [HERE, 1], "headers": []}, name)
    assert 1 == len(sent)
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=5)):
        lock(client, "account", "m\u00faller")
        assert 1 == len(told.send(receiver))


def test_a_mail_that_failed_may_be_sent_again(client, receiver, told, monkeypatch):
    """By the queue, within the hour."""
    lock(client, "account")
    (notice,) = told
    with monkeypatch.context() as patched:
        patched.setattr("django.core.mail.backends.locmem.EmailBackend", Failing)
        with pytest.raises(ConnectionRefusedError):
            receiver.send(notice)
    assert [True, False] == [receiver.send(notice) for _ in range(2)]


# What


def test_what_the_mail_says(client, receiver, told, settings):
    """In the site's language and time zone, whoever guessed; neither who that was nor what he typed."""
    settings.LANGUAGE_CODE, settings.TIME_ZONE = "en", "Asia/Tokyo"
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        lock(Client(headers={"accept-language": "de", "host": "evil.example"}), "account", "BOB")
        reference = told[0]["reference"]
        with translation.override("de"), timezone.override("Europe/Rome"), override_script_prefix("/app/"):
            (sent,) = told.send(receiver)
    assert "Unlock your account at example.com" == sent.subject
    assert "locked on March 1, 2026, 9 p.m. (JST), after too many failed attempts." in sent.body
    assert sent.body.count("\n\n") == 4 and sent.body.endswith(f"{reference}\n")
    assert sent.body.startswith("Signing in to your account at example.com was")
    for hidden in ("192.0.2.1", "BOB", "evil", "/app"):
        assert hidden not in sent.message().as_string()
    assert "auto-generated" == sent.extra_headers["Auto-Submitted"]


def test_no_header_is_injected(client, receiver, told):
    """By whatever is on file as an address."""
    User.objects.update(email="bob@example.com\nBcc: eve@example.com")
    lock(client, "account")
    with pytest.raises(ValueError, match=r"newlines|linefeed"):
        told.send(receiver)


def test_the_current_site_says_where_it_is(client, told, settings, monkeypatch):
    """Where `django.contrib.sites` is installed."""
    settings.INSTALLED_APPS, settings.SITE_ID = [*settings.INSTALLED_APPS, "django.contrib.sites"], 1
    from django.contrib.sites.models import SITE_CACHE, Site

    monkeypatch.setitem(SITE_CACHE, 1, Site(domain="example.com", name="Our\nshop"))
    receiver = mail.tells_owner(deliver=told.append)
    lock(client, "account")
    (sent,) = told.send(receiver)
    assert "Unlock your account at Our shop" == sent.subject
    assert links_in([sent])


@pytest.fixture
def link(client, receiver, told):
    """Locks a door, and gives the link that was mailed."""

    def locked(door="account"):
        lock(client, door)
        assert not signs_in(client, door)
        (path,) = links_in(told.send(receiver))
        return path

    return locked


@pytest.mark.parametrize(("door", "elsewhere"), [("account", True), ("pair", False)])
@pytest.mark.parametrize("journal", [True, False])
def test_the_lock_at_hand_is_lifted(door, elsewhere, journal, client, settings, link, verified, caplog):
    """The account's, or that of the account at one address, and not at another. Then the right password is verified."""
    settings.LOCKOUT_JOURNAL = journal
    path = link(door)
    if not elsewhere:
        lock(client, door, "bob", ELSEWHERE)
    verified.clear()
    with caplog.at_level("DEBUG"):
        assert 200 == client.get(path).status_code
        assert "The lock is lifted." in client.post(path).text
        assert [True, elsewhere] == [signs_in(client, door, address) for address in (HERE, ELSEWHERE)]
    assert [("bob", "right")] * (1 + elsewhere) == verified
    (line,) = [record.getMessage() for record in caplog.records if "unlocked" in record.getMessage()]
    assert "by='mail link'" in line and path.split("/")[2] not in caplog.text


def test_mail_scanners_that_click_an_unlock_link(client, link, verified):
    """They look ten times, and nothing changes; the button unlocks, once. No cookie is set, and nothing kept."""
    path = link()
    verified.clear()
    looks = [getattr(client, method)(path) for method in ["get"] * 10 + ["head", "options", "put"]]
    assert {200} == {look.status_code for look in looks}
    assert not signs_in(client, "account") and not verified
    assert '<form method="post">' in looks[0].text and "noindex" in looks[0].text
    pressed = [client.post(path) for _ in range(2)]
    assert [200, 410] == [answer.status_code for answer in pressed]
    assert signs_in(client, "account") and len(verified) == 1
    for answer in (*looks, *pressed):
        assert ["no-store", "no-referrer", "noindex, nofollow"] == [answer[name] for name in SECURITY]
        assert not answer.cookies and "Set-Cookie" not in answer


def test_a_second_lock_needs_a_second_link(client, link, verified):
    """The first one has no power over it; an hour later there is another mail."""
    first = link()
    client.post(first)
    lock(client, "account")
    assert [410, 410] == [client.get(first).status_code, client.post(first).status_code]
    assert not signs_in(client, "account") and ("bob", "right") not in verified
    unlock(by_reference(recent("default")[0].reference), "support")
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=5)):
        second = link()
        assert [410, 200] == [client.post(path).status_code for path in (first, second)]
        assert signs_in(client, "account")


def crafted(reference, key="tests", salt=SALT):
    return TimestampSigner(key=key, salt=salt).sign(reference)


FORGED = {
    "another reference": lambda reference: token_for("ABCD-EFGH").replace("ABCD-EFGH", reference),
    "another site's": lambda reference: crafted(reference, key="another site's"),
    "for something else": lambda reference: crafted(reference, salt="for something else"),
    "not signed": lambda reference: reference,
    "junk": lambda reference: "é\x00",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_forged_links(forge, client, link, caplog):
    """They lift nothing, whatever reference they name."""
    link()
    path = path_of(forge(recent("default")[0].reference))
    assert [404, 404] == [client.get(path).status_code, client.post(path).status_code]
    assert not signs_in(client, "account") and "Not Found" not in caplog.text


def test_a_link_outlives_a_change_of_the_secret_key(client, settings, link):
    """As long as the old one is among the fallbacks; the records are counted under the new one."""
    path = link()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", []
    assert 404 == client.post(path).status_code
    settings.SECRET_KEY_FALLBACKS = ["tests"]
    assert 200 == client.post(path).status_code


def test_a_link_is_good_for_a_day(client, link):
    """The lock has no end."""
    path = link()
    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=5)):
        assert 410 == client.post(path).status_code
        assert not signs_in(client, "account")


@pytest.mark.parametrize("door", ["address", "ceiling", "custom"])
def test_no_link_lifts_the_lock_of_an_address(door, client):
    """Not even one that was signed by mistake."""
    lock(client, door)
    tokens = [token_for(one.reference) for one in recent("default") if one.counter == "ceiling" or door != "ceiling"]
    assert [410] == [client.post(path_of(token)).status_code for token in tokens]
    assert 429 == guess(client, door, "bob", HERE, "right")


def test_a_known_browser_s_lock_is_its_own(client, link):
    """It is lifted for the browser that was told; that of strangers stays, and that of another browser."""
    other, stranger = Client(), Client()
    for browser in (client, other):
        assert signs_in(browser, "known")
    path = link("known")
    for browser in (other, stranger):
        lock(browser, "known")
    assert 200 == stranger.post(path).status_code
    assert [True, False, False] == [signs_in(one, "known") for one in (client, other, stranger)]


def test_an_outage_is_said_and_not_hidden(client, link, monkeypatch, caplog):
    """503, without the token in the log; when it is over the link still works."""
    path = link()
    with monkeypatch.context() as patched:
        patched.setattr(Store, "read", down)
        answer = client.post(path)
    assert (503, "no-store") == (answer.status_code, answer["Cache-Control"])
    assert "temporarily unavailable" in answer.text and "a link unlocks nothing" in caplog.text
    assert path not in caplog.text
    assert 200 == client.post(path).status_code and signs_in(client, "account")


def down(store, keys):
    raise StoreError(store.alias, OSError("no route"))


def test_nobody_has_to_sign_in_to_unlock(settings, link):
    """Where every page wants it otherwise, and forms a token against forgery."""
    path = link()
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    client = Client(enforce_csrf_checks=True)
    assert [200, 200] == [client.get(path).status_code, client.post(path).status_code]
    assert not POLICIES["account"].status({"type": "http", "client": [HERE, 1], "headers": []}, "bob").locked


@pytest.mark.parametrize(
    ("accepted", "shown"), [("ar", 'lang="ar" dir="rtl"'), ("pt-br", 'lang="pt-BR" dir="ltr"'), ("sv", 'lang="en" dir')]
)
def test_the_page_names_the_language_that_it_is_in(accepted, shown, settings, link):
    """Of the reader, where there is a catalog, else English."""
    path = link()
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware"]
    assert f"<html {shown}" in Client().get(path, headers={"accept-language": accepted}).text

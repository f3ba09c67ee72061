"""Mails with a link that unlocks: who gets one, how many, and when nobody can tell."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import override_script_prefix
from django.utils import timezone, translation

from lockout_decorators import mail
from lockout_decorators.mail.owners import owner_of
from lockout_decorators.support.finding import by_reference
from lockout_decorators.support.unlocking import unlock
from tests.mailing import ELSEWHERE, HERE, POLICIES, Failing, Told, guess, links_in, lock, mount

URL = "https://example.com"


@pytest.fixture(autouse=True)
def site(settings):
    mount(settings)


@pytest.fixture
def bob(db):
    return User.objects.create_user("bob", "bob@example.com")


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def receiver(told):
    return mail.tells_owner(base_url=URL, deliver=told.append)


# Who


@pytest.mark.parametrize(
    "name", ["bob", "BOB", " \uff42ob", "bob@example.com", "Bob@Example.COM", "b\u200bo" + "\u200b" * 300 + "b"]
)
def test_the_owner_is_found_by_whatever_is_counted_as_his_name(name, client, bob, receiver, told):
    """The mail goes to the address on file, not to what was typed."""
    lock(client, "account", name)
    (sent,) = told.send(receiver)
    assert ["bob@example.com"] == sent.to


@pytest.mark.parametrize(
    "changed",
    [{"is_active": False}, {"email": ""}, {"username": "ann", "email": "ann@example.com"}],
    ids=["inactive", "no address", "another"],
)
def test_accounts_without_a_mail(changed, client, bob, receiver, told):
    """Nobody could sign in there, or there is nobody to write to."""
    User.objects.update(**changed)
    lock(client, "account")
    assert 1 == len(told) and not told.send(receiver)


@pytest.mark.parametrize("twin", [{"username": "Bob"}, {"username": "eve", "email": "BOB"}], ids=["name", "address"])
def test_twins_get_no_link(twin, client, bob, receiver, told):
    """They share their locks: whoever took such a name could lift those of the other, and guess on."""
    User.objects.create(**{"email": "eve@example.com", **twin})
    lock(client, "account", "BOB")
    assert not told.send(receiver)


@pytest.mark.parametrize("name", ["\x00", "\ud800", "x" * 5000, "   "], ids=["NUL", "surrogate", "long", "blank"])
def test_names_that_nobody_has(name, bob):
    """Whatever a database says to them."""
    assert (None, "") == owner_of(name)


@pytest.mark.parametrize("door", ["address", "ceiling", "tried", "ending", "custom", "computed"])
def test_locks_without_a_mail(door, client, bob, receiver, told):
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


def test_a_lock_that_is_over_is_not_mailed_about(client, bob, receiver, told):
    """As where support was quicker than the queue."""
    lock(client, "account")
    unlock(by_reference(told[0]["reference"]), "support")
    assert not told.send(receiver)


# How many


def test_one_mail_an_account_and_hour(client, bob, receiver, told):
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


def test_namesakes_share_the_hour(client, db, receiver, told):
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


def test_a_mail_that_failed_may_be_sent_again(client, bob, receiver, told, monkeypatch):
    """By the queue, within the hour."""
    lock(client, "account")
    (notice,) = told
    with monkeypatch.context() as patched:
        patched.setattr("django.core.mail.backends.locmem.EmailBackend", Failing)
        with pytest.raises(ConnectionRefusedError):
            receiver.send(notice)
    assert [True, False] == [receiver.send(notice) for _ in range(2)]


# What


def test_what_the_mail_says(client, bob, receiver, told, settings):
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


def test_no_header_is_injected(client, bob, receiver, told):
    """By whatever is on file as an address."""
    User.objects.update(email="bob@example.com\nBcc: eve@example.com")
    lock(client, "account")
    with pytest.raises(ValueError, match=r"newlines|linefeed"):
        told.send(receiver)


def test_the_current_site_says_where_it_is(client, bob, told, settings, monkeypatch):
    """Where `django.contrib.sites` is installed."""
    settings.INSTALLED_APPS, settings.SITE_ID = [*settings.INSTALLED_APPS, "django.contrib.sites"], 1
    from django.contrib.sites.models import SITE_CACHE, Site

    monkeypatch.setitem(SITE_CACHE, 1, Site(domain="example.com", name="Our\nshop"))
    receiver = mail.tells_owner(deliver=told.append)
    lock(client, "account")
    (sent,) = told.send(receiver)
    assert "Unlock your account at Our shop" == sent.subject
    assert links_in([sent])

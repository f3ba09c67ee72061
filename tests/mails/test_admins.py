"""Mails about locks: to the people who run the site, by a thread, and few; and what could not work is said at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event, Thread, get_ident
from types import SimpleNamespace

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail as outgoing
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.locmem import EmailBackend
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from lockout_decorators import LockoutPolicy, mail
from lockout_decorators.checks import check_lockout
from lockout_decorators.mail import thread
from lockout_decorators.stores import Store
from tests.mailing import ACCOUNT, HERE, POLICIES, URL, Failing, guess, links_in, lock, mount, signs_in
from tests.servers import BACKENDS

REQUEST = {"type": "http", "client": ["192.0.2.1", 1], "headers": []}


@pytest.fixture(autouse=True)
def site(settings):
    mount(settings)


@pytest.mark.parametrize("journal", [False, None])
def test_what_they_are_told(journal, client, told, settings):
    """Who, where and until when; how to lift it, if locks are on file. What was typed is escaped, and in no header."""
    settings.LOCKOUT_JOURNAL = journal
    receiver = mail.tells_admins(deliver=told.append)
    lock(client, "pair", "bob\r\nBcc: eve@example.com <b>" + "x" * 200)
    reference = told[0]["reference"]
    (sent,) = told.send(receiver)
    assert (["ann@example.com"], "[Django] Locked out: pair") == (sent.to, sent.subject)
    assert f"address:   {HERE}\nuser name: 'bob\\r\\nBcc: eve@example.com <b>xx" in sent.body
    assert f"reference: {reference}\n" in sent.body and "x" * 81 not in sent.body
    assert (journal is False) == (f"    python manage.py lockout unlock {reference}\n" in sent.body)


@pytest.mark.parametrize(
    ("door", "said"),
    [
        ("account", "until:     it is lifted"),
        ("address", "counter:   key"),
        ("ceiling", "counter:   ceiling"),
        ("tried", "scope:     tried (not enforced)"),
        ("ending", "user name: 'bob'"),
    ],
)
def test_all_locks_are_told(door, said, client, told):
    """Also those that nobody can lift by a link."""
    receiver = mail.tells_admins(to=["ops@example.com"], deliver=told.append)
    for _ in range(2):
        guess(client, door)
    sent = told.send(receiver)
    assert {"ops@example.com"} == {address for one in sent for address in one.to}
    assert said in "".join(one.body for one in sent)
    assert ("reference:" in sent[0].body) == (door != "ending")


def test_few_mails_an_hour(client, told):
    """One of a client, `limit` of all, the last of which says so; an hour later there are more. Each receiver has its
    own."""
    receivers = [
        mail.tells_admins(POLICIES["pair"], to=[to], limit=3, deliver=told.append) for to in ("a@x.y", "b@x.y")
    ]
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for address in ("192.0.2.1", "192.0.2.1", *(f"198.51.100.{number}" for number in range(8))):
            lock(client, "pair", "bob", address)
            POLICIES["pair"].reset({"type": "http", "client": [address, 1], "headers": []}, "bob")
        notices, told[:] = [*told], told[:-2:2]
        assert 20 == len(notices)
        sent = told.send(receivers[0])
        assert 3 == len(sent)
        assert [False, False, True] == ["No more of these" in one.body for one in sent]
        assert [True, False] == [receivers[1].send(notices[-1]) for _ in range(2)]
        clock.shift(3000)
        assert not receivers[0].send(notices[-1])
        clock.shift(605)
        assert [True, False] == [receivers[0].send(notices[-1]) for _ in range(2)]


def test_nobody_to_be_told(client, told, settings):
    """Without ADMINS, as in development."""
    settings.ADMINS = []
    receiver = mail.tells_admins(deliver=told.append)
    lock(client, "pair")
    assert not told.send(receiver) and not outgoing.outbox


def test_a_mail_that_failed_takes_no_place(client, told, monkeypatch):
    """Neither the client's, nor one of all."""
    receiver = mail.tells_admins(limit=1, deliver=told.append)
    lock(client, "pair")
    with monkeypatch.context() as patched:
        patched.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", None)
        with pytest.raises(TypeError):
            receiver.send(told[0])
    assert 1 == len(told.send(receiver))


@pytest.mark.parametrize("wrong", ["example.com", "ftp://example.com", "//example.com", "https://"])
def test_wrong_urls(wrong):
    with pytest.raises(ValueError, match="it must be like"):
        mail.tells_owner(base_url=wrong)


@pytest.mark.parametrize(
    ("setting", "policies", "message"),
    [
        ({"LOCKOUT_JOURNAL": None}, (), "no link would find its lock"),
        ({"INSTALLED_APPS": []}, (), "in INSTALLED_APPS"),
        ({}, (POLICIES["computed"],), "give find="),
        ({}, (LockoutPolicy(scope="phone", username="phone", **ACCOUNT),), "give find="),
    ],
    ids=["no journal", "no app", "computed", "phone"],
)
def test_what_could_not_work_is_said_at_once(setting, policies, message, settings):
    for name, value in setting.items():
        setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=message):
        mail.tells_owner(*policies, base_url=URL)


def test_a_site_that_is_nowhere():
    """The Host header is no answer: the guesser has written it."""
    with pytest.raises(ImproperlyConfigured, match="give base_url="):
        mail.tells_owner()


def test_links_that_lead_nowhere_are_an_error(settings):
    """As long as somebody mails them."""

    def told():
        return "lockout_decorators.E009" in [message.id for message in check_lockout(None)]

    settings.ROOT_URLCONF = "tests.urls"
    assert not told()
    mail.tells_owner(base_url=URL)
    assert told()
    settings.ROOT_URLCONF = "tests.mailing"
    assert not told()


class Slow(EmailBackend):
    """Sends when it is told to."""

    gate, asked = Event(), []

    def send_messages(self, messages):
        self.asked.append(get_ident())
        assert self.gate.wait(30)
        return super().send_messages(messages)


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend", Slow)
    Slow.asked.clear()
    Slow.gate.clear()
    yield Slow
    Slow.gate.set()
    thread.wait()


@pytest.mark.django_db(transaction=True)
def test_no_answer_waits_for_a_mail(client, slow):
    """Whether there is an account or not, the guesser has the answer while the mail server has not."""
    User.objects.create_user("bob", "bob@example.com")
    mail.tells_owner(base_url=URL)
    for name in ("bob", "nobody"):
        lock(client, "account", name)
        assert 429 == guess(client, "account", name)
    assert not outgoing.outbox
    slow.gate.set()
    thread.wait()
    (link,) = links_in(outgoing.outbox)
    assert get_ident() not in slow.asked and 1 == len(slow.asked)
    assert 200 == client.post(link).status_code and signs_in(client, "account")


def test_the_thread_goes_on_after_a_failure(caplog):
    """What failed is told, without what it says of the recipient."""
    sent = []
    thread.post(lambda notice: Failing().send_messages([]), {"reference": "7F3K-92QD"})
    thread.post(sent.append, {"reference": "92QD-7F3K"})
    thread.wait()
    assert [{"reference": "92QD-7F3K"}] == sent
    assert "a mail was not sent, by ConnectionRefusedError: reference=7F3K-92QD" in caplog.text
    assert "example.com" not in caplog.text
    facts = [record.lockout for record in caplog.records]
    assert [{"event": "mail_failed", "error": "ConnectionRefusedError", "reference": "7F3K-92QD"}] == facts


def test_a_thread_that_is_gone_is_replaced(monkeypatch):
    """As after a fork. It leaves no connection to a database open."""
    done, closed = Event(), Event()
    monkeypatch.setattr(thread, "_jobs", thread.Queue())
    monkeypatch.setattr(thread, "_threads", [Thread()])
    monkeypatch.setattr(thread, "connections", SimpleNamespace(close_all=closed.set))
    thread.post(lambda notice: done.set(), {})
    assert done.wait(30) and closed.wait(30)


def test_a_flood_waits_in_bounds(monkeypatch, caplog):
    """Past them mails are dropped, and that is told."""
    monkeypatch.setattr(thread, "_jobs", thread.Queue(1))
    monkeypatch.setattr(thread, "_threads", [Thread(target=list)])
    monkeypatch.setattr(thread, "Thread", lambda **named: Thread(target=list))
    for reference in ("7F3K-92QD", "92QD-7F3K"):
        thread.post(print, {"reference": reference})
    assert "is dropped: reference=92QD-7F3K" in caplog.text and "7F3K-92QD" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_senders_sends_one(client, receiver, told, monkeypatch):
    """Workers that take the same account's locks from a queue at the same moment, and all see that none was sent."""
    User.objects.create_user("bob", "bob@example.com")
    for number in range(8):
        lock(client, "pair", "bob", f"198.51.100.{number}")
    barrier, came, read = Barrier(8), [], Store.read

    def reading(store, keys):
        found = read(store, keys)
        if keys[0].endswith(":0"):
            came.append(keys)
            if len(came) <= 8:  # who has got the account's place reads once more, for the name's
                barrier.wait(30)
        return found

    def work(notice):
        sent = receiver.send(notice)
        for connection in connections.all(initialized_only=True):
            BaseDatabaseWrapper.close(connection)  # SQLite's own keeps one that is in memory open
        return sent

    monkeypatch.setattr(Store, "read", reading)
    with ThreadPoolExecutor(8) as pool:
        assert [False] * 7 + [True] == sorted(pool.map(work, told))
    assert 1 == len(outgoing.outbox)


CACHES = {
    "default": {"BACKEND": f"{BACKENDS}.locmem.LocMemCache"},
    "none": {"BACKEND": f"{BACKENDS}.dummy.DummyCache"},
    "other": {"BACKEND": f"{BACKENDS}.locmem.LocMemCache", "LOCATION": "other"},
}


@pytest.mark.parametrize("cache", ["default", "none"])
def test_policies_of_several_caches_share_the_hour(cache, db, receiver, told, settings):
    """Where the project's own cache forgets, it is that of the policy which counts. What was refused took no place."""
    User.objects.create_user("bob", "bob@example.com")
    settings.CACHES, settings.LOCKOUT_CACHE = CACHES, cache
    own = LockoutPolicy(scope="own", cache=cache if cache == "default" else "other", lockout=None, **ACCOUNT)
    other = LockoutPolicy(scope="other", cache="other", lockout=None, **ACCOUNT)
    sent = []
    for seconds, policy in ((0, own), (3000, other), (3700, other)):
        with time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False):
            policy.reset(REQUEST, "bob")
            for _ in range(2):
                with policy.attempt(REQUEST, "bob"):
                    pass
            sent.append(len(told.send(receiver)))
    caches["other"].clear()
    assert [1, 0, 1] == sent

"""Mails to the people who run the site: what they say, and how few there are."""

import pytest
import time_machine
from django.core import mail as outgoing
from django.utils import timezone

from lockout_decorators import mail
from tests.mailing import HERE, POLICIES, Told, guess, lock, mount


@pytest.fixture(autouse=True)
def site(settings):
    mount(settings)


@pytest.fixture
def told():
    return Told()


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

"""No mail is sent while somebody waits for an answer: a thread of its own does."""

from threading import Event, Thread, get_ident
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.core import mail as outgoing
from django.core.mail.backends.locmem import EmailBackend

from lockout_decorators import mail
from lockout_decorators.mail import thread
from tests.mailing import Failing, guess, links_in, lock, mount, signs_in


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
def test_no_answer_waits_for_a_mail(client, settings, slow):
    """Whether there is an account or not, the guesser has the answer while the mail server has not."""
    mount(settings)
    User.objects.create_user("bob", "bob@example.com")
    mail.tells_owner(base_url="https://example.com")
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

"""One mail an account and hour, whoever sends it and whatever counts."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail as outgoing
from django.core.cache import caches
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from lockout_decorators import LockoutPolicy, mail
from lockout_decorators.stores import Store
from tests.mailing import ACCOUNT, Told, lock, mount

REQUEST = {"type": "http", "client": ["192.0.2.1", 1], "headers": []}


@pytest.fixture
def told(settings):
    mount(settings)
    return Told()


@pytest.fixture
def receiver(told):
    return mail.tells_owner(base_url="https://example.com", deliver=told.append)


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_senders_sends_one(client, receiver, told, monkeypatch):
    """Workers that take the same account's locks from a queue at the same moment, and all see that none was sent."""
    User.objects.create_user("bob", "bob@example.com")
    for number in range(8):
        lock(client, "pair", "bob", f"198.51.100.{number}")
    barrier, came, sent, read = Barrier(8), [], [], Store.read

    def reading(store, keys):
        found = read(store, keys)
        if keys[0].endswith(":0"):
            came.append(keys)
            if len(came) <= 8:  # who has got the account's place reads once more, for the name's
                barrier.wait(30)
        return found

    def work(notice):
        sent.append(receiver.send(notice))
        for connection in connections.all(initialized_only=True):
            BaseDatabaseWrapper.close(connection)  # SQLite's own keeps one that is in memory open

    monkeypatch.setattr(Store, "read", reading)
    threads = [Thread(target=work, args=[notice]) for notice in told]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [True] == [one for one in sent if one] and 8 == len(sent)
    assert 1 == len(outgoing.outbox)


CACHES = {
    name: {"BACKEND": f"django.core.cache.backends.{kind}"}
    for name, kind in {
        "default": "locmem.LocMemCache",
        "none": "dummy.DummyCache",
        "other": "locmem.LocMemCache",
    }.items()
}
CACHES["other"]["LOCATION"] = "other"


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

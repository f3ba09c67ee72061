"""A site that mails about its locks, for the tests of that."""

import re
from datetime import timedelta

import django
from django.core import mail as outgoing
from django.core.mail.backends.locmem import EmailBackend
from django.urls import include, path

from lockout_decorators import LockoutPolicy, lockout_protect
from lockout_decorators.terms.registry import register
from tests.doors import check

URL = "https://example.com"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
ACCOUNT = {"key": "username", "ceiling": None, "max": 2}
POLICIES = {
    "account": LockoutPolicy(scope="account", lockout=None, **ACCOUNT),
    "pair": LockoutPolicy(scope="pair", key="ip+username", max=2, lockout=7200, ceiling=None),
    "address": LockoutPolicy(scope="address", key="ip", max=2, lockout=7200),
    "ceiling": LockoutPolicy(scope="ceiling", key="ip+username", max=2, ceiling=1, lockout=7200),
    "tried": LockoutPolicy(scope="tried", lockout=7200, enforce=False, **ACCOUNT),
    "ending": LockoutPolicy(scope="ending", rolling=True, lockout=0, **ACCOUNT),
    "custom": LockoutPolicy(scope="custom", key=lambda request, name: str(name), max=2, lockout=7200, ceiling=None),
    "known": LockoutPolicy(scope="known", lockout=None, known_browsers=timedelta(days=90), **ACCOUNT),
    "computed": LockoutPolicy(scope="computed", username=lambda request, sent: sent["username"], **ACCOUNT),
}
urlpatterns = [
    *(path(f"{name}/", lockout_protect(policy)(check)) for name, policy in POLICIES.items()),
    path("unlock/", include("lockout_decorators.urls")),
]


def mount(settings):
    """Serve it for the rest of the test."""
    settings.ROOT_URLCONF = __name__
    with_mails(settings)
    for policy in POLICIES.values():
        register(policy)


def with_mails(settings):
    """What Django wants to send any; 6.1 other things than 5.2."""
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    settings.ADMINS = [("Ann", "ann@example.com") if django.VERSION < (6,) else "ann@example.com"]


def guess(client, door, name="bob", address=HERE, password="wrong"):
    return client.post(f"/{door}/", {"username": name, "password": password}, REMOTE_ADDR=address).status_code


def lock(client, door, *guesser):
    assert [401, 401] == [guess(client, door, *guesser) for _ in range(2)]


def signs_in(client, door, address=HERE):
    return 200 == guess(client, door, "bob", address, "right")


def links_in(mails):
    """The paths of the links in them."""
    return [re.search(r"^https://example\.com(/\S+)$", one.body, re.MULTILINE)[1] for one in mails]


class Failing(EmailBackend):
    """A server that is gone; what it says names the recipient."""

    def send_messages(self, messages):
        raise ConnectionRefusedError("bob@example.com")


class Told(list):
    """What of each lock was handed on, and not sent yet."""

    def send(self, receiver):
        """The mails that come of it."""
        before = len(outgoing.outbox)
        while self:
            receiver.send(self.pop(0))
        return outgoing.outbox[before:]

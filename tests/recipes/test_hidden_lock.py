"""The recipe for a lock that does not show."""

import re

import pytest

from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Store
from tests.recipes.hashers import CountingHasher

pytestmark = pytest.mark.urls("tests.recipes.hidden_lock")


@pytest.fixture
def encoded(monkeypatch):
    """How often a hasher has worked."""
    passwords, encode = [], CountingHasher.encode

    def counted(self, password, salt):
        passwords.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(CountingHasher, "encode", counted)
    return passwords


def guess(visitor, password="wrong"):
    """All that a client sees of the answer; masks are new on each page."""
    page = visitor.post("/login/", {"username": "bob", "password": password})
    masked = re.sub(r'(?<=csrfmiddlewaretoken" value=")\w+', "", page.text)
    return page.status_code, sorted(page.headers.items()), masked


def test_hidden_lock(visitor, bob, verified, encoded, time_machine):
    """While locked, right and wrong passwords are answered like wrong ones before; a hasher works each time, but
    nothing is verified."""
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)  # the answers say when they expire
    guesser = visitor()
    before = [guess(guesser) for _ in range(5)]
    after = [guess(guesser, password) for password in ("wrong", "right", "wrong")]
    assert [before[0]] * 8 == before + after
    assert 200 == before[0][0]
    assert (["wrong"] * 5, ["wrong"] * 6 + ["right", "wrong"]) == (verified, encoded)
    assert 302 == guess(visitor("192.0.2.2"), "right")[0]


def test_outage_is_no_secret(visitor, bob, verified, monkeypatch):
    """A cache that is down is told as ever."""

    def down(self, *asked):
        raise StoreError("default", OSError("down"))

    for operation in ("read", "swap"):
        monkeypatch.setattr(Store, operation, down)
    assert 503 == visitor().post("/login/", {"username": "bob", "password": "right"}).status_code
    assert [] == verified

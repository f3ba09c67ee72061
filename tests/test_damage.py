"""Entries that are damaged, foreign or of another version: an ERROR once, then absent; never an error of the site."""

import logging
import time

import pytest
from django.contrib.auth import authenticate
from django.core.cache import cache
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import lockout_protect
from lockout_decorators.attempts.counters import Client
from lockout_decorators.stores import store_for
from tests.servers import stores
from tests.sizes import IN_FULL

MAX, PATIENCE = 2, 5
SHARED = [] if IN_FULL else ["files", "sqlite", "valkey", "memcached"]  # none are all


class Odd:
    """Equal to nothing, and it says so aloud."""

    def __eq__(self, other):
        raise TypeError("not to be compared")

    __hash__ = object.__hash__


DAMAGES = {
    "bytes": b"\xff\x00",
    "a number": 17,
    "a negative number": -1,
    "true": True,
    "a list": [1, 2],
    "an object": {"a": None},
    "no number": float("nan"),
    "what is never equal": object.__new__(Odd),
    "a text": "17",
    "an empty text": "",
    "a head of the first edition": "window 1 8d1f",
    "a large text": "x" * 50_000,
    "half a record": lambda text: text[: len(text) // 2],
    "a record without its end": lambda text: text[:-1],
    "a record with something behind it": lambda text: f"{text}-",
    "a record in capitals": str.upper,
    "a record that counts wrong": lambda text: text.replace(".1.f", ".2.f"),
}


@lockout_protect(key="ip", max=MAX, scope="damage", patience=PATIENCE)
def login(request):
    user = authenticate(request, username="bob", password=request.POST["password"])
    return HttpResponse(status=401 if user is None else 200)


def guess(address, *passwords):
    requests = [RequestFactory().post("/", {"password": one}, REMOTE_ADDR=address) for one in passwords]
    return [login(request).status_code for request in requests]


def damage(address, how):
    """Spoil the entry of a client."""
    request = RequestFactory().get("/", REMOTE_ADDR=address)
    (counter,) = Client(request).counters(login.lockout_policies[0], None)
    text = store_for("default").read([counter.key]).found[0].text
    spoilt = how(text) if callable(how) else how
    assert type(spoilt) is not str or spoilt != text
    cache.set(counter.key, spoilt, 60)


@pytest.mark.parametrize("store", stores(*SHARED), indirect=True)
def test_damaged_entries(store, verified, caplog):
    """Whatever stands there, counting begins anew, at once and exactly; the log says so once."""
    for number, (name, how) in enumerate(DAMAGES.items()):
        address = f"10.0.0.{number}"
        assert [401] == guess(address, "wrong")
        damage(address, how)
        verified.clear()
        caplog.clear()
        began = time.monotonic()
        assert [401] * MAX + [429, 429] == guess(address, *["wrong"] * (MAX + 1), "right"), name
        assert time.monotonic() - began < PATIENCE
        assert MAX == len(verified)
        errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        assert ["holds no record, and counts as absent" in error for error in errors] == [True], name

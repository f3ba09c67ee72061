"""Floods of distinct clients: within the cache's capacity no lock, and no failure on record, is lost.

A hundred thousand guesses would take hours. So a part of the flood goes through the library, and the rest is written in
bulk: copies, under other clients' names, of the entry that a guess left behind. Of some of those clients the library is
asked afterwards what it makes of their entries.
"""

import pickle
import re
from importlib import import_module
from itertools import islice, product
from secrets import token_hex

import pytest
from django.core.cache import cache, caches
from django.core.checks import run_checks
from django.test import RequestFactory, override_settings

from lockout_decorators import lockout_protect
from lockout_decorators.checks import ADDRESSES
from lockout_decorators.stores import Change, store_for
from lockout_decorators.terms.registry import register, registered
from tests.doors import check
from tests.entries import journal_lives, lives
from tests.servers import stores
from tests.sizes import IN_FULL

CLIENTS = 100_000 if IN_FULL else 1_000
GUESSED = 100 if IN_FULL else 20  # of them through the library
ASKED = 20  # of those written in bulk, about whom the library is asked
MADE_UP = {"locmem": 10_000} if IN_FULL else {}  # by one address; on the other caches fewer have to do
MAX = 3
W008 = "lockout_decorators.W008"
LOCKOUT = 3600


def door(**policy):
    """A protected login, as a function of the address and what the client may make up; it returns the status."""

    given = {"max": MAX, "window": LOCKOUT, "lockout": LOCKOUT, "scope": "flood", **policy}
    login = lockout_protect(**given)(check)

    def guess(address, password="wrong", username="bob", agent="browser"):
        sent = {"username": username, "password": password}
        return login(RequestFactory().post("/", sent, REMOTE_ADDR=address, HTTP_USER_AGENT=agent)).status_code

    guess.policy = login.lockout_policies[0]
    return guess


def addresses(network, number):
    return [f"10.{network}.{one // 256 % 256}.{one % 256}" for one in range(number)]


@pytest.fixture
def left_behind():
    """The entries that guesses from ASKED addresses leave in LocMem, and copies of one of them for all others."""
    guess = door(key="ip")
    for address in addresses(1, ASKED):
        assert 401 == guess(address)
    seen = {name.removeprefix(":1:"): pickle.loads(value) for name, value in cache._cache.items()}
    assert ASKED == len(seen)
    name, text = next(iter(seen.items()))
    seen.update((f"{name[:-32]}{token_hex(16)}", text) for _ in range(CLIENTS - GUESSED - ASKED))
    return seen


@pytest.fixture
def room(store, settings):
    """Capacity for the flood, as check W008 asks for it."""
    configured = settings.CACHES["default"]
    if "OPTIONS" in configured:
        configured = {**configured, "OPTIONS": {"MAX_ENTRIES": 2 * CLIENTS + 100}}
    with override_settings(CACHES={"default": configured}):
        yield
        cache.clear()


def write(entries):
    """Many entries, as many at once as the store takes."""
    store = store_for("default")
    for chunk in batched(entries, 100):
        reading = store.read(chunk)
        changes = {
            key: Change(key, found.token, entries[key], LOCKOUT)
            for key, found in zip(chunk, reading.found, strict=True)
        }
        for batch in store.batches(chunk):
            assert store.swap([changes[key] for key in batch], reading.clock()).won


def batched(items, size):
    items = iter(items)
    return iter(lambda: list(islice(items, size)), [])


@pytest.mark.parametrize("store", stores(), indirect=True)
def test_flood(left_behind, store, room, verified):
    """After guesses from a hundred thousand addresses who was locked is locked, and what was counted counts."""
    guess = door(key="ip")
    for address, wrong in [("192.0.2.1", MAX), ("192.0.2.2", MAX - 1)]:
        assert [401] * wrong == [guess(address) for _ in range(wrong)]
    assert {401} == {guess(address) for address in addresses(2, GUESSED)}
    write(left_behind)
    verified.clear()
    assert (429, []) == (guess("192.0.2.1", "right"), verified)
    assert (401, 429) == (guess("192.0.2.2"), guess("192.0.2.2", "right"))
    assert (200, 401) == (guess("192.0.2.3", "right"), guess("192.0.2.4"))
    assert ["wrong", "right", "wrong"] == [password for _, password in verified]
    for address in [*addresses(1, ASKED), *addresses(2, GUESSED)]:
        assert 1 == guess.policy.status(RequestFactory().get("/", REMOTE_ADDR=address)).failures


@pytest.mark.parametrize(("key", "made_up"), [("ip+ua", "agent"), ("ip+username", "username")])
@pytest.mark.parametrize("store", stores() if IN_FULL else stores("locmem", "valkey"), indirect=True)
def test_made_up_clients(store, verified, key, made_up):
    """However many user agents or user names one address makes up, its ceiling bounds guesses and entries."""
    guess, slots = door(key=key), 5 * MAX
    for number in range(MADE_UP.get(store, 100)):
        guess("10.0.0.1", **{made_up: f"made up {number}"})
    assert slots == len(verified)
    assert (1 + slots, 2) == (len(lives(store)), len(journal_lives(store)))  # the address, each made up; its lock
    assert (429, slots) == (guess("10.0.0.1", "right"), len(verified))


@pytest.mark.parametrize("form", ["10.3.0.{}", "2001:db8:{}::1"] if IN_FULL else ["2001:db8:{}::1"])
def test_capacity_that_the_check_asks_for(form, settings, verified):
    """With as many entries as check W008 asks for, a hundred addresses that fill their ceilings evict no lock; not
    where each is in an IPv6 network of its own, either."""
    doors = [door(key="ip+ua", max=1, ceiling=2, scope=scope) for scope in ("one", "two")]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": form}}
    import_module(settings.ROOT_URLCONF)  # which the checks look at: what has a policy there is none of ours
    registered.clear()
    for guess in doors:
        register(guess.policy)
    (hint,) = [message.hint for message in run_checks() if message.id == W008]
    needed = int(re.search("[0-9]+", hint)[0])
    settings.CACHES["default"]["OPTIONS"] = {"MAX_ENTRIES": needed}
    del caches["default"]
    assert W008 not in {message.id for message in run_checks()}
    hundred = [form.format(number) for number in range(1, 1 + ADDRESSES)]
    for guess, address, number in product(doors, hundred, range(2)):
        assert 401 == guess(address, agent=str(number))
    verified.clear()
    assert {429} == {guess(address, "right") for guess, address in product(doors, hundred)}
    assert [] == verified

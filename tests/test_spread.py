"""The spread: at how many names one address may fail. The oracle is how often a password was verified."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import product

import pytest
from django.test import Client

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from tests.backends import CountingBackend
from tests.doors import DistantAsyncClient, acheck, check, mount, over_http
from tests.servers import stores
from tests.sizes import IN_FULL

HERE = "192.0.2.1"
ACCOUNTS = [f"person{number}" for number in range(1000 if IN_FULL else 60)]
STAFF = ACCOUNTS[: 200 if IN_FULL else 25]
RULES = {"address": {"key": "ip", "max": 100}, "pair": {"key": "ip+username", "max": 5}}  # the pair has a ceiling

with_rules = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
on_stores = pytest.mark.parametrize(
    ("rule", "store"),
    [
        pytest.param(rule, *store.values, marks=store.marks, id=f"{name}-{store.values[0]}")
        for (name, rule), store in product(RULES.items(), stores("locmem", "valkey"))
        if IN_FULL or (name == "pair") == (store.values[0] == "valkey")
    ],
    indirect=["store"],
)


@pytest.fixture(autouse=True)
def accounts(monkeypatch):
    monkeypatch.setattr(CountingBackend, "passwords", {name: f"{name}'s" for name in ACCOUNTS})


def door(settings, rule, view=check):
    mount(settings, lockout_protect(scope="office", spread=10, **rule)(view))


def form(name, right=False):
    return {"username": name, "password": f"{name}'s" if right else "Winter2026"}


def statuses(send, name):
    """A typo, followed by the right password."""
    return [send("/", form(name)).status_code, send("/", form(name, right=True)).status_code]


@pytest.mark.parametrize(("rule", "server"), [(RULES["address"], "wsgi"), (RULES["pair"], "asgi")])
def test_a_sprayer_is_stopped_at_ten_passwords(rule, server, settings, verified):
    """One password at very many accounts, from one address; then the right one of one it has tried, and of one not."""
    door(settings, rule, check if server == "wsgi" else acheck)
    send = over_http(server)
    assert [401] * 10 + [429] * (len(ACCOUNTS) - 10) == [send("/", form(name)).status_code for name in ACCOUNTS]
    assert [(name, "Winter2026") for name in ACCOUNTS[:10]] == verified
    assert {429} == {send("/", form(name, right=True)).status_code for name in (ACCOUNTS[0], ACCOUNTS[-1])}
    assert 200 == send("/", form(ACCOUNTS[0], right=True), address="192.0.2.2").status_code


@on_stores
async def test_a_burst_of_tasks(rule, store, settings, verified):
    """The same in one event loop."""
    door(settings, rule, acheck)
    answers = await asyncio.gather(*[DistantAsyncClient(HERE).post("/", form(name)) for name in STAFF])
    found = [answer.status_code for answer in answers]
    assert (10, 10, len(STAFF) - 10) == (len(verified), found.count(401), found.count(429))
    assert 429 == (await DistantAsyncClient(HERE).post("/", form(verified[0][0], right=True))).status_code


@on_stores
def test_an_office_of_typos_is_not_refused(rule, store, settings, verified):
    """All people with one typo each, each followed by the right password; nine of them at the same moment."""
    door(settings, rule)
    with ThreadPoolExecutor(9) as pool:
        found = list(pool.map(lambda name: statuses(over_http("wsgi"), name), STAFF))
    assert ([[401, 200]] * len(STAFF), 2 * len(STAFF)) == (found, len(verified))
    assert 0 == LockoutPolicy(scope="office", spread=10, **rule).status(request(), STAFF[0]).failures


@on_stores
def test_an_office_that_signs_in_at_once_waits_for_each_other(rule, store, settings, verified):
    """All right passwords: no more than ten at a time, and all of them within patience."""
    door(settings, {**rule, "patience": 60})
    CountingBackend.delay = 0.01
    with ThreadPoolExecutor(50) as pool:
        send = over_http("wsgi")
        found = list(pool.map(lambda name: send("/", form(name, right=True)).status_code, STAFF))
    assert ({200}, len(STAFF)) == ({*found}, len(verified))


@pytest.mark.parametrize("rule", RULES.values() if IN_FULL else [RULES["pair"]])
def test_a_stale_phone_does_not_lock_its_office(rule, settings, verified, time_machine):
    """It repeats one name every five seconds; whoever else has a typo signs in all the same."""
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    door(settings, {**rule, "max": 100})
    send = over_http("wsgi")
    for number in range(180):
        assert 401 == send("/", form(ACCOUNTS[-1])).status_code
        if number % 12 == 0:
            assert [401, 200] == statuses(send, STAFF[number // 12])
        time_machine.shift(5)
    assert 180 + 30 == len(verified)


@with_rules
def test_spellings_of_one_name_are_one(rule, settings, verified):
    """And so is one name with many passwords: `max` alone bounds them."""
    door(settings, {**rule, "max": 20})
    send = over_http("wsgi")
    names = ["person1", "PERSON1", " Person1", "person\N{FULLWIDTH DIGIT ONE}", "pérson1"] * 3
    assert {401} == {send("/", form(name)).status_code for name in names}
    assert 200 == send("/", form("person2", right=True)).status_code


@with_rules
def test_guesses_without_a_name_are_at_none(rule, verified):
    """As tokens are: `max` alone bounds them, before and after."""
    policy = LockoutPolicy(scope="tokens", spread=2, **{**rule, "max": 20})
    for _ in range(20):
        with suppress(LockedOut), policy.attempt(request()):
            verified.append(("", "a token"))
    assert (20, True) == (len(verified), policy.status(request(), "nobody").locked or "username" in rule["key"])


@with_rules
def test_names_of_one_request_do_not_wait_for_each_other(rule, settings, verified):
    """A list of accounts in one request ends where the spread does, and holds up nobody."""
    policy = LockoutPolicy(scope="list", spread=3, **rule)
    asked = request()
    with suppress(LockedOut), ExitStack() as held:
        while True:
            held.enter_context(policy.attempt(asked, name := ACCOUNTS[len(verified)]))
            verified.append((name, ""))
    assert 3 == len(verified)


def request():
    return Client(REMOTE_ADDR=HERE).post("/nowhere/").wsgi_request

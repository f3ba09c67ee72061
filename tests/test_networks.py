"""The network around an IPv6 address: whoever has many addresses has ten times the guesses of one, and no more."""

from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest
from django.test import RequestFactory

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.attempts.counters import Client
from lockout_decorators.stores import store_for
from lockout_decorators.terms.plan import SLOTS, WIDER
from tests.doors import FORM, RIGHT, check
from tests.servers import stores
from tests.sizes import IN_FULL

MAX = 3
ELSEWHERE, NEIGHBOUR, IPV4 = "2001:db8:1::1", "2001:db8:0:ffff::1", "192.0.2.1"
CROWD = 200 if IN_FULL else 40
KEYS = {"ip": {"key": "ip"}, "ip+ua": {"key": "ip+ua", "ceiling": 1}, "user": {"key": "user", "ceiling": 1}}


def addresses(count):
    """Each in a /64 of its own, all in 2001:db8::/48."""
    return [str(ip_address("2001:db8::1") + (number << 64)) for number in range(count)]


@pytest.fixture
def guess():
    def guess(address, form=FORM, **rule):
        view = lockout_protect(**{"scope": "login", "max": MAX, "patience": 0, **rule})(check)
        return view(RequestFactory().post("/", form, REMOTE_ADDR=address)).status_code

    return guess


@pytest.mark.parametrize("rule", KEYS.values(), ids=KEYS)
def test_a_network_has_ten_times_the_guesses_of_an_address(rule, guess, verified):
    """Very many networks of 64 bits; then the right password from one that was never seen."""
    for address in addresses(5 * CROWD):
        guess(address, **rule)
    assert 10 * MAX == len(verified)
    assert 429 == guess(NEIGHBOUR, RIGHT, **rule)
    assert [200, 200] == [guess(address, RIGHT, **rule) for address in (ELSEWHERE, IPV4)]
    assert 10 * MAX + 2 == len(verified)


def test_one_address_has_no_more_than_before(guess, verified):
    """And its lock keeps out none of its neighbours."""
    for _ in range(2 * MAX):
        guess("2001:db8::1")
    assert (429, MAX) == (guess("2001:db8::2", RIGHT), len(verified))
    assert 200 == guess(NEIGHBOUR, RIGHT)


def test_a_network_may_fail_at_ten_times_the_names(guess, verified):
    """The spread is a network's too."""
    rule = {"max": 100, "spread": 2}
    for number, address in enumerate(addresses(CROWD)):
        guess(address, {"username": f"person{number}", "password": "Winter2026"}, **rule)
    assert 20 == len(verified)
    assert 429 == guess(NEIGHBOUR, RIGHT, **rule)


@pytest.mark.parametrize("store", stores("locmem", "valkey"), indirect=True)
def test_a_burst_from_a_network(store, verified):
    """Of many guesses at once, each from an address of its own, exactly ten are verified with max=1."""
    view = lockout_protect(scope="login", max=1)(check)
    with ThreadPoolExecutor(100) as pool:
        requests = [RequestFactory().post("/", FORM, REMOTE_ADDR=address) for address in addresses(CROWD)]
        found = [answer.status_code for answer in pool.map(view, requests)]
    assert (10, 10, CROWD - 10) == (len(verified), found.count(401), found.count(429))
    assert 429 == view(RequestFactory().post("/", RIGHT, REMOTE_ADDR=NEIGHBOUR)).status_code


def test_the_right_password_leaves_nothing_of_a_typo(guess):
    """Nor in the network, at the owner's own address."""
    assert [401, 200] == [guess("2001:db8::1", form) for form in (FORM, RIGHT)]
    assert {None} == {found.text for found in records("2001:db8::1")}


def records(address):
    return store_for("default").read(keys_of(address)).found


def keys_of(address, identity="bob", **rule):
    policy = LockoutPolicy(**{"scope": "login", "max": MAX, **rule})
    return [one.key for one in Client(RequestFactory().get("/", REMOTE_ADDR=address)).counters(policy, identity)]


@pytest.mark.parametrize("rule", KEYS.values(), ids=KEYS)
def test_an_ipv4_address_costs_nothing_more(rule, guess, settings, trips):
    """Not a key, nor a round trip; and the records of an IPv6 one are read and swapped together."""
    for address in (IPV4, "2001:db8::1"):
        guess(address, **rule)
    own = len(keys_of(IPV4, **rule))
    assert [(what, keys) for keys in (own, own + 1) for what in ("read", "swap", "swap")] == trips
    settings.LOCKOUT_IPV6_WIDER_PREFIX = None
    assert own == len(keys_of("2001:db8::1", **rule))


@pytest.mark.parametrize(
    ("own", "wider", "together"),
    [(64, 56, 256), (64, 49, 32768), (64, None, 1), (64, 64, 1), (48, 48, 65536), (40, 48, 1 << 24), (128, 64, 1)],
)
def test_how_wide_it_is_is_a_setting(own, wider, together, settings):
    """LOCKOUT_IPV6_WIDER_PREFIX; None, or what is no wider than the address itself: there is none."""
    settings.LOCKOUT_IPV6_PREFIX, settings.LOCKOUT_IPV6_WIDER_PREFIX = own, wider
    first, *others = [str(ip_address("2001:db8::") + (number << 64)) for number in (0, together - 1, together)]
    near, far = [len({*keys_of(first)} & {*keys_of(other)}) for other in others]
    assert (len(keys_of(first)) > 1) == (wider is not None and wider < own)
    assert (near > 0, far) == (True, 0)


def test_a_key_that_counts_no_address_has_none():
    """As one account from everywhere."""
    for key in ("username", "ip+ua", "user"):
        assert 1 == len(keys_of("2001:db8::1", key=key, ceiling=None))


def test_no_counter_has_more_than_five_thousand_slots():
    (network, *_) = LockoutPolicy(scope="login", key="ip+ua", max=1000, ceiling=5).kinds
    assert (SLOTS, True) == (network.rule.max, network.wider)
    (network, *_) = LockoutPolicy(scope="login", key="ip", max=50, spread=20).kinds
    assert (WIDER * 50, WIDER * 20) == (network.rule.max, network.rule.spread)


def test_its_lock_is_a_ceilings(guess, verified):
    """The status says so; a reset from anywhere in the network lifts it."""
    for address in addresses(50):
        guess(address)
    policy = LockoutPolicy(scope="login", max=MAX)
    inside = RequestFactory().get("/", REMOTE_ADDR=NEIGHBOUR)
    status = policy.status(inside)
    assert ("ceiling", True, 10 * MAX) == (status.counter, status.locked, status.maximum)
    with pytest.raises(LockedOut) as refused:
        policy.attempt(inside).__enter__()
    assert status.reference == refused.value.status.reference
    policy.reset(inside)
    assert 200 == guess(NEIGHBOUR, RIGHT)

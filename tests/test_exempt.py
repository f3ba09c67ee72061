"""`exempt=` with networks: who lies in them is let through uncounted, and nobody else."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from lockout_decorators import LockoutPolicy, lockout_protect
from lockout_decorators.stores import Store
from tests.doors import FORM, RIGHT, DistantAsyncClient, acheck, check, mount

PROXY = "198.51.100.1"


def guess(address, form=FORM, **headers):
    return Client(REMOTE_ADDR=address).post("/", form, headers=headers).status_code


EXEMPT = [
    (["192.0.2.0/24"], ["192.0.2.1", "::ffff:192.0.2.255", "64:ff9b::192.0.2.7"], ["192.0.3.1", "2001:db8::1"]),
    (("::ffff:192.0.2.0/120",), ["192.0.2.1", "::ffff:192.0.2.255"], ["192.0.3.1"]),
    ({"64:ff9b::192.0.2.9"}, ["192.0.2.9"], ["192.0.2.8"]),
    (["2002:c000:0200::/40"], ["192.0.2.1", "2002:c000:0201::1"], ["192.0.3.1"]),
    (["2002:c000:0201:7::/64"], ["192.0.2.1"], ["192.0.2.2"]),
    (["2001:db8::/48", "192.0.2.9"], ["2001:db8:0:1::5", "192.0.2.9"], ["2001:db8:1::5", "192.0.2.10"]),
    (["2001:db8::5"], ["2001:db8::5"], ["2001:db8::6"]),
    ([], [], ["192.0.2.1"]),
    (lambda request: request.META["REMOTE_ADDR"] == "192.0.2.9", ["192.0.2.9"], ["192.0.2.1"]),
]


@pytest.mark.parametrize(("exempt", "inside", "outside"), EXEMPT, ids=range(len(EXEMPT)))
def test_who_is_exempt_is_let_through(exempt, inside, outside, settings, verified, monkeypatch):
    """However the address is spelled, and by the whole of it: a neighbour in its /64 is counted. No cache is asked."""
    mount(settings, lockout_protect(max=1, exempt=exempt)(check))
    with monkeypatch.context() as patch:
        patch.setattr(Store, "read", None)
        for address in inside:
            assert [guess(address) for _ in range(3)] == [401, 401, 401]
    assert len(verified) == 3 * len(inside)
    for address in outside:
        assert [guess(address), guess(address), guess(address, RIGHT)] == [401, 429, 429]
    assert len(verified) == 3 * len(inside) + len(outside)


def test_the_address_is_the_one_behind_the_proxies(settings, verified):
    """A trusted proxy tells it, and nobody else: the header of a stranger exempts nobody."""
    mount(settings, lockout_protect(max=1, exempt=["192.0.2.0/24"])(check))
    assert [guess(PROXY, x_forwarded_for="192.0.2.1") for _ in range(2)] == [401, 429]
    settings.LOCKOUT_TRUSTED_PROXIES = [PROXY]
    assert [guess(PROXY, x_forwarded_for="192.0.2.1, 203.0.113.5") for _ in range(2)] == [401, 429]
    assert guess(PROXY, RIGHT, x_forwarded_for="203.0.113.5") == 429
    assert [guess(PROXY, x_forwarded_for="203.0.113.5, 192.0.2.1") for _ in range(2)] == [401, 401]
    assert len(verified) == 4


def test_the_project_may_say_the_address(settings, verified):
    """By LOCKOUT_CLIENT_IP; where nobody can tell it, that is one clear error."""
    mount(settings, lockout_protect(max=1, exempt=["192.0.2.0/24"])(check))
    settings.LOCKOUT_CLIENT_IP = lambda request: request.META.get("HTTP_CDN")
    assert [guess(PROXY, cdn="192.0.2.1") for _ in range(2)] + [guess("192.0.2.1", cdn=PROXY)] == [401, 401, 401]
    assert guess("192.0.2.1", RIGHT, cdn=PROXY) == 429
    with pytest.raises(ImproperlyConfigured, match="REMOTE_ADDR"):
        guess("")
    assert len(verified) == 3


async def test_coroutines_are_let_through_too(settings, verified):
    """The same under ASGI."""
    mount(settings, lockout_protect(max=1, exempt=["192.0.2.0/24"])(acheck))
    for address, statuses in (("192.0.2.1", [401, 401, 200]), ("192.0.3.1", [401, 429, 429])):
        client = DistantAsyncClient(address)
        assert [(await client.post("/", form)).status_code for form in (FORM, FORM, RIGHT)] == statuses
    assert len(verified) == 4


def test_policies_that_exempt_the_same_are_one_value():
    """In whatever order and spelling; another network makes another policy."""
    first = LockoutPolicy(scope="s", exempt=["192.0.2.0/24", "::1"])
    again = LockoutPolicy(scope="s", exempt={"::1", "::ffff:192.0.2.0/120"})
    assert ({first}, hash(first)) == ({again}, hash(again))
    assert first != LockoutPolicy(scope="s", exempt=["192.0.2.0/25", "::1"])

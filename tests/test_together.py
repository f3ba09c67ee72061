"""Arguments beside each other, at one door: each of them is tested alone elsewhere."""

from types import SimpleNamespace

import pytest
from django.test import RequestFactory

from lockout_decorators import LockoutPolicy, lockout_protect, policies_of, presets, recovery
from tests.test_browsers import ABOUT, BY_ADDRESS, DAYS, HOME, Browser, door, owner, sign_in

BOB = SimpleNamespace(get_username=lambda: "bob")


# Known browsers beside policies that do not ask for them


def frees_by_policy(door, request):
    for policy in policies_of(door):
        policy.forgive(request, "bob")


def resets_policy(door, request):
    for policy in policies_of(door):
        policy.reset(request, "bob")


def frees_owner(door, request):
    recovery.free_owner(None, request, BOB)


@pytest.mark.parametrize("free", [frees_by_policy, resets_policy, frees_owner])
@pytest.mark.parametrize("scopes", ["one", "a scope for each"])
def test_owner_frees_his_browser_at_the_whole_door(scopes, free, verified):
    """Whichever policy has locked it: the browser is one client at all of them."""
    view = door(*(presets.LOGIN if scopes == "one" else (BY_ADDRESS(), ABOUT(max=20))))
    at_home = owner(view)
    while at_home.guess() == 401:
        pass
    assert 429 == at_home.guess("right")
    other = RequestFactory().post("/", REMOTE_ADDR=HOME)
    free(view, other)
    assert 429 == at_home.guess("right")
    free(view, at_home.request)
    assert 200 == at_home.guess("right")
    assert 2 == verified.count(("bob", "right"))


def test_status_of_a_browser_at_the_whole_door(verified):
    """Under a policy that does not ask by itself, too, where another one of its scope does."""
    at_home = owner(view := lockout_protect(*presets.LOGIN)(sign_in))
    for _ in range(5):
        at_home.guess()
    found = [policy.status(at_home.request, "bob") for policy in policies_of(view)]
    assert ["browser"] * 4 == [status.counter for status in found]
    assert [True, False, False, False] == [status.locked for status in found]
    assert [5, 5, 5, 5] == [status.failures for status in found]


def test_owner_is_known_beside_a_trial(verified):
    """A policy that asks and is only tried out has not seen him yet; strangers keep him out by neither."""
    known, trial = [
        LockoutPolicy(scope=scope, key="ip", max=3, patience=0, enforce=enforce, known_browsers=DAYS)
        for scope, enforce in (("known", True), ("trial", False))
    ]
    at_home = owner(lockout_protect(known)(sign_in))
    both = lockout_protect(known, trial)(sign_in)
    assert [401, 401, 401, 429] == [Browser(both).guess() for _ in range(4)]
    assert 429 == Browser(both).guess("right")
    assert 200 == at_home.copy(both, HOME).guess("right")

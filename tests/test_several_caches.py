"""Policies of one door whose records lie in different caches: a slot of each or of none, also when one is down."""

import pytest
from django.contrib.auth import authenticate
from django.core.cache import caches
from django.http import HttpResponse

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Store

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
DOWN = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}


@pytest.fixture(autouse=True)
def several(settings):
    settings.CACHES = {name: {"BACKEND": LOCMEM, "LOCATION": name} for name in ("default", "other")} | {"down": DOWN}
    yield
    for name in ("default", "other"):
        caches[name].clear()


def policy(cache, most, **arguments):
    return LockoutPolicy(scope=f"in {cache}", key="ip", cache=cache, max=most, patience=0, **arguments)


def door(*policies):
    @lockout_protect(*policies)
    def view(request):
        user = authenticate(request, username="bob", password=request.POST["password"])
        return HttpResponse(status=200 if user else 401)

    return view


def guess(view, rf, password):
    return view(rf.post("/", {"password": password})).status_code


@pytest.mark.parametrize("order", [1, -1])
def test_the_stricter_one_decides(rf, verified, order):
    """What it refuses takes nothing from the other."""
    strict, loose = policy("default", 2), policy("other", 9)
    view = door(*[strict, loose][::order])
    assert [401, 401, 429, 429] == [guess(view, rf, f"wrong{n}") for n in range(4)]
    assert (2, 2) == (len(verified), loose.status(rf.get("/")).failures)
    assert 429 == guess(view, rf, "right")
    strict.reset(rf.get("/"))
    assert 200 == guess(view, rf, "right")
    assert 0 == loose.status(rf.get("/")).failures


@pytest.mark.parametrize("order", [1, -1])
def test_one_that_is_down(rf, verified, order):
    """Nobody gets in, and no slot of the other stays taken."""
    up = policy("default", 3)
    view = door(*[up, policy("down", 3)][::order])
    assert [503] * 9 == [guess(view, rf, "right") for _ in range(9)]
    assert [] == verified
    assert 200 == guess(door(up), rf, "right")


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("up", "down"), [("default", "other"), ("other", "default")])
def test_one_that_fails_as_it_is_written(rf, verified, monkeypatch, up, down, order):
    """The slot that the other gave is given back, nobody is asked, and the refusal names the one that failed."""
    policies, refused, swap = [policy(up, 3), policy(down, 9)][::order], [], Store.swap

    def fail(store, *swapped):
        if store.alias == down:
            raise StoreError(store.alias, OSError("full"))
        return swap(store, *swapped)

    @lockout_protect(*policies)
    def view(request):
        try:
            return HttpResponse(status=200 if authenticate(request, username="bob", password="right") else 401)
        except LockedOut as locked_out:
            refused.append(locked_out.status.scope)
            raise

    with monkeypatch.context() as patch:
        patch.setattr(Store, "swap", fail)
        assert [503] * 4 == [guess(view, rf, "right") for _ in range(4)]
    assert ([], [f"in {down}"] * 4) == (verified, refused)
    assert [401, 401, 401, 429] == [guess(door(*policies), rf, f"wrong{n}") for n in range(4)]
    assert (3, 429) == (len(verified), guess(view, rf, "right"))


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("how", ["LOCKOUT_FAIL_OPEN", "enforce=False"])
def test_one_that_is_down_and_passes(rf, verified, settings, order, how):
    """The other goes on counting: it locks, and right passwords leave nothing there."""
    settings.LOCKOUT_FAIL_OPEN = how == "LOCKOUT_FAIL_OPEN"
    up, down = policy("default", 3), policy("down", 3, enforce=how != "enforce=False")
    view = door(*[up, down][::order])
    assert [200] * 9 == [guess(view, rf, "right") for _ in range(9)]
    assert [401, 401, 401, 429] == [guess(view, rf, f"wrong{n}") for n in range(4)]
    assert 429 == guess(view, rf, "right")
    assert 9 + 3 == len(verified)

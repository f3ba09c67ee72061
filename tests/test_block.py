"""A block beside others: what it leaves to them, what it looks at all the same, and what it does when it is off."""

import pytest
from django.contrib.auth import aauthenticate, authenticate
from django.http import HttpResponse

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect


@pytest.fixture
def request_(rf):
    return rf.post("/login/")


def test_nothing_is_claimed_where_lockouts_are_off(request_, settings):
    """Whatever a view checks by itself: no slot is taken, and the next one is as free as the first."""
    policy = LockoutPolicy(scope="off", key="ip", max=1, patience=0)
    settings.LOCKOUT_ENABLED = False
    for _ in range(3):
        with policy.attempt(request_, "bob") as block:
            block.fail()
    settings.LOCKOUT_ENABLED = True
    assert 0 == policy.status(request_).failures
    with policy.attempt(request_, "bob") as block:
        block.succeed()
    assert 0 == policy.status(request_).failures


def test_what_is_left_to_another_block_hides_no_lock(request_, verified):
    """One of two policies is counted around it already: the lock of the other still keeps the view from running."""
    shared = LockoutPolicy(scope="shared", key="ip", max=5, patience=0)
    own = LockoutPolicy(scope="own", key="ip", max=1, patience=0)
    ran = []

    @lockout_protect(shared, own)
    def view(request):
        ran.append(request)
        return HttpResponse(status=200 if authenticate(request, username="bob", password="right") else 401)

    with own.observe(request_):
        authenticate(request_, username="bob", password="wrong")
    with shared.observe(request_):
        assert 429 == view(request_).status_code
    assert ([], 1) == (ran, len(verified))
    own.reset(request=request_)
    with shared.observe(request_):
        assert 200 == view(request_).status_code


def is_refused(request, response):
    return response.status_code == 401


def test_a_success_inside_hides_no_failure_of_the_response(request_, verified):
    """A right password and a wrong second factor: the block around it counts the answer, though the one inside counts
    alike and saw no failure."""
    around = LockoutPolicy(scope="factors", key="ip", max=2, patience=0, failure=is_refused)
    inside = LockoutPolicy(scope="factors", key="ip", max=2, patience=0, exempt=lambda request: False)

    def sign_in(status):
        with around.observe(request_) as block:
            with inside.observe(request_):
                assert authenticate(request_, username="bob", password="right")
            block.response = HttpResponse(status=status)

    sign_in(200)
    for failures in (1, 2):
        sign_in(401)
        assert failures == around.status(request_).failures
    with pytest.raises(LockedOut):
        sign_in(200)
    assert 3 == len(verified)
    around.reset(request=request_)
    sign_in(200)


def test_who_is_not_exempt_is_refused_by_what_the_response_said(request_):
    """The project is asked who is exempt; for all others the response is the verdict, and their lock is seen early."""
    policy = LockoutPolicy(scope="judged", key="ip", max=2, failure=is_refused, exempt=lambda request: False)
    ran = []

    @lockout_protect(policy)
    def view(request):
        ran.append(request)
        return HttpResponse(status=401 if len(ran) < 3 else 200)

    assert [401, 401, 429, 429] == [view(request_).status_code for _ in range(4)]
    assert 2 == len(ran)
    policy.reset(request=request_)
    assert 200 == view(request_).status_code


async def test_who_is_refused_on_entering_is_watched_no_more(request_, verified):
    """What the task does afterwards is none of a block that never began."""
    policy = LockoutPolicy(scope="entering", key="ip", max=1, patience=0)
    async with policy.observe(request_):
        await aauthenticate(request_, username="bob", password="wrong")
    with pytest.raises(LockedOut):
        await policy.observe(request_).__aenter__()
    assert 1 == len(verified)
    assert await aauthenticate(request_, username="bob", password="right")


def test_the_answer_of_a_policy_that_counts_like_another_is_given(request_, verified):
    """Of two that count alike one is asked; the other one's answer is what the project wants said."""
    alike = {"scope": "alike", "key": "ip", "max": 1, "patience": 0, "methods": ()}
    silent = LockoutPolicy(**alike)
    speaking = LockoutPolicy(**alike, response=lambda request, locked_out: HttpResponse("later", status=429))
    passwords = iter(["wrong", "right", "right"])

    @lockout_protect(silent, speaking)
    def view(request):
        return HttpResponse(status=200 if authenticate(request, username="bob", password=next(passwords)) else 401)

    assert [(401, b""), (429, b"later")] == [(it.status_code, it.content) for it in (view(request_), view(request_))]
    assert 1 == len(verified)
    silent.reset(request=request_)
    assert 200 == view(request_).status_code

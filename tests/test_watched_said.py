"""What becomes of a guess by what is said of it: by the view's own code, by another policy, by a second call."""

import pytest
from django.contrib.auth import authenticate

from lockout_decorators import LockedOut, LockoutPolicy


@pytest.fixture
def request_(rf):
    return rf.post("/", REMOTE_ADDR="192.0.2.7")


def policy(**arguments):
    return LockoutPolicy(**{"scope": "s", "key": "ip", "max": 5, **arguments})


@pytest.mark.parametrize("turn", [1, -1])
def test_a_guess_that_another_policy_refuses_is_none(turn, request_, verified):
    """It was never verified: nothing is counted by the policy that let it pass, whichever is around the other."""
    one, locked = policy(), policy(scope="locked", key="username", max=1, ceiling=None)
    with locked.attempt(request_, "bob"):
        pass
    outer, inner = (one, locked)[::turn]
    for _ in range(10):
        with outer.observe(request_), inner.observe(request_), pytest.raises(LockedOut):
            authenticate(request_, username="bob", password="wrong")
    assert ([], 0) == (verified, one.status(request_).failures)
    with one.observe(request_):
        assert authenticate(request_, username="bob", password="right") is not None


def test_who_asks_for_the_status_decides_nothing(request_):
    """The guess at hand is still open."""
    one = policy()
    with one.attempt(request_) as block:
        assert 0 == one.status(request_).failures
        block.succeed()
    assert 0 == one.status(request_).failures


def test_a_call_after_the_verdict_is_a_guess_of_its_own(request_, verified):
    """The view's code has said what it had to say of the first one."""
    one = policy()
    with one.attempt(request_) as block:
        block.fail()
        authenticate(request_, username="bob", password="wrong")
    assert (2, 1) == (one.status(request_).failures, len(verified))


def test_the_call_that_was_right_says_whose_failures_are_forgiven(request_):
    """Though the guess began at another name."""
    one = policy()
    for password, names in (("wrong", ["bob"]), ("right", ["bob@example.com", "bob"])):
        with one.observe(request_):
            found = [authenticate(request_, username=name, password=password) for name in names]
    assert found[0] is None
    assert found[1].username == "bob"
    assert 0 == one.status(request_).failures


@pytest.mark.parametrize("names", [("bob", "eve"), ("eve", "bob")])
def test_a_secret_at_two_names_is_one_guess_of_the_address(names, request_, verified):
    """And one at each name."""
    one, address = policy(key="ip+username", max=2, ceiling=1), policy(scope="a")
    with address.observe(request_), one.observe(request_):
        for name in names:
            authenticate(request_, username=name, password="wrong")
    assert [1, 1] == [one.status(request_, name).failures for name in names]
    assert (1, 2) == (address.status(request_).failures, len(verified))
    with one.observe(request_):
        assert authenticate(request_, username="bob", password="right") is not None

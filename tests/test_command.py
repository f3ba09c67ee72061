"""`manage.py reset_attempts` forgives a client from the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from lockout_decorators import LockoutPolicy
from tests import urls  # noqa: F401  # its policies are registered before a test begins


def reset(**options):
    out = StringIO()
    call_command("reset_attempts", stdout=out, **options)
    return out.getvalue()


def fail(policy, request, username=None):
    for _ in range(policy.max):
        with policy.attempt(request, username):
            pass


@pytest.fixture
def request_(rf):
    return rf.post("/", REMOTE_ADDR="192.0.2.7", headers={"user-agent": "curl"})


def test_an_address_is_forgiven_under_every_policy_that_counts_by_it(request_):
    """It says what stood there; a policy that asks for more is left alone."""
    one, two = LockoutPolicy(scope="one", key="ip", max=2), LockoutPolicy(scope="two", key="ip", max=3)
    other = LockoutPolicy(scope="other", key="ip+ua", max=2)
    for policy in (one, other):
        fail(policy, request_)
    assert "one: reset (2 of 2 failures, locked)\ntwo: reset (0 of 3 failures)\n" == reset(ip="192.0.2.7")
    assert [one.status(request_).locked, two.status(request_).locked, other.status(request_).locked] == [
        False,
        False,
        True,
    ]


def test_one_scope_is_forgiven(request_):
    """The other one stays locked."""
    one, two = LockoutPolicy(scope="one", key="ip+ua", max=2), LockoutPolicy(scope="two", key="ip+ua", max=2)
    for policy in (one, two):
        fail(policy, request_)
    reset(ip="192.0.2.7", user_agent="curl", scope="one")
    assert (one.status(request_).locked, two.status(request_).locked) == (False, True)


def test_a_user_name_is_forgiven_without_an_address(request_):
    """In whatever way it is spelled."""
    policy = LockoutPolicy(scope="name", key="username", max=2)
    fail(policy, request_, "Bob")
    assert reset(username="BOB") == "name: reset (2 of 2 failures, locked)\n"
    assert policy.status(request_, "bob").failures == 0


def test_what_can_not_be_reset_is_an_error(request_, settings):
    """An unknown scope, a key of which a part is missing, a cache that is down."""
    LockoutPolicy(scope="one", key="ip+username")
    with pytest.raises(CommandError, match=r"No policy has the scope 'two'; there are: one"):
        reset(ip="192.0.2.7", scope="two")
    with pytest.raises(CommandError, match="name every part of its key"):
        reset(ip="192.0.2.7")
    LockoutPolicy(scope="away", cache="away")
    with pytest.raises(CommandError, match="cache 'away'"):
        reset(ip="192.0.2.7", scope="away")

"""Who is tried, however he is spelled; and what a success forgives: only what it proves."""

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User
from django.db.models import IntegerField

from lockout_decorators import LockedOut
from lockout_decorators.clients import credentials
from lockout_decorators.clients.credentials import account_in
from tests.backends import CountingBackend
from tests.guessing import FIELDS, by_name, post, rule
from tests.test_observing import Masked


class Tenants(BaseBackend):
    """Each has its `admin`, whose password is the tenant's name."""

    def authenticate(self, request, username=None, password=None, tenant=None):
        CountingBackend.verified.append((username, password))
        tenant = tenant or request.get_host().partition(".")[0]
        return User(pk=1, username=username) if password == f"of {tenant}" else None


class Numbers(BaseBackend):
    """Takes a number for a name, or an address with spaces around it."""

    def authenticate(self, request, username=None, email=None, password=None):
        CountingBackend.verified.append((int(username) if username else email.strip(), password))


TENANTS, NUMBERS = f"{__name__}.Tenants", f"{__name__}.Numbers"


def guess(policy, password, request=None, **who):
    """Whether it was right; "refused", if nobody was asked."""
    try:
        with policy.observe(request or post()) as block:
            return authenticate(block.request, password=password, **who) is not None
    except LockedOut:
        return "refused"


def at(**hosts):
    """The request that names a tenant: mine, or another."""
    return lambda own: {
        "username": "admin",
        "request": post(**{name: "mine.org" if own else host for name, host in hosts.items()}),
    }


STRANGERS = {
    "tenant by its host": at(HTTP_HOST="acme.org"),
    "tenant by its server": at(SERVER_NAME="acme.org"),  # a request of HTTP/1.0 has no Host header
    "tenant by its forwarded host": at(HTTP_X_FORWARDED_HOST="acme.org"),
    "tenant by a credential": lambda own: {"username": "admin", "tenant": "mine" if own else "acme"},
    "named like an address": lambda own: {"username" if own else "email": "bob@example.org"},
    "masked": lambda own: {"username": Masked("eve" if own else "bob")},
}


@pytest.mark.parametrize("key", ["ip", "ip+username", "username"])
@pytest.mark.parametrize("who", STRANGERS)
def test_sign_ins_to_ones_own_account_forgive_nothing_of_others(who, key, verified, settings):
    """Two guesses at somebody else's account, then a sign-in to one's own, which may be named alike, and so on."""
    settings.AUTHENTICATION_BACKENDS = [TENANTS if "tenant" in who else FIELDS]
    settings.USE_X_FORWARDED_HOST, mine = True, "of mine" if "tenant" in who else "mine"
    policy = rule(key=key)
    for n in range(15):
        own = n % 3 == 2
        guess(policy, mine if own else f"wrong{n}", **STRANGERS[who](own))
    assert 3 == sum(password != mine for _, password in verified)
    assert "refused" == guess(policy, "of acme" if "tenant" in who else "right", **STRANGERS[who](False))


def test_owner_who_signs_in_all_the_time(verified):
    """key="username" against many addresses; the account belongs to a program that signs in with each request."""
    policy = by_name(max=20, window=3600, lockout=3600)
    for n in range(90):
        guess(policy, f"wrong{n}", post(REMOTE_ADDR=f"198.51.100.{n}"), username="bob")
        if n % 15 == 14:
            guess(policy, "right", post(REMOTE_ADDR="192.0.2.7"), username="bob")  # the owner, elsewhere
    assert 20 == sum(password != "right" for _, password in verified)


@pytest.mark.parametrize(("account", "left"), [(None, 2), ((), 0), (("tenant",), 1)])
def test_account_says_which_credentials_name_it(account, left, settings):
    """A right password of one tenant forgives there, everywhere, or nowhere."""
    settings.AUTHENTICATION_BACKENDS, policy = [TENANTS], rule(account=account, max=9)
    for tenant, password in [("acme", "wrong"), ("mine", "wrong"), ("mine", "of mine")]:
        guess(policy, password, username="admin", tenant=tenant)
    assert left == policy.status(post()).failures


def test_the_call_that_was_right_says_whose_failures_are_forgiven(verified):
    """Though the guess began at another name."""
    policy = rule(max=5)
    guess(policy, "wrong", username="bob")
    with policy.observe(request := post()):
        found = [authenticate(request, username=name, password="right") for name in ("bob@example.com", "bob")]
    assert [None, "bob"] == [user and user.username for user in found]
    assert 0 == policy.status(post()).failures


# Who is tried


@pytest.mark.parametrize("names", [("bob", "eve"), ("eve", "bob")])
def test_a_secret_at_two_names_is_one_guess_of_the_address(names, verified):
    """And one at each name."""
    one, address = rule(key="ip+username", max=2, ceiling=1), rule(scope="a")
    with address.observe(request := post()), one.observe(request):
        for name in names:
            authenticate(request, username=name, password="wrong")
    assert [1, 1] == [one.status(request, name).failures for name in names]
    assert (1, 2) == (address.status(request).failures, len(verified))
    assert guess(one, "right", username="bob") is True


def test_a_second_name_with_the_same_secret_is_counted_too(verified, settings):
    """Two fields of one form: the first name is another each time."""
    settings.AUTHENTICATION_BACKENDS = [FIELDS]
    for n in range(6):
        with pytest.raises(LockedOut) if n > 2 else memoryview(b""), by_name().observe(request := post()):
            authenticate(request, username=f"somebody{n}", password=f"wrong{n}")
            authenticate(request, email="bob", password=f"wrong{n}")
    assert 3 == [name for name, _ in verified].count("bob")


SPELLED = {"number": lambda n: {"username": "0" * n + "7"}, "spaces": lambda n: {"email": " " * (16384 + n) + "bob"}}


@pytest.mark.parametrize("how", SPELLED)
def test_one_account_is_one_counter_however_it_is_spelled(how, verified, settings, monkeypatch):
    """Numbers, where they name accounts; names behind more spaces than anybody looks at."""
    monkeypatch.setattr(User, "USERNAME_FIELD", "id")
    settings.AUTHENTICATION_BACKENDS = [NUMBERS]
    said = [guess(by_name(), f"x{n}", post(REMOTE_ADDR=f"192.0.2.{n}"), **SPELLED[how](n)) for n in range(5)]
    assert ([False] * 3 + ["refused"] * 2, 3) == (said, len(verified))


def test_a_number_that_is_none_is_a_name_all_the_same(monkeypatch):
    """Where user names are numbers."""
    monkeypatch.setattr(User, "USERNAME_FIELD", "id")
    assert ("username", 7) == account_in({"username": "007"}, None, post())
    assert ("username", "x") == account_in({"username": "x"}, None, post())


@pytest.mark.parametrize("name", [float("inf"), [5], {"a": 1}])
def test_a_name_that_the_user_model_cannot_hold_breaks_nothing(name, monkeypatch, verified):
    """JSON may say Infinity where accounts have numbers."""
    monkeypatch.setattr(credentials, "_usual", lambda: (("username", "email"), IntegerField().to_python))
    assert guess(rule(), "wrong", username=name) is False
    assert 1 == len(verified)


@pytest.mark.parametrize("spaces", [5000, 100_000])
def test_a_name_before_thousands_of_spaces_is_that_name(spaces):
    """A store that pads may take it for the same."""
    with by_name().attempt(post(), "bob" + " " * spaces):
        pass
    assert by_name().status(post(), "bob").failures == 1


@pytest.mark.parametrize("field", ["username", "email"])
def test_a_computed_name_is_that_of_an_attempt_too(field, settings):
    """By whichever credential it would come; and that of a status and of a reset."""
    settings.AUTHENTICATION_BACKENDS = [FIELDS]
    mails = by_name(username=lambda request, credentials: credentials[field].partition("@")[0])
    with mails.observe(request := post()):
        authenticate(request, **{field: "bob@example.org"}, password="wrong")
        assert 1 == mails.status(request, "bob@elsewhere").failures
    for _ in range(2):
        with mails.attempt(post(), "Bob@example.org"):
            pass
    assert mails.status(post(), "BOB@elsewhere").locked
    mails.reset(post(), "bob@example.net")
    assert not mails.status(post(), "Bob@example.org").locked

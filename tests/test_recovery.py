"""The owner of an account frees himself by a reset of its password."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import LogoutView, PasswordResetConfirmView
from django.dispatch import Signal
from django.http import HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from lockout_decorators import LockoutPolicy, lockout_protect, recovery
from lockout_decorators.exceptions import StoreError
from lockout_decorators.stores import Store
from lockout_decorators.terms.registry import register
from tests.doors import check

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
POLICIES = {
    "account": LockoutPolicy(scope="account", key="username", max=2, lockout=None, ceiling=None),
    "pair": LockoutPolicy(scope="pair", key="ip+username", max=2, lockout=None, ceiling=None),
    "address": LockoutPolicy(scope="address", key="ip", max=2, lockout=None),
    "ceiling": LockoutPolicy(scope="ceiling", key="ip+username", max=2, ceiling=1, lockout=None),
}


@recovery.frees_owner
class Confirm(PasswordResetConfirmView):
    success_url, template_name = "/done/", "two_forms.html"


urlpatterns = [
    *(path(f"{name}/", lockout_protect(policy)(check)) for name, policy in POLICIES.items()),
    path("reset/<uidb64>/<token>/", Confirm.as_view()),
]


@pytest.fixture(autouse=True)
def site(settings, db):
    """Gives the owner."""
    settings.ROOT_URLCONF = __name__
    for policy in POLICIES.values():
        register(policy)
    return User.objects.create_user("bob", "bob@example.com", "old")


def locked_out(client, door, address=HERE, name="bob"):
    for _ in range(2):
        client.post(f"/{door}/", {"username": name, "password": "wrong"}, REMOTE_ADDR=address)
    return signs_in(client, door, address, name)


def down(store, keys):
    raise StoreError(store.alias, OSError("no route"))


def signs_in(client, door, address=HERE, name="bob"):
    passwords = {"bob": "right", "eve": "eves"}
    sent = {"username": name, "password": passwords[name]}
    return client.post(f"/{door}/", sent, REMOTE_ADDR=address).status_code


def reset(client, user, passwords=("a new passw0rd",) * 2):
    link = f"/reset/{urlsafe_base64_encode(force_bytes(user.pk))}/{default_token_generator.make_token(user)}/"
    form = client.get(link, REMOTE_ADDR=HERE)["Location"]
    sent = dict(zip(("new_password1", "new_password2"), passwords, strict=True))
    return client.post(form, sent, REMOTE_ADDR=HERE).status_code


@pytest.mark.parametrize(
    ("door", "here", "elsewhere"),
    [("account", 200, 200), ("pair", 200, 429), ("address", 429, 429), ("ceiling", 429, 429)],
)
def test_a_reset_password_frees_its_owner(door, here, elsewhere, client, site, verified):
    """The account's lock, and that of the account at the address at hand; never an address's."""
    assert [429, 429] == [locked_out(client, door, address) for address in (HERE, ELSEWHERE)]
    assert 302 == reset(client, site)
    assert [here, elsewhere] == [signs_in(client, door, address) for address in (HERE, ELSEWHERE)]
    assert [here, elsewhere].count(200) == sum(password == "right" for _, password in verified)


def test_a_form_that_is_wrong_frees_nobody(client, site):
    """Nor does a link alone, which a mail scanner may have followed."""
    assert 429 == locked_out(client, "account")
    assert 200 == reset(client, site, ("one passw0rd", "another passw0rd"))
    assert 429 == signs_in(client, "account")


def test_a_signal_of_another_package(client, site, rf):
    """As allauth sends it."""
    password_reset = Signal()
    password_reset.connect(recovery.free_owner)
    locked_out(client, "account")
    password_reset.send(sender=type(site), request=rf.post("/"), user=site, extra="")
    assert 200 == signs_in(client, "account")


def test_an_outage_takes_nothing_from_the_new_password(client, site, monkeypatch, caplog):
    """It is told, for each policy."""
    monkeypatch.setattr(Store, "read", down)
    assert 302 == reset(client, site)
    assert site.__class__.objects.get().check_password("a new passw0rd")
    told = [record.getMessage() for record in caplog.records if "stays locked out" in record.getMessage()]
    assert ["scope='account'", "scope='pair'", "scope='ceiling'"] == [line.rpartition(": ")[2] for line in told]


def test_a_policy_that_wants_another_credential_takes_nothing_from_the_new_password(client, site):
    """Nor from what is reset or forgiven under other policies."""
    by_tenant = {"username": lambda request, credentials: credentials["tenant"], "ceiling": None}
    LockoutPolicy(scope="tenants", key="username", known_browsers=timedelta(days=9), **by_tenant)
    assert 429 == locked_out(client, "account")
    assert 302 == reset(client, site)
    assert 200 == signs_in(client, "account")


@pytest.mark.parametrize("wrong", [LogoutView, PasswordResetConfirmView.as_view(), HttpResponse, None])
def test_misplaced(wrong):
    with pytest.raises(TypeError, match="is no PasswordResetConfirmView"):
        recovery.frees_owner(wrong)


@pytest.mark.parametrize("door", ["account", "pair"])
def test_a_namesake_in_other_letters_lifts_no_lock(client, door, verified):
    """They are counted as one: or a second account would buy guesses at the first one, reset by reset."""
    eve = User.objects.create_user("Bob", "eve@example.com", "old")
    assert 429 == locked_out(client, door)
    assert 302 == reset(client, eve)
    assert (429, 2) == (signs_in(client, door), len(verified))


@pytest.mark.parametrize("name", ["muller", "mùller"])
def test_a_namesake_that_no_database_finds_buys_few_guesses(client, site, verified, name):
    """One lock is lifted by its resets; an hour later another one."""
    User.objects.create_user("müller", "müller@example.com")
    eve = User.objects.create_user(name, "eve@example.com", "old")
    for _ in range(3):
        for _ in range(3):
            client.post("/account/", {"username": "müller", "password": "wrong"}, REMOTE_ADDR=ELSEWHERE)
        assert 302 == reset(client, eve)
        eve.refresh_from_db()
    assert 4 == len(verified)
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=5)):
        assert 302 == reset(client, eve)
        assert 401 == client.post("/account/", {"username": "müller", "password": "wrong"}).status_code


def test_a_name_that_is_a_number(rf):
    """As where people sign in by their telephones: nothing breaks, and the lock is lifted."""
    request, user = rf.post("/"), User()
    user.get_username = lambda: 5551234
    for _ in range(2):
        with POLICIES["account"].attempt(request, user.get_username()):
            pass
    recovery.free_owner(User, request, user)
    assert not POLICIES["account"].status(request, user.get_username()).locked

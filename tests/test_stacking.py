"""Several policies on one view: each counts for itself, though they share a derived scope."""

import pytest
from django.contrib.auth import authenticate
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views import View

from lockout_decorators import LockedOut, lockout_protect
from lockout_decorators.checks import check_lockout


def sign_in(request):
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    return HttpResponse(status=200 if user else 401)


def stacked(*policies):
    def view(request):
        return sign_in(request)

    for arguments in policies:
        view = lockout_protect(patience=0, **arguments)(view)
    return view


def guesses(view, rf, names, address="192.0.2.1"):
    """How many of the guesses at `names` were verified."""
    statuses = []
    for n, name in enumerate(names):
        body = {"username": name, "password": f"wrong{n}"}
        statuses.append(view(rf.post("/", body, REMOTE_ADDR=address)).status_code)
    return statuses.count(401)


def test_a_short_and_a_long_window(rf, verified, settings):
    """The shorter limit locks after as many failures as it says."""
    settings.DEBUG = True
    view = stacked({"key": "ip", "max": 6, "window": 60}, {"key": "ip", "max": 10, "window": 3600})
    assert guesses(view, rf, ["bob"] * 12) == len(verified) == 6
    assert [message.id for message in check_lockout(None) if "E003" in message.id] == []


def test_one_account_and_one_address(rf, verified):
    """Many addresses on one account, and one address on many accounts, are both bounded; ceilings are not shared."""
    view = stacked({"key": "ip", "max": 20}, {"key": "username", "max": 4})
    assert guesses(view, rf, ["bob"] * 6) == 4
    assert guesses(view, rf, ["bob"] * 6, "192.0.2.2") == 0
    assert guesses(view, rf, [f"user{n}" for n in range(30)], "192.0.2.3") == 20
    assert len(verified) == 24


def test_the_same_policy_on_a_class_and_on_its_url_counts_once(rf, verified):
    """So does a subclass that was decorated like its base."""

    @lockout_protect(key="ip", max=4, patience=0)
    class Base(View):
        def post(self, request):
            return sign_in(request)

    @lockout_protect(key="ip", max=4, patience=0)
    class Login(Base):
        pass

    view = lockout_protect(key="ip", max=4, patience=0)(Login.as_view())
    assert guesses(view, rf, ["bob"] * 6) == len(verified) == 4


def test_stacked_method_decorators(rf, verified):
    """As one list, applied anew on every request."""

    @method_decorator([lockout_protect(key="ip", max=3), lockout_protect(key="ip", max=9)], name="dispatch")
    class Login(View):
        def post(self, request):
            return sign_in(request)

    assert guesses(Login.as_view(), rf, ["bob"] * 5) == len(verified) == 3


def test_one_request_with_many_guesses_under_two_policies(rf, verified):
    """The stricter one refuses; the other one keeps no slot for what it refused."""

    @lockout_protect(key="ip", max=2, methods=(), patience=0)
    @lockout_protect(key="ip", max=5, methods=(), patience=0)
    def view(request):
        for n in range(4):
            with pytest.raises(LockedOut) if n >= 2 else memoryview(b""):
                authenticate(request, username="bob", password=f"wrong{n}")
        return HttpResponse()

    request = rf.post("/")
    view(request)
    assert len(verified) == 2
    assert view.lockout_policy.status(request).locked
    assert view.__wrapped__.lockout_policy.status(request).failures == 2

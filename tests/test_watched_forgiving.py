"""What a success forgives that it does not prove."""

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from lockout_decorators import LockoutPolicy, lockout_protect

tried = []


class Tenants(BaseBackend):
    passwords = {("acme", "admin"): "right", ("evil", "admin"): "mine"}

    def authenticate(self, request, username=None, password=None, tenant=None):
        tenant = tenant or request.get_host().partition(".")[0]
        tried.append((tenant, username, password))
        return User(pk=1, username=username) if self.passwords.get((tenant, username)) == password else None


def door(policy):
    @lockout_protect(policy)
    def view(request):
        extra = {"tenant": request.POST["tenant"]} if "tenant" in request.POST else {}
        user = authenticate(request, username=request.POST["username"], password=request.POST["password"], **extra)
        return HttpResponse("welcome" if user else "wrong", status=200 if user else 401)

    return view


@override_settings(AUTHENTICATION_BACKENDS=["tests.test_watched_forgiving.Tenants"])
@pytest.mark.parametrize("how", ["host", "credential"])
@pytest.mark.parametrize("key", ["ip", "ip+username", "username"])
def test_namesake_in_a_tenant_of_the_attackers_own(how, key):
    """Each tenant has its `admin`; the attacker owns the one of `evil`, and signs in there between guesses."""
    tried.clear()
    view = door(LockoutPolicy(scope=f"tenants {how} {key}", key=key, max=5, patience=0))

    def post(tenant, password):
        if how == "host":
            return view(
                RequestFactory(HTTP_HOST=f"{tenant}.example.com").post("/", {"username": "admin", "password": password})
            ).status_code
        return view(
            RequestFactory().post("/", {"username": "admin", "password": password, "tenant": tenant})
        ).status_code

    for n in range(100):
        post("acme", f"wrong{n}")
        if n % 4 == 3:
            post("evil", "mine")
    post("acme", "right")
    mine = sum(t == "acme" for t, _, _ in tried)
    assert mine <= 5


def test_owner_who_signs_in_all_the_time(verified):
    """key="username" against many addresses; the account belongs to a program that signs in with each request."""
    view = door(
        LockoutPolicy(scope="botnet", key="username", ceiling=None, max=20, window=3600, lockout=3600, patience=0)
    )

    def post(address, password):
        return view(
            RequestFactory(REMOTE_ADDR=address).post("/", {"username": "bob", "password": password})
        ).status_code

    for n in range(500):
        post(f"198.51.{n // 250}.{n % 250 + 1}", f"wrong{n}")
        if n % 15 == 14:
            post("192.0.2.7", "right")  # the owner, elsewhere
    assert sum(p != "right" for _, p in verified) == 20

"""One scope over a form, a token endpoint and the admin."""

from importlib import import_module, reload
from itertools import permutations

import pytest
from django.contrib import admin
from django.contrib.auth.models import User

from tests.recipes.visitors import Visitor

DOORS = {"/login/": (200, 302), "/token/": (401, 200), "/admin/login/": (200, 302)}  # status of a wrong, a right one
ORDERS = [*permutations(DOORS)][::2]  # each door comes first once

pytestmark = pytest.mark.urls("tests.recipes.several_doors")


@pytest.fixture(autouse=True)
def own_admin(monkeypatch):
    """The admin as this recipe alone decorates it."""
    monkeypatch.setattr(admin.site, "login", admin.AdminSite.login.__get__(admin.site))
    reload(import_module("tests.recipes.several_doors"))


@pytest.fixture(params=["wsgi", "asgi"])
def server(request):
    return request.param


@pytest.fixture
def staff(bob):
    User.objects.update(is_staff=True)


def guess(visitor, door, password="wrong"):
    return visitor.post(door, {"username": "bob", "password": password, "next": "/admin/"})


@pytest.mark.parametrize("order", ORDERS)
def test_three_doors(server, staff, verified, order):
    """Five failures spread over the doors lock all three, and nobody elsewhere."""
    guesser = Visitor(server)
    for door in (*order, *order[:2]):
        assert DOORS[door][0] == guess(guesser, door).status_code
    refused = [guess(guesser, door, "right") for door in DOORS]
    assert ([429] * 3, ["wrong"] * 5) == ([response.status_code for response in refused], verified)
    assert all(0 < int(response.headers["Retry-After"]) <= 900 for response in refused)
    elsewhere = {door: guess(Visitor(server, "192.0.2.2"), door, "right").status_code for door in DOORS}
    assert {door: passed for door, (_, passed) in DOORS.items()} == elsewhere


def test_forgiving(staff, verified):
    """To sign in at one door forgives the user's mistakes at the others."""
    for _ in range(3):
        for door in (*DOORS, "/login/"):
            guess(Visitor(), door)
        guess(Visitor(), "/token/", "right")
    assert 15 == len(verified)

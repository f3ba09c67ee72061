"""`manage.py lockout doors` knows the doors of all packages; its lines close them, and the recipes leave none open."""

import subprocess
import sys
from importlib import import_module

import pytest
from dj_rest_auth.app_settings import api_settings

from lockout_decorators.doors.urlconf import find_doors

BASIC = "rest_framework.authentication.BasicAuthentication"  # the default of Django REST framework
LEFT = {
    "admin": {"django.contrib.admin.sites.AdminSite.password_change:partners"},
    "dj_rest_auth": {BASIC},
    "several_doors": {"django.contrib.admin.sites.AdminSite.password_change"},
}
GUARDED = ["admin", "dj_rest_auth", "django", "drf", "graphql", "ninja", "oauth_toolkit", "several_doors", "simplejwt"]


def test_untouched_packages():
    """Each door is open as it comes, and bounded once its lines are pasted; in a process where nothing is decorated."""
    command = [sys.executable, "-m", "pytest", "-q", "--ds=tests.recipes.settings", "--no-migrations"]
    ended = subprocess.run([*command, "tests/recipes/untouched.py"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-5000:]


@pytest.mark.parametrize("name", GUARDED)
def test_recipes(name):
    """What they are about is guarded; what they leave open is what is said here."""
    doors = find_doors(import_module(f"tests.recipes.{name}"))
    assert [] != [door for door in doors if door.state == "guarded"]
    assert LEFT.get(name, set()) >= {door.name for door in doors if door.state != "guarded"}


def test_recipes_of_second_steps():
    """Codes that a form of the settings verifies, or a step of a wizard, count under their own policy."""
    for name, door in [
        ("mfa", "allauth.mfa.base.views.AuthenticateView"),
        ("mfa", "allauth.headless.mfa.views.AuthenticateView"),
        ("two_factor", "tests.recipes.two_factor.Login:second-step"),
    ]:
        found = {one.name: one for one in find_doors(import_module(f"tests.recipes.{name}"))}
        assert ["second step (username)"] == found[door].guards


def test_recipes_of_allauth():
    """Logins and codes, form and headless, are guarded; the recipe of MFA has the rest."""
    found = {one.name: one for one in find_doors(import_module("tests.recipes.allauth"))}
    login = [f"passwords ({key})" for key in ("ip+username", "ip+username", "username", "ip")]
    for package in ("allauth.account", "allauth.headless.account"):
        assert login == found[f"{package}.views.LoginView"].guards
        assert login == found[f"{package}.views.ReauthenticateView"].guards
        assert ["login codes (ip)"] == found[f"{package}.views.ConfirmLoginCodeView"].guards


def test_a_change_of_password_that_asks_for_no_old_one_is_no_door(monkeypatch):
    """As in dj-rest-auth without its setting."""
    urlconf = import_module("tests.recipes.dj_rest_auth")
    assert "change of password" in [door.kind for door in find_doors(urlconf)]
    monkeypatch.setattr(api_settings, "OLD_PASSWORD_FIELD_ENABLED", False)
    assert "change of password" not in [door.kind for door in find_doors(urlconf)]

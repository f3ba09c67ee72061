"""`manage.py check` is silent in a fresh project; `check --deploy` says what would not do where the site goes live."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import call_command

from lockout_decorators import LockoutPolicy, checks
from lockout_decorators.checks import doors

urlpatterns = []  # no door

URLS = """
from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import path

from lockout_decorators import lockout_protect

urlpatterns = [path("admin/", admin.site.urls), path("login/", lockout_protect(key="ip+ua")(LoginView.as_view()))]
"""


def told(deploy=True):
    """Ids and messages, without Django's own."""
    found = [message for message in run_checks(include_deployment_checks=deploy) if "lockout" in message.id]
    return {message.id.removeprefix("lockout_decorators."): message.msg for message in found}


@pytest.fixture(autouse=True)
def project(settings, monkeypatch):
    """In development, without a door; nobody probes its cache."""
    settings.ROOT_URLCONF, settings.DEBUG = __name__, True
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://a"}}
    monkeypatch.setattr(checks, "probed", lambda alias: [])
    LockoutPolicy(scope="a", key="ip")


@pytest.mark.parametrize(
    "setting",
    [
        {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")},
        {"USE_X_FORWARDED_HOST": True},
        {"USE_X_FORWARDED_PORT": True, "USE_X_FORWARDED_HOST": True},
    ],
)
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, True),
        ({"LOCKOUT_TRUSTED_PROXIES": ["10.0.0.0/8"]}, False),
        ({"LOCKOUT_TRUSTED_PROXIES": ["unix"]}, False),
        ({"LOCKOUT_CLIENT_IP": lambda request: "192.0.2.1"}, False),
    ],
)
def test_a_proxy_that_nobody_named_is_a_warning_of_a_deployment(setting, answer, expected, settings):
    """All visitors would be one client."""
    assert "W015" not in told()
    for name, value in {**setting, **answer}.items():
        setattr(settings, name, value)
    assert "W015" not in told(deploy=False)
    found = told()
    assert expected == ("W015" in found)
    assert not expected or all(name in found["W015"] for name in setting)


def test_a_wrong_setting_comes_first(settings):
    """What follows from it would confuse."""
    settings.USE_X_FORWARDED_HOST, settings.LOCKOUT_TRUSTED_PROXIES = True, "10.0.0.0/8"
    assert ["E001"] == [*told()]


@pytest.mark.parametrize(("backend", "named"), [("locmem.LocMemCache", "W004"), ("filebased.FileBasedCache", "I001")])
def test_what_is_fine_in_development_is_told_for_a_deployment(backend, named, settings, tmp_path):
    """Whatever DEBUG says, and once: each process, or each host, counts for itself. With DEBUG off, by any check."""
    cache = {"LOCATION": str(tmp_path), "OPTIONS": {"MAX_ENTRIES": 100_000}}
    settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{backend}", **cache}}
    assert {} == told(deploy=False)
    assert [named] == [*told()]
    settings.DEBUG = False
    assert [named] == [*told(deploy=False)] == [*told()]


@pytest.mark.parametrize(("cache", "named"), [("gone", "E004"), ("unknown", "W009")])
def test_a_cache_that_is_unknown_is_told_either_way(cache, named, settings, tmp_path):
    """One that is not there, and one of a kind that nobody has proven."""
    settings.CACHES["unknown"] = {"BACKEND": "tests.broken.Racing", "LOCATION": str(tmp_path)}
    LockoutPolicy(scope="b", key="ip", cache=cache)
    assert named in told(deploy=False) and named in told()


def test_a_search_for_doors_that_breaks_down_is_told(monkeypatch):
    """Silence would be taken for closed doors."""
    monkeypatch.setattr(doors, "find_doors", lambda **options: 1 / 0)
    assert "W016" not in told(deploy=False)
    assert "ZeroDivisionError: division by zero" in told()["W016"]


@pytest.mark.tree
def test_a_fresh_project(tmp_path):
    """The app and a decorated login make no noise; for a deployment its cache and the admin's open doors are named."""
    call_command("startproject", "fresh", str(tmp_path))
    (tmp_path / "fresh/urls.py").write_text(URLS, encoding="utf-8")
    settings = tmp_path / "fresh/settings.py"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(re.sub(r"(INSTALLED_APPS = \[)", r'\1"lockout_decorators",', text), encoding="utf-8")

    def check(*options):
        path = os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        env = {**os.environ, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "fresh.settings"}
        command = [sys.executable, "manage.py", "check", *options]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    quiet = check()
    assert ("System check identified no issues (0 silenced).\n", "") == (quiet.stdout, quiet.stderr)
    named = re.findall(r"\(lockout_decorators\.(\S+)\)", check("--deploy").stderr)  # Django has errors of its own
    open_ = [f"W012.django.contrib.admin.sites.AdminSite.{name}" for name in ("login", "password_change")]
    assert ["W004", *open_] == sorted(named)

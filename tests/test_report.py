"""`manage.py lockout report` says what each door lets through."""

import json
from datetime import timedelta
from io import StringIO
from types import ModuleType

import pytest
from django.core.management import CommandError, call_command
from django.urls import include, path
from django.views import View
from rest_framework.decorators import action
from rest_framework.viewsets import ViewSet

from lockout_decorators import LockoutPolicy, lockout_protect


def report(*options):
    out = StringIO()
    call_command("lockout", "report", *options, stdout=out)
    return out.getvalue()


def found():
    return json.loads(report("--json"))


@pytest.fixture
def serve(settings):
    def serve(*patterns):
        settings.ROOT_URLCONF = ModuleType("urls")
        settings.ROOT_URLCONF.urlpatterns = patterns

    serve()
    return serve


def view(request):
    """What is decorated."""


STRICT = {"key": "username", "max": 10, "window": 3600, "lockout": 3600, "rolling": True, "ceiling": None}


def test_doors_are_those_of_the_urlconf_and_of_policies_used_by_hand(serve):
    """A door is what meets the same policies: views by their class, its handlers and actions too; each once."""
    shared, by_hand = LockoutPolicy(scope="shared", max=3), LockoutPolicy(scope="by hand", **STRICT)

    @lockout_protect(shared)
    class Login(View): ...

    class Join(View):
        @lockout_protect(scope="join", max=4)
        def post(self, request): ...

    class Tokens(ViewSet):
        @action(detail=False, methods=["post"])
        @lockout_protect(scope="renew", max=6)
        def renew(self, request): ...

    serve(
        path("", view),
        path("login/", Login.as_view()),
        path("api/", include([path("join/", Join.as_view()), path("renew/", Tokens.as_view({"post": "renew"}))])),
        path("also/", lockout_protect(shared)(view)),
        path("two/", lockout_protect(by_hand, shared)(view)),
    )
    alone = LockoutPolicy(scope="alone", max=7)
    assert [(door["door"], door["routes"], len(door["policies"])) for door in found()["doors"]] == [
        ("shared", ["/login/", "/also/"], 1),
        ("join", ["/api/join/"], 1),
        ("renew", ["/api/renew/"], 1),
        ("by hand, shared", ["/two/"], 2),
        ("alone", [], 1),
    ]
    assert alone.scope in report()


def test_the_tightest_policy_bounds_a_door(serve):
    """Each figure is that of another policy, if need be; what is not enforced bounds nothing."""
    address = LockoutPolicy(scope="address", key="ip", max=5, window=3600, lockout=3600, rolling=True)
    trial = LockoutPolicy(scope="trial", key="ip", max=1, window=3600, lockout=86_400, enforce=False)
    serve(path("", lockout_protect(LockoutPolicy(scope="account", **STRICT), address, trial)(view)))
    (door,) = found()["doors"]
    assert door["account"] == [
        {"addresses": 1, "per_day": pytest.approx(120), "hour": 5, "day": 120},
        {"addresses": 1_000, "per_day": pytest.approx(240), "hour": 10, "day": 240},
        {"addresses": 100_000, "per_day": pytest.approx(240), "hour": 10, "day": 240},
    ]
    assert [total["hour"] for total in door["total"]] == [5, 5_000, 500_000]
    assert door["keeps_out"] == [
        "anybody, by 10 wrong guesses: the owner of the account anywhere",
        "anybody behind the same address, by 5 wrong guesses: all there",
    ]
    assert [(one["standard"], one["guesses"], one["within"], one["met"]) for one in door["standards"]] == [
        ("NIST SP 800-63B", 876_000, "ten years", False),
        ("OWASP ASVS", 10, "hour", True),
        ("PCI DSS", 10, "30 minutes", True),
    ]
    assert all(one["clause"] and one["demands"] for one in door["standards"])


@pytest.mark.parametrize(("enforce", "spared"), [(True, ", save known browsers"), (False, "")])
def test_known_browsers_are_spared_at_the_whole_door(enforce, spared, serve):
    """By every policy, if one that is enforced asks for them."""
    asking = LockoutPolicy(scope="account", **STRICT, known_browsers=timedelta(days=90), enforce=enforce)
    serve(path("", lockout_protect(LockoutPolicy(scope="address", max=5), asking)(view)))
    (door,) = found()["doors"]
    assert door["keeps_out"][0] == f"anybody behind the same address, by 5 wrong guesses: all there{spared}"


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"lockout": (60, 300)}, "ip: 5 in 300 s, a lock of 60, 300 s; a client gets up to 14 in the worst 300 s"),
        ({"lockout": None}, "ip: 5 in 300 s, a lock until it is reset; a client gets up to 9 in the worst 300 s"),
        ({"lockout": 0, "rolling": True}, "ip: 5 in any 300 s, no lock; a client gets up to 5 in the worst 300 s"),
        ({"exempt": ["192.0.2.9", "::1"]}, "; not counted: 192.0.2.9/32, ::1/128"),
        ({"exempt": view}, "; not counted: tests.test_report.view"),
        ({"key": "ip+ua"}, "; an address 5 times as many"),
        ({"challenge_after": 3, "challenge": view}, "; after 3 a challenge"),
        ({"known_browsers": timedelta(days=90)}, "; a browser is known for 90 days"),
        ({"enforce": False}, "; NOT ENFORCED"),
        ({"key": "session", "ceiling": None}, "at one account 1 no bound"),
        ({"max": 1, "lockout": None}, "at one account 1 0 1"),
    ],
)
def test_policies_are_told_in_words(serve, terms, told):
    """What stands in the text stands in the Markdown, but for the tables."""
    LockoutPolicy(scope="s", **{"key": "ip", "max": 5, "window": 300, "lockout": 600, **terms})
    assert told in " ".join(report().split())  # whose lines are wrapped
    assert told in report("--markdown") or told.startswith("at one account")


def test_markdown_is_a_page(serve, settings):
    """With headings, lists and tables; what is switched off says so."""
    LockoutPolicy(scope="a door", **STRICT)
    lines = report("--markdown").splitlines()
    assert (lines[0], "## a door" in lines) == ("# Guesses that the doors of this site let through", True)
    assert "| at one account | 100,000 | 240 | 10 | 240 |" in lines
    assert "- anybody, by 10 wrong guesses: the owner of the account anywhere" in lines
    assert {line.count("|") for line in lines if line.startswith("|")} == {6}
    settings.LOCKOUT_ENABLED = False
    off = "LOCKOUT_ENABLED is False: nothing of this is in force."
    assert (off in report(), off in report("--markdown"), found()["enabled"]) == (True, True, False)


def test_a_site_without_doors_is_told_so(serve):
    """Rather than nothing."""
    assert report() == "No view of the URLconf is decorated, and no policy has been made.\n"
    assert found() == {"enabled": True, "doors": []}
    with pytest.raises(CommandError, match="not allowed with"):
        report("--json", "--markdown")

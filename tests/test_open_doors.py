"""Open doors are told by `manage.py check --deploy` and `manage.py lockout doors`; vain decorations by every check."""

import json
from io import StringIO
from types import ModuleType
from unittest import mock

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, PasswordChangeView, PasswordResetConfirmView
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.urls import include, path
from django.utils.decorators import method_decorator
from rest_framework.authentication import BasicAuthentication
from rest_framework.views import APIView

from lockout_decorators import lockout_protect
from lockout_decorators.checks import check_deployment, check_lockout
from lockout_decorators.doors.views import doors_at
from tests.specimens import ChangesByAttempt, codes, plain

HERE = "tests.test_open_doors"
PLAIN = "tests.specimens.plain"
ADMIN = "django.contrib.admin.sites.AdminSite"


@pytest.fixture
def serve(settings, monkeypatch):
    """Makes these patterns the site's, whose cache is probed elsewhere."""
    settings.DEBUG = True
    monkeypatch.setattr("lockout_decorators.checks.caches.probe", lambda alias: [])

    def make(*patterns):
        urls = ModuleType("urls")
        vars(urls)["urlpatterns"] = [*patterns]
        settings.ROOT_URLCONF = urls

    return make


def warnings(deploy=True):
    """What the checks say of doors."""
    found = run_checks(include_deployment_checks=deploy)
    return [one for one in found if str(one.id).startswith(("lockout_decorators.W012", "lockout_decorators.W013"))]


def ids(deploy=True):
    return [one.id.removeprefix("lockout_decorators.") for one in warnings(deploy)]


def command(**options):
    """What it prints, and how it ends."""
    out, error = StringIO(), None
    try:
        call_command("lockout", "doors", stdout=out, **options)
    except CommandError as raised:
        error = str(raised)
    return out.getvalue(), error


protected = lockout_protect(max=3)(plain)
DOOR = path("in/", plain)


# Open doors


@pytest.fixture
def fresh_site():
    """The default site, as nobody has touched it."""
    attributes = vars(admin.site._wrapped)
    before = {**attributes}
    attributes.pop("login", None)
    yield admin.site
    attributes.clear()
    attributes.update(before)


def test_a_fresh_project_is_told_at_deployment_only(serve, fresh_site):
    """It has the admin: two doors, with the lines to paste, which close them."""
    serve(path("admin/", fresh_site.urls))
    assert ([], [f"W012.{ADMIN}.login", f"W012.{ADMIN}.password_change"]) == (ids(deploy=False), ids())
    for message in warnings():
        write, _, silence = message.hint.partition("\nOr, if you mean it: ")
        assert silence == f'SILENCED_SYSTEM_CHECKS = ["{message.id}"].'
        exec(write.removeprefix("Write:\n"), {})
    serve(path("admin/", fresh_site.urls))
    assert ([], None) == (ids(), command()[1])


def test_open_doors_are_silenced_one_by_one(serve, settings):
    """By an id that names the door; the bare one silences all. The command counts them no more."""
    serve(DOOR, path("login/", LoginView.as_view()))
    own, known = f"W012.{PLAIN}", "W012.django.contrib.auth.views.LoginView"
    assert ([own, known], "Of 2 doors: 2 open.") == (ids(), command()[1])
    settings.SILENCED_SYSTEM_CHECKS = [f"lockout_decorators.{own}"]
    assert ([known], "Of 2 doors: 1 open.") == (ids(), command()[1])
    assert "silenced  code that calls authenticate()  /in/" in command()[0]
    settings.SILENCED_SYSTEM_CHECKS = ["lockout_decorators.W012"]
    assert ([], None) == (ids(), command()[1])


def test_a_door_at_many_routes_is_one_warning(serve):
    """Basic authentication of every view, as where it is Django REST framework's default."""

    class API(APIView):
        authentication_classes = (BasicAuthentication,)

    serve(path("api/", include([path(f"{number}/", API.as_view()) for number in range(20)])))
    (message,) = warnings()
    assert "at /api/0/ and 19 more." in message.msg
    assert "/api/0/ and 19 more  rest_framework.authentication.BasicAuthentication" in command()[0]


def test_settings_that_are_wrong_are_told_first(serve, settings):
    """And a URLconf that does not import is left to Django; the command says so."""
    serve(DOOR)
    settings.LOCKOUT_TIME = -1
    assert [] == ids()
    del settings.LOCKOUT_TIME
    settings.ROOT_URLCONF = "tests.no_such_module"
    found = [*check_lockout(None), *check_deployment(None)]
    assert [] == [one for one in found if one.id.startswith("lockout_decorators.W01")]
    assert "The URLconf can't be read: ModuleNotFoundError(" in command()[1]


# The command


def test_the_command_shows_each_door(serve):
    """A row each, then what to write for those that are open."""
    serve(DOOR, path("guarded/", protected))
    table, error = command()
    head, first, second, empty, *write = table.splitlines()
    assert ["state", "kind", "route", "name", "policies"] == head.split()
    assert ("open", "/in/") == (first.split()[0], first.split()[5]) and first.endswith(f"{PLAIN}")
    assert second.startswith("guarded  code that calls authenticate()  /guarded/")
    assert second.endswith(f"{PLAIN} (ip)")
    assert [
        f"# code that calls authenticate(), open: {PLAIN}",
        "from lockout_decorators import lockout_protect, presets",
    ] == (write[:2])
    assert (empty, error) == ("", "Of 2 doors: 1 open.")


def test_the_command_prints_json(serve):
    """All of it, for programs; and ends well where all is guarded, or nothing is a door."""
    serve(DOOR)
    out, error = command(json=True)
    (door,) = json.loads(out)["doors"]
    assert {"name", "kind", "state", "policies", "routes", "write"} == {*door}
    assert ("open", ["in/"], [], "Of 1 doors: 1 open.") == (door["state"], door["routes"], door["policies"], error)
    serve(path("in/", protected))
    out, error = command(json=True)
    assert (None, [f"{PLAIN} (ip)"]) == (error, json.loads(out)["doors"][0]["policies"])
    serve()
    assert ('{\n  "doors": []\n}\n', None) == command(json=True)
    assert command(urlconf="tests.urls")[1].endswith("3 open.")


# In vain


@pytest.fixture
def own(monkeypatch):
    """Copies of Django's views: subclasses that may be decorated."""
    verified = []

    def counted(self, raw_password):
        verified.append(raw_password)
        return raw_password == "right"

    monkeypatch.setattr(User, "check_password", counted)
    template = {"template_name": "two_forms.html"}
    return (
        type("Change", (PasswordChangeView,), template),
        type("Reset", (PasswordResetConfirmView,), template),
        verified,
    )


WAYS = {
    "class": lambda cls: lockout_protect(max=5)(cls).as_view(),
    "method_decorator": lambda cls: method_decorator(lockout_protect(max=5), name="dispatch")(cls).as_view(),
    "URL": lambda cls: lockout_protect(max=5)(cls.as_view()),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_decoration_that_sees_no_guess_is_told(serve, settings, own, way):
    """However it was written, by every check, with what to write; silenced by its own id."""
    change, reset, _ = own
    serve(path("change/", WAYS[way](change)), path("reset/<uidb64>/<token>/", WAYS[way](reset)), DOOR)
    assert [f"W013.{HERE}.Change", f"W013.{HERE}.Reset"] == ids(deploy=False)
    for message in warnings(deploy=False):
        assert "policy.attempt()" in message.hint and "failure=wrong_" in message.hint
    assert [f"W013.{HERE}.Change", f"W013.{HERE}.Reset", f"W012.{PLAIN}"] == ids()
    assert "Of 3 doors: 2 in vain, 1 open." == command()[1]
    settings.SILENCED_SYSTEM_CHECKS = [f"lockout_decorators.W013.{HERE}.Change"]
    assert [f"W013.{HERE}.Reset"] == ids(deploy=False)


def pasted(message, cls):
    """The class, decorated by the lines of a hint."""
    _, _, lines = message.hint.partition("tell:\n")
    lines, _, _ = lines.partition("  # above")
    names = {"cls": cls}
    exec(f"{lines.replace('@lockout_protect', 'protect = lockout_protect')}", names)
    return names["protect"](cls)


def test_what_it_says_to_write_guards_the_change_of_a_password(serve, own, rf):
    """Five old passwords are verified, then none, the right one included; nothing else is a failure."""
    change, _, verified = own
    serve(path("change/", lockout_protect(max=5)(change.as_view())))
    (message,) = warnings(deploy=False)
    view = pasted(message, type("Change", (change,), {"__module__": HERE, "success_url": "/"})).as_view()
    serve(path("change/", view))
    assert ([], None) == (ids(), command()[1])
    bob = User(pk=1, username="bob")

    def post(old):
        request = rf.post("/", {"old_password": old, "new_password1": "a", "new_password2": "b"})
        request.user, request._dont_enforce_csrf_checks = bob, True
        response = view(request)
        return (response.render() if hasattr(response, "render") else response).status_code

    assert [200] * 3 == [post(old) for old in ("right", "", "right")]
    assert [200] * 5 + [429] == [post("wrong") for _ in range(6)]
    assert (429, ["right"] * 2 + ["wrong"] * 5) == (post("right"), verified)


def test_what_it_says_to_write_guards_the_link_of_a_reset(serve, own, client, monkeypatch):
    """Five made-up links are looked at, then none, the right one included."""
    _, reset, _ = own
    looked = []

    class Tokens:
        def check_token(self, user, token):
            looked.append(token)
            return token == "right"

    serve(path("reset/<uidb64>/<token>/", lockout_protect(max=5)(reset.as_view())))
    (message,) = warnings(deploy=False)
    attributes = {"__module__": HERE, "token_generator": Tokens(), "get_user": lambda self, uid: User(pk=1)}
    view = pasted(message, type("Reset", (reset,), attributes)).as_view()
    serve(path("reset/<uidb64>/<token>/", view))
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.save", lambda self, must_create=False: None)
    assert ([], None) == (ids(), command()[1])
    assert [200] * 5 + [429] == [client.get(f"/reset/MQ/{number}/").status_code for number in range(6)]
    assert (429, 5) == (client.get("/reset/MQ/right/").status_code, len(looked))


def test_a_check_that_is_no_deployment_reads_what_is_decorated_only(serve):
    """It runs at each start of the development server; a view that attempts by itself is not decorated in vain."""
    serve(DOOR, path("change/", lockout_protect(codes)(ChangesByAttempt).as_view()))
    with mock.patch("lockout_decorators.doors.urlconf.doors_at", wraps=doors_at) as read:
        assert ([], 1) == (ids(deploy=False), read.call_count)
        assert ([f"W012.{PLAIN}"], 1 + 3) == (ids(), read.call_count)

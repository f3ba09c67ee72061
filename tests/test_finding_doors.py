"""Every door of a URLconf is found, with the policies that guard it or the line to write."""

from functools import partial
from types import ModuleType
from unittest import mock

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.views import LoginView
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.generic import FormView
from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.routers import SimpleRouter

from lockout_decorators import LockoutPolicy, lockout_protect, policies_of
from lockout_decorators.doors.urlconf import find_doors
from tests import doors as protected
from tests import specimens as views
from tests.doors import check

HERE = "tests.specimens"
CALL, CHECK = "code that calls authenticate()", "code that calls check_password()"


def urlconf(*patterns):
    urls = ModuleType("urls")
    vars(urls)["urlpatterns"] = [
        one if hasattr(one, "pattern") else path(f"{place}/", one) for place, one in enumerate(patterns)
    ]
    return urls


def found(*patterns):
    """(name, kind, state) of each door."""
    return [(door.name.removeprefix(f"{HERE}."), door.kind, door.state) for door in find_doors(urlconf(*patterns))]


def states(*patterns):
    return [door.state for door in find_doors(urlconf(*patterns))]


# What is guarded


@pytest.mark.parametrize("name", protected.DOORS)
def test_every_way_of_decorating_a_view_is_seen(name):
    """With the policies under which it counts."""
    door = protected.DOORS[name]
    doors = find_doors(urlconf(door.view))
    (guarded,) = [one for one in doors if not one.name.startswith("rest_framework.authentication")]
    derived = f"{guarded.name} (ip)" if "method_decorator" in name else f"{door.scope} (ip)"
    assert ("guarded", "", [derived]) == (guarded.state, guarded.write, guarded.guards)
    assert name == "lambda" or door.scope.startswith(guarded.name) or guarded.name.startswith(door.scope)


def test_several_policies_are_all_named():
    """Of a view, and of the URL around it; one that is only tried says so; once each."""
    trial, own = LockoutPolicy(scope="trial", enforce=False), LockoutPolicy(scope="own", key="ip+username")
    (door,) = find_doors(urlconf(lockout_protect(trial)(lockout_protect(own)(lockout_protect(own)(views.plain)))))
    assert ["trial (ip, not enforced)", "own (ip+username)"] == door.guards


@pytest.mark.parametrize(
    "view",
    [
        views.with_attempt,
        views.with_observe,
        *[cls.as_view() for cls in (views.WithAttempt, views.WithGuardedForm, views.GuardedHook, views.PostsByAttempt)],
    ],
    ids=["attempt", "observe", "of the class", "form", "hook", "known view"],
)
def test_code_that_guards_itself_is_guarded(view):
    """By `attempt()` or `observe()` of a policy that it names, or in a decorated function that leads there."""
    assert ["guarded"] == states(view)


def test_what_is_decorated_is_a_door_whatever_it_verifies():
    """As one where another package asks."""
    assert [("nothing", "guarded code", "guarded")] == found(views.protect(views.nothing))


# What is open, by its code


@pytest.mark.parametrize(
    ("name", "view"), [*views.OPEN.items(), *views.WRAPPED], ids=range(len(views.OPEN) + len(views.WRAPPED))
)
def test_code_that_calls_authenticate_is_an_open_door(name, view):
    """However it was imported, in helpers, forms, serializers and hooks, and whatever is around the view."""
    assert [(name, CALL, "open")] == [one for one in found(view) if one[2] == "open"]


@pytest.mark.parametrize("name", views.HARMLESS)
def test_what_asks_nobody_is_no_door(name):
    """Nor is what is written in C, or odd; nothing is called to find out."""
    doors = found(path("", include([path("plain/", views.plain), path("odd/", views.HARMLESS[name])])))
    assert [("plain", CALL, "open")] == [one for one in doors if not one[0].startswith("rest_framework")]
    assert [] == views.ran


def test_a_view_that_was_not_named_before_is_not_read_twice():
    """What two views share is a door at each."""
    assert [("plain", CALL, "open"), ("calls_helper", CALL, "open")] == found(
        views.plain, views.calls_helper, views.plain
    )


def test_check_password_is_a_door_that_authenticate_does_not_know():
    """A decoration sees none of it, unless the response tells; the line to write enters `attempt()`."""
    assert [("change_password", CHECK, "open")] == found(views.change_password)
    assert [("change_password", CHECK, "in vain")] == found(views.protect(views.change_password))
    assert [("change_password", CHECK, "guarded")] == found(lockout_protect(failure=400)(views.change_password))
    (door, other) = find_doors(urlconf(views.change_password, views.achange_password))
    assert "\nwith policy.attempt(request, request.user.get_username()) as guess:" in door.write
    assert "\nasync with policy.attempt(" in other.write
    compile(door.write, "line", "exec")


def test_a_view_may_be_two_doors():
    """With a name for each; what guards one is not in vain because it does not guard the other."""
    assert [("both", CALL, "open"), ("both:code-that-calls-check-password", CHECK, "open")] == found(views.both)
    assert ["guarded", "open"] == states(views.protect(views.both))


def test_those_that_are_decorated_can_be_asked_for_alone():
    """Around the view, its class, its handlers, actions and operations."""
    actions = views.Actions.as_view({"post": "create"})
    ours = [views.plain, views.protect(views.plain), views.WithAttempt.as_view(), actions]
    ours += [views.HalfDecorated.as_view(), views.path_with(), views.Plain.as_view()]
    asked = find_doors(urlconf(*ours), decorated=True)
    assert [("1/",), ("3/",), ("4/",), ("5/",)] == [door.routes for door in asked]


# Classes


def test_a_known_view_is_known_in_its_subclasses():
    """And wherever it is mounted; what its code says of the same is no news. What `as_view` is given is read, too."""
    assert [("django.views.generic.edit.FormView", CALL, "open")] == found(FormView.as_view(form_class=views.LoginForm))
    assert [("django.contrib.auth.views.LoginView", "login", "open")] == found(LoginView.as_view())
    assert [("login", "open")] == [one[1:] for one in found(views.OwnLogin.as_view())]


def test_the_admin_is_open_until_each_site_is_decorated():
    """Its login, and the change of a password; the sites have names of their own."""
    one, two = AdminSite(name="one"), AdminSite(name="two")
    one.login = views.protect(one.login)
    doors = found(path("one/", one.urls), path("two/", two.urls))
    name = "django.contrib.admin.sites.AdminSite"
    assert [
        (f"{name}.login:one", "login", "guarded"),
        (f"{name}.password_change:one", "change of password", "open"),
        (f"{name}.login:two", "login", "open"),
        (f"{name}.password_change:two", "change of password", "open"),
    ] == doors


def test_an_admin_whose_login_view_is_decorated_in_place_is_guarded(monkeypatch):
    """The admin makes its page by that view."""
    site = AdminSite(name="one")
    assert "open" in states(path("one/", site.urls))
    monkeypatch.setattr(LoginView, "dispatch", LoginView.dispatch)
    monkeypatch.setattr(LoginView, "lockout_policies", (), raising=False)
    views.protect(LoginView)
    assert [("login", "guarded"), ("change of password", "open")] == [one[1:] for one in found(path("one/", site.urls))]


BASIC = "rest_framework.authentication.BasicAuthentication"
TOKEN = "rest_framework.authentication.TokenAuthentication"


def test_authentication_classes_of_drf_are_doors():
    """One for all views that have it; guarded by themselves, or by what is around the view."""
    assert [(BASIC, "HTTP Basic", "open")] == found(
        views.api_with(BasicAuthentication), views.api_with(BasicAuthentication)
    )
    assert [(TOKEN, "token", "open")] == found(views.api_with(TokenAuthentication))
    assert [("Basic", "HTTP Basic", "guarded")] == found(views.api_with(views.Basic))
    assert [("Own", CALL, "open")] == found(views.api_with(views.Own))
    assert ["guarded"] == states(views.api_with(views.OwnGuarded))[:1]
    assert [(BASIC, "HTTP Basic", "guarded")] == found(views.protect(views.api_with(BasicAuthentication)))
    assert [] == found(type("Odd", (View,), {"authentication_classes": property(str)}).as_view())


def test_tokens_need_a_verdict():
    """`authenticate()` is not asked for them; a decoration for the login beside them is not in vain."""
    assert [(TOKEN, "token", "in vain")] == found(views.protect(views.api_with(TokenAuthentication)))
    assert ["guarded"] == states(lockout_protect(failure=401)(views.api_with(TokenAuthentication)))
    assert ["guarded", "open"] == states(views.protect(views.api_with(BasicAuthentication, TokenAuthentication)))


def test_each_action_of_a_viewset_is_a_door():
    """Of those that verify."""
    router = SimpleRouter()
    router.register("actions", views.Actions, basename="actions")
    assert [("Actions.create", CALL, "guarded"), ("Actions.renew", CALL, "open")] == found(*router.urls)


def test_operations_are_doors_behind_one_path():
    """And what authenticates them: an object, or a function."""
    doors = [("operation", CALL, "guarded")]
    assert doors == found(views.path_with())
    assert [("Authenticator", CALL, "open"), *doors] == found(views.path_with(views.Authenticator()))
    assert [("plain", CALL, "open"), *doors] == found(views.path_with(views.plain))


def test_the_line_for_what_authenticates_operations_lets_nobody_answer():
    """What it returns is a user: the answer to a refused guess would be let in."""
    callback, _ = find_doors(urlconf(views.path_with(views.plain)))
    assert "*presets.LOGIN, request=lambda request: request)  # above" in callback.write
    for door in (callback, find_doors(urlconf(views.path_with(views.Authenticator())))[0]):
        assert door.write.endswith("by @api.exception_handler(LockedOut).")


# The URLconf


def test_routes_are_those_that_requests_have(rf):
    """Through includes, namespaces, converters, regular expressions and translated routes; one door has them all."""
    inner = (
        [path("<int:number>/", views.Plain.as_view()), re_path(r"^old/(?P<name>\w+)$", views.Plain.as_view())],
        "inner",
    )
    patterns = [path("api/", include(inner, namespace="one")), path(gettext_lazy("login/"), views.Plain.as_view())]
    (door,) = find_doors(urlconf(*patterns))
    assert ("api/<int:number>/", r"api/^old/(?P<name>\w+)$", "login/") == door.routes


def test_a_route_that_another_takes_first_is_never_reached():
    """As where a protected view stands before an include; a regular expression may still be."""
    first = path("login/", views.protect(LoginView.as_view()))
    behind = path("", include([path("login/", LoginView.as_view())]))
    assert ["guarded"] == states(first, behind)
    assert ["guarded", "open"] == states(first, re_path("^login/?$", LoginView.as_view()))
    assert ["guarded", "open"] == states(first, re_path("login/", LoginView.as_view()))
    assert ["open"] == [one.state for one in find_doors(urlconf(behind, first))]


# The line to write


def made_by(write, **names):
    exec(write, names)
    return names


def test_the_line_above_a_view_of_the_project_guards_it(rf, verified):
    """Pasted above the function; ends with the right password."""
    (door,) = find_doors(urlconf(views.calls_helper))
    assert door.write.endswith(f"# above {HERE}.calls_helper")
    module = made_by(f"{door.write}\ndef view(request): return check(request)", check=check, __name__=HERE)
    post = partial(rf.post, "/", REMOTE_ADDR="192.0.2.1")
    for _ in range(6):
        module["view"](post(protected.FORM))
    assert (module["view"](post(protected.RIGHT)).status_code, len(verified)) == (429, 5)
    assert ["guarded"] == states(module["view"])


def test_the_line_says_where_it_stands():
    """Above a class of the project's, with the key that it needs; what has no name is decorated in the URLconf."""
    (door,) = find_doors(urlconf(views.Plain.as_view()))
    assert f"@lockout_protect(*presets.LOGIN)  # above {HERE}.Plain" == door.write.splitlines()[-1]
    (door,) = find_doors(urlconf(views.OPEN["<lambda>"]))
    _, line = door.write.splitlines()
    assert "lockout_protect(key=\"ip+username\", max=5, scope='/0/')(...)  # around the view at /0/" == line


def test_the_line_for_a_package_is_for_the_urlconf(monkeypatch):
    """A class is decorated in place, so its URLs stay; a function where it is mounted."""
    monkeypatch.setattr(ObtainAuthToken, "dispatch", ObtainAuthToken.dispatch)
    monkeypatch.setattr(ObtainAuthToken, "lockout_policies", (), raising=False)
    monkeypatch.setattr(ObtainAuthToken, "authentication_classes", ())
    (door,) = find_doors(urlconf(ObtainAuthToken.as_view()))
    made_by(door.write)
    assert ["guarded"] == states(ObtainAuthToken.as_view())
    with mock.patch("lockout_decorators.doors.writing.is_own", return_value=False):
        (door,) = find_doors(urlconf(views.calls_helper))
    guarded = made_by(door.write.replace("\nlockout", "\nguarded = lockout"))["guarded"]
    assert door.write.endswith("# around the view at /0/") and ["guarded"] == states(guarded)


def test_the_line_for_an_admin_site_names_its_variable(monkeypatch):
    """The default site by its usual name, another by where it stands; pasted, all its doors are guarded."""
    doors = find_doors(urlconf(path("partners/", views.partners.urls), path("staff/", protected.default_site.urls)))
    assert "\nadmin.site.password_change = " in doors[-1].write
    assert f"from {HERE} import partners\n" in doors[0].write
    for door in doors[:2]:
        made_by(door.write)
    assert ["guarded", "guarded"] == states(path("partners/", views.partners.urls))
    assert "partners: password_change" == policies_of(views.partners.password_change)[0].scope
    (door, _) = find_doors(urlconf(path("lost/", AdminSite(name="lost").urls)))
    assert "from ... import lost\n" in door.write


def test_the_line_for_an_authentication_class():
    """A class that takes its place where that can be, else a decorator above its method; one that checks passwords by
    itself enters `attempt()`."""
    for kind in (BasicAuthentication, TokenAuthentication):
        (door,) = find_doors(urlconf(views.api_with(kind)))
        guarded = made_by(door.write, __name__=HERE)[f"Guarded{kind.__name__}"]
        assert ["guarded"] == states(views.api_with(guarded))
    (door,) = find_doors(urlconf(views.api_with(views.Own)))
    assert door.write.endswith(f"# above {HERE}.Own.authenticate()")
    (door,) = find_doors(urlconf(views.api_with(views.Checking)))
    assert (f"{HERE}.Checking", CHECK) == (door.name, door.kind)
    assert "policy.attempt(" in door.write

"""The scope of a view is its dotted name, whatever way it was written."""

import functools

import pytest

from lockout_decorators import lockout_protect, policies_of
from lockout_decorators.terms import registry
from lockout_decorators.views.naming import scope_of, takes_request
from tests import doors
from tests.doors import FORM, check, over_http

HERE = "tests.test_scopes"


def view(request): ...


class Login(doors.Plain):
    @classmethod
    def made(cls, request): ...

    @staticmethod
    def still(request): ...


class Nested:
    class Login(doors.Plain):
        pass


def factory():
    def login(request): ...

    return login


@functools.wraps(view)
def wrapping(request): ...


renamed = type("Renamed", (doors.Plain,), {"__module__": HERE})
renamed.__name__ = "Otherwise"

SCOPES = {
    "wrapper": (wrapping, f"{HERE}.view"),
    "closure": (factory(), f"{HERE}.factory.<locals>.login"),
    "partial": (functools.partial(functools.partial(view)), f"{HERE}.view"),
    "nested class": (Nested.Login, f"{HERE}.Nested.Login"),
    "class renamed afterwards": (renamed, f"{HERE}.Otherwise"),
    "partial of as_view": (functools.partial(Login.as_view()), f"{HERE}.Login"),
    "function in a class": (Login.post, "tests.doors.Plain.post"),
    "bound method": (Login().post, f"{HERE}.Login.post"),
    "bound dispatch": (Login().dispatch, f"{HERE}.Login"),
    "class method": (Login.made, f"{HERE}.Login.made"),
    "static method": (Login.still, f"{HERE}.Login.still"),
    "lambda": (lambda request: None, None),
    "partial of a lambda": (functools.partial(lambda request: None), None),
}


@pytest.mark.parametrize("name", SCOPES)
def test_scope_is_the_dotted_name(name):
    """Functions have their qualified name; methods, `as_view()` and objects that of their class."""
    named, scope = SCOPES[name]
    assert scope == scope_of(named)


REQUESTS = {
    "function": (view, True),
    "by keyword": (lambda *, request: None, True),
    "anything": (lambda *args, **kwargs: None, True),
    "method": (Login.post, True),
    "object": (doors.CallableObject(), True),
    "builtin that tells nothing": (dict, True),
    "nothing": (lambda: None, False),
    "keywords only": (lambda *, name: None, False),
    "lone self": (lambda self: None, False),
    "no callable": (5, False),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_what_takes_a_request(name):
    """A first parameter, or one that is called `request`; `self` is none."""
    candidate, expected = REQUESTS[name]
    assert expected == takes_request(candidate)


def test_subclasses_count_apart_from_each_other(verified):
    """Two classes that inherit one decorated `dispatch` don't share counters."""
    send = over_http("wsgi")
    assert [send("/inherited/", FORM).status_code for _ in range(4)] == [401, 401, 401, 429]
    for name in ("also-inherited", "class"):
        assert [send(f"/{name}/", FORM).status_code for _ in range(4)] == [401, 401, 401, 429]
        assert send(f"/{name}/", doors.RIGHT).status_code == 429
    assert len(verified) == 9


def test_subclass_of_a_decorated_method_counts_under_its_own_name(rf, verified):
    """An inherited handler is the subclass's."""

    class Child(doors.Method):
        pass

    assert f"{HERE}.{Child.__qualname__}.post" == policies_of(Child.post)[0].scope
    assert [cls.as_view()(rf.post("/", FORM)).status_code for cls in (Child, doors.Method) * 2] == 4 * [401]


def test_explicit_scope_is_everyones(rf, verified):
    """With `scope=` all that is decorated, subclasses too, shares the counters."""
    shared = lockout_protect(scope="accounts", max=2)

    @shared
    class Base(doors.Plain):
        pass

    class Child(Base):
        pass

    views = [Base.as_view(), Child.as_view(), shared(check)]
    assert [view(rf.post("/", FORM)).status_code for view in views] == [401, 401, 429]
    assert {"accounts"} == {policies_of(view)[0].scope for view in views}
    assert views[0](rf.post("/", doors.RIGHT)).status_code == 429
    assert len(verified) == 2


def test_registration_happens_once(rf):
    """However often `method_decorator` decorates, a scope is registered once, under the view's real name."""
    registry.registered.clear()
    view = doors.method_decorator(lockout_protect(), name="dispatch")(type("Fresh", (doors.Plain,), {})).as_view()
    assert registry.registered == {}
    for _ in range(3):
        view(rf.post("/", FORM))
    assert {scope: len(known) for scope, known in registry.registered.items()} == {"tests.test_scopes.Fresh": 1}

"""lockout_protect: one fact, every spelling; where it may stand, and what it leaves alone."""

import asyncio
from functools import partial

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils.decorators import method_decorator
from django.views import View

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect, policies_of, presets, signals
from lockout_decorators.stores import Store
from lockout_decorators.terms import registry
from tests import doors
from tests.doors import DOORS, FORM, LOCKOUT, MAX, RIGHT, acheck, check, mount, over_http
from tests.sizes import IN_FULL

OWN = LockoutPolicy(scope="s")


@pytest.fixture
def bob(db, django_user_model):
    return django_user_model.objects.create(pk=1, username="bob", is_staff=True)


@pytest.fixture
def scopes(receivers):
    """The scopes under which guesses were refused."""
    seen = []
    signals.attempt_refused.connect(lambda detail, **more: seen.append(detail.status.scope), weak=False)
    return seen


@pytest.fixture
def round_trips(monkeypatch):
    """The operations that reached the cache."""
    seen = []
    for name in ("read", "swap"):
        operation = getattr(Store, name)
        monkeypatch.setattr(Store, name, lambda *args, of=operation: seen.append(of) or of(*args))
    return seen


def lock_out(send, path, verified, **more):
    """Guess until the maximum is reached; every one of these guesses is verified."""
    before = len(verified)
    for number in range(1, MAX + 1):
        assert send(path, FORM, **more).status_code != 429
        assert before + number == len(verified)


# One fact, every spelling

EVERY = [(name, server) for name in DOORS for server in ("wsgi", "asgi")]


@pytest.mark.parametrize(("name", "server"), EVERY if IN_FULL else [*EVERY[::4], *EVERY[3::4]])
def test_guesser_is_stopped_at_every_door(name, server, verified, scopes, bob):
    """After the maximum of wrong guesses even the correct password is refused, and only this client. The view carries
    its policy, unless somebody else's decorator lies between."""
    door, send = DOORS[name], over_http(server)
    lock_out(send, f"/{name}/", verified)
    refused = send(f"/{name}/", RIGHT)
    assert (refused.status_code, len(verified)) == (429, MAX)
    assert 1 <= int(refused["Retry-After"]) <= LOCKOUT
    assert "no-store" in refused["Cache-Control"]
    assert [door.scope] == scopes
    if "method_decorator" not in name and name != "api_view-inside":
        (policy,) = policies_of(door.carrier or door.view)
        assert (door.scope, MAX) == (policy.scope, policy.max)
        assert policy.status(RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")).locked
    welcome = send(f"/{name}/", RIGHT, address="192.0.2.2")
    assert welcome.status_code in (200, 302)
    assert len(verified) == MAX + 1


ROUTES = {"/staff/login/": "admin", "/second/login/": "second-admin", "/routed/actions/": "ViewSet-method"}
ROUTES |= {"/routed/actions/inner/": "ViewSet-action", "/routed/actions/outer/": "ViewSet-action-outside"}


@pytest.mark.parametrize("path", ROUTES)
def test_routes_that_others_made_lead_to_the_same_door(path, verified, bob):
    """The admin's own URLs and a router's count under the scope of the view."""
    send = over_http("wsgi")
    lock_out(send, path, verified)
    assert [429, 429] == [send(where, RIGHT).status_code for where in (path, f"/{ROUTES[path]}/")]
    assert MAX == len(verified)


@pytest.mark.parametrize("name", ["inherited", "class", "method"])
def test_decorated_class_carries_its_policy(name):
    """A class that was decorated, or inherits from one, carries its policy as well, and so do its methods."""
    door = DOORS[name]
    cls = door.view.view_class
    for carrier in (cls.post if name == "method" else cls, getattr(cls(), "post" if name == "method" else "dispatch")):
        assert [door.scope] == [policy.scope for policy in policies_of(carrier)]


def test_policy_under_method_decorator_needs_a_scope_of_its_own(rf):
    """What `method_decorator` decorates at import is no view, so that its policy can't be used by hand; with a scope
    the view carries it."""
    with pytest.raises(Exception, match=r'write scope="\.\.\."'):
        policies_of(doors.Decorated.as_view())[0].status(rf.get("/"))
    cls = method_decorator(lockout_protect(OWN), name="dispatch")(type("Named", (doors.Plain,), {}))
    assert (OWN,) == policies_of(cls.as_view())


class Login:
    async def __call__(self, request):
        return await acheck(request)


class Child(doors.Method):
    def post(self, request):
        return doors.Method.post(self, request)


class Controller:
    @lockout_protect(max=MAX, scope="controller")
    def log_in(self, request):
        return check(request)


CALLS = {
    "request by its name": lambda request: doors.function(request=request),
    "unmarked asynchronous callable": lambda request: asyncio.run(login(request)),
    "old-style super": Child.as_view(),
    "by name behind an object": lambda request: vars(Controller)["log_in"](Controller(), request=request),
}
login = lockout_protect(max=MAX, scope="login")(Login())


@pytest.mark.parametrize("call", CALLS)
def test_a_view_is_protected_however_it_is_called(call, verified):
    """As where a framework keeps the function of a method, or a class calls `Base.post(self, request)`."""
    answers = [CALLS[call](RequestFactory().post("/", form)) for form in (FORM, FORM, FORM, RIGHT)]
    assert ([401, 401, 401, 429], MAX) == ([answer.status_code for answer in answers], len(verified))


# Misplaced


class Selfish:
    def method(self): ...


def registered(mark):
    """An operation of django-ninja, or of django-ninja-extra, as their decorators leave it."""

    def operation(request): ...

    setattr(operation, mark, object())
    return operation


NO_PARENTHESES = r"parentheses: write @lockout_protect\(\)"
REGISTERED = "is registered, unprotected: put lockout_protect below"
MISTAKES = {
    "no parentheses": (lambda: lockout_protect(check), NO_PARENTHESES),
    "no parentheses, class": (lambda: lockout_protect(doors.Plain), NO_PARENTHESES),
    "no keyword": (lambda: lockout_protect("ip"), "'ip' is no policy; a key goes by its name: key='ip'"),
    "no star": (
        lambda: lockout_protect(presets.LOGIN),
        r"a tuple is no policy; .* star .*: lockout_protect\(\*policies",
    ),
    "no star, of a list": (lambda: lockout_protect([OWN]), "a list is no policy; put a star before it"),
    "no stars": (lambda: lockout_protect({"key": "ip"}), r"put two stars before it: lockout_protect\(\*\*arguments\)"),
    "number": (lambda: lockout_protect(5), "5 is no policy; arguments go by their names, as key= and max= do"),
    "nothing": (lambda: lockout_protect(None), "None is no policy; arguments go by their names"),
    "class": (lambda: lockout_protect(LockoutPolicy), r'is a class; make a policy of it: LockoutPolicy\(scope="login"'),
    "no policy among several": (lambda: lockout_protect(OWN, "username"), "key='username'"),
    "policies and arguments": (lambda: lockout_protect(OWN, max=5), "not both: max"),
    "no name": (lambda: LockoutPolicy("login"), r"'login' needs a name, as in LockoutPolicy\(scope='login'\)"),
    "another name": (lambda: lockout_protect(maximum=5), "there is no argument maximum=; did you mean max="),
    "no such thing": (lambda: lockout_protect(colour=5), "there is no argument colour=; there are key, max, window, "),
    "of a policy": (lambda: LockoutPolicy(scope="s", attempts=5), "attempts"),
    "exception": (lambda: lockout_protect(failure=PermissionDenied), "raised counts by its status, as .* by 403"),
    "exceptions": (lambda: lockout_protect(failure=(401, PermissionDenied)), "what is raised counts by its status"),
    "no parameters": (lambda: lockout_protect()(lambda: None), "takes no request"),
    "no callable": (lambda: lockout_protect()(5), "takes no request"),
    "dotted path": (lambda: lockout_protect()("app.views.login"), "takes no request"),
    "generator": (lambda: lockout_protect()(lambda request: (yield)), "is a generator function"),
    "asynchronous generator": (lambda: lockout_protect()(QuerySet.aiterator), "is a generator function"),
    "above ninja's decorator": (lambda: lockout_protect()(registered("_ninja_operation")), REGISTERED),
    "above that of ninja-extra": (lambda: lockout_protect()(registered("OPERATION_ENDPOINT_KEY")), REGISTERED),
    "method without a request": (lambda: lockout_protect()(Selfish.method), "takes no request"),
    "class that is no view": (
        lambda: lockout_protect()(AuthenticationForm),
        r"has no dispatch\(\)\. Decorate its methods",
    ),
    "what makes a view": (lambda: lockout_protect()(View.as_view), r"makes views, and is none: call it, as_view\(\)"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_stops_the_import(name):
    """What can't be protected, or is spelled wrong, is an error that says what to write."""
    use, message = MISTAKES[name]
    with pytest.raises((TypeError, ValueError), match=message):
        use()


def test_policies_that_are_made_by_the_request_are_not_kept_for_ever(monkeypatch):
    """Their lambdas equal no other. The first ones, made at import, stay known, and so do the last."""
    monkeypatch.setattr(registry, "SCOPES", 10)
    made = [LockoutPolicy(scope="many", key=lambda request, identity: "all") for _ in range(100)]
    known = registry.registered["many"]
    assert (known[0], known[-1], len(known)) == (made[0], made[-1], registry.MOST)
    for n in range(100):
        LockoutPolicy(scope=f"of {n}")
    assert len(registry.registered) == 10
    assert {"many", "of 0", "of 99"} <= {*registry.registered}


NAMELESS = {
    "lambda": lambda request: HttpResponse(),
    "partial": partial(lambda request: HttpResponse()),
    "nested partial": partial(partial(lambda request: HttpResponse())),
}


@pytest.mark.parametrize("name", NAMELESS)
def test_view_without_a_name_needs_a_scope(name):
    """Where no scope can be derived, one is demanded."""
    view = NAMELESS[name]
    with pytest.raises(ValueError, match=r'has no name to count under; write scope="\.\.\."'):
        lockout_protect()(view)
    assert policies_of(lockout_protect(scope="mine")(view))[0].scope == "mine"


@pytest.mark.parametrize("arguments", [(), (5,), ("request",)])
def test_call_without_a_request_is_an_error(arguments):
    """A view that is called with something else says what came."""
    with pytest.raises(TypeError, match=r"where a request belongs\. .*request=lambda self, \*args, \*\*kwargs"):
        doors.function(*arguments)


def test_awaitable_of_an_unmarked_view_is_an_error(rf):
    """A view that returns an awaitable without being marked as a coroutine function would escape its block."""

    @lockout_protect()
    def view(request):
        future = asyncio.Future(loop=loop)
        future.set_result(HttpResponse())
        return future

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(TypeError, match="not marked as a coroutine function"):
            view(rf.post("/"))
    finally:
        loop.close()


# What counts and what doesn't


def broken(request):
    """See `test_outcomes`."""
    raise ZeroDivisionError


async def abroken(request):
    broken(request)


@pytest.mark.parametrize("method", ["get", "head", "options", "post"])
def test_a_view_that_never_authenticates_counts_nothing(method, send, round_trips, settings):
    """On a safe method it never reaches the cache; a POST costs one early look, and any number locks nobody out."""
    mount(settings, lockout_protect(max=1, scope="idle")(lambda request: HttpResponse(status=401)))
    assert [401] * 4 == [send("/", method=method).status_code for _ in range(4)]
    assert (4 if method == "post" else 0) == len(round_trips)


def test_failure_that_the_response_shows_costs_one_round_trip_more(rf, round_trips):
    """The mark is put on what the early look has read."""
    view = lockout_protect(scope="shown", key="ip+ua", max=2, failure=401)(lambda request: HttpResponse(status=401))
    assert [401, 401, 429] == [view(rf.get("/", HTTP_AUTHORIZATION="wrong")).status_code for _ in range(3)]
    assert len(round_trips) == 2 + 3 + 1  # a lock is put on file


def test_invalid_form_and_csrf_failure_count_nothing(verified, db):
    """Only a verdict of `authenticate()` counts."""
    for _ in range(2 * MAX):
        assert Client().post("/LoginView/", {"username": "bob"}).status_code == 200
        assert Client(enforce_csrf_checks=True).post("/LoginView/", FORM).status_code == 403
    assert verified == []
    assert Client().post("/LoginView/", FORM).status_code == 200
    assert len(verified) == 1


@pytest.mark.parametrize("method", ["get", "put", "trace", "head", *["patch", "delete", "options"] * IN_FULL])
def test_verdict_counts_whatever_the_method(method, send, verified, settings):
    """A view that authenticates on any method counts on that method, and a lock holds for all of them."""

    @lockout_protect(max=MAX)
    def view(request):
        user = authenticate(request, username="bob", password=request.headers["Secret"])
        return HttpResponse(status=200 if user else 401)

    mount(settings, view)
    for path in ("/", "/?next=/", "/"):
        assert send(path, method=method, headers={"Secret": "wrong"}).status_code == 401
    assert len(verified) == MAX
    for again in (method, "post", "get"):
        refused = send("/", method=again, headers={"Secret": "right", "X-HTTP-Method-Override": "GET"})
        assert refused.status_code == 429
    assert len(verified) == MAX


@pytest.mark.parametrize(("methods", "looks"), [(None, 1), (("post",), 1), (["PUT"], 0), ((), 0)])
def test_methods_says_when_the_lock_is_looked_up_early(methods, looks, send, settings, round_trips):
    """`methods=` names the methods on which the client is looked up before the view runs; () means never."""
    mount(settings, lockout_protect(methods=methods, scope="m")(lambda request: HttpResponse()))
    send("/", FORM)
    assert looks == len(round_trips)


@pytest.mark.parametrize("methods", [None, ()])
def test_view_that_catches_locked_out_keeps_its_answer(methods, send, verified, settings):
    """The refusal is raised by `authenticate()`, where a view may catch it; with `methods=()` it always is."""

    def view(request):
        try:
            return check(request)
        except LockedOut as locked_out:
            return HttpResponse(f"{locked_out.status.failures} of {locked_out.status.maximum}", status=418)

    mount(settings, lockout_protect(max=MAX, methods=methods, scope="catching")(view))
    assert [401] * MAX == [send("/", FORM).status_code for _ in range(MAX)]
    refused = send("/", RIGHT)
    assert (429 if methods is None else 418, MAX) == (refused.status_code, len(verified))
    assert methods is None or b"3 of 3" == refused.content


@pytest.mark.parametrize("view", [broken, abroken])
def test_outcomes_of_the_view_pass_through(view, send, settings):
    """Responses and exceptions of a protected view are its own."""
    mount(settings, lockout_protect()(view))
    with pytest.raises(ZeroDivisionError):
        send("/")


def test_decorated_view_looks_like_the_view():
    """Name, documentation and attributes are the view's own."""
    view = lockout_protect()(broken)
    view.csrf_exempt = True
    assert ("broken", "See `test_outcomes`.", True) == (view.__name__, view.__doc__, view.__wrapped__.csrf_exempt)


def test_protected_view_shows_itself_as_the_view():
    """In a repr, as error pages and `resolve()` have it, and to whoever asks what `as_view()` wraps: nothing."""
    bare, late = doors.Plain.dispatch, partial(check)
    for view in (check, late, bare):
        assert repr(lockout_protect(scope="repr")(view)) == repr(view)
    protected = lockout_protect()(type("Shown", (doors.Plain,), {}))
    assert repr(protected.dispatch) == repr(protected.dispatch.__wrapped__)
    assert not hasattr(protected.as_view(), "__wrapped__")


def test_decorated_class_keeps_its_arguments(rf, settings):
    """URL arguments reach `dispatch` of a decorated class, by position and by keyword."""

    @lockout_protect()
    class Arguments(View):
        def get(self, request, *args, **kwargs):
            return HttpResponse(f"{args} {kwargs}")

    assert Arguments.as_view()(rf.get("/"), 1, two=2).content == b"(1,) {'two': 2}"

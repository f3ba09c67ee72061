"""Passwords: in no report that Django mails, no log record, no repr, no cache entry; whoever raises, wherever."""

import gc
import json
import logging
import traceback
from base64 import b64encode
from functools import partialmethod
from itertools import cycle, islice, product
from pathlib import Path
from urllib.parse import urlencode

import django
import pytest
from django.conf import settings as project
from django.contrib.auth import aauthenticate, authenticate, backends
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.dispatch import Signal
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.views import APIView

import lockout_decorators
from lockout_decorators import LockoutPolicy, lockout_protect, signals
from tests.backends import CountingBackend
from tests.doors import mount
from tests.sizes import IN_FULL
from tests.wire import HERE, SERVERS, Raw

SECRET = "s3cr3t-hunter2"
PACKAGE = str(Path(lockout_decorators.__file__).parent)
CSRF = "c" * 32


class Broken(RuntimeError):
    """What is raised on purpose."""


def broken(*args, **kwargs):
    raise Broken("on purpose")


class BrokenBackend(backends.BaseBackend):
    """As careful as Django's own, in both worlds."""

    @sensitive_variables()
    def authenticate(self, request, username=None, password=None):
        raise Broken("the directory is down")

    @sensitive_variables()
    async def aauthenticate(self, request, username=None, password=None):
        raise Broken("the directory is down")


class BrokenCache(LocMemCache):
    """Fails, like a client that lost its server, on the methods of these names."""

    methods = ()

    def _called(self, name, *args, **kwargs):
        if name in self.methods:
            raise ConnectionError(f"no {name} of {args} {kwargs}")
        return getattr(super(), name)(*args, **kwargs)

    get_many = partialmethod(_called, "get_many")
    set = partialmethod(_called, "set")
    delete = partialmethod(_called, "delete")


# Careful views, which show nothing by themselves: those of Django, and what its documentation asks of one's own


def after(user):
    """What a view does next; some tests break it."""
    return HttpResponse(status=200 if user else 401)


class Form(LoginView):
    def form_invalid(self, form):
        return after(None)

    def form_valid(self, form):
        return after(form.get_user())


@sensitive_post_parameters()
@sensitive_variables()
def careful_form(request):
    return after(authenticate(request, username=request.POST["username"], password=request.POST["password"]))


@sensitive_variables()
def careful_json(request):
    return after(authenticate(request, **json.loads(request.body)))


@sensitive_variables()
async def careful_async(request):
    return after(await aauthenticate(request, **json.loads(request.body)))


class Basic(APIView):
    """Its authenticator asks `authenticate()`, outside of the handler."""

    def post(self, request):
        return after(request.user)


@sensitive_post_parameters()
def own_check(request):
    return HttpResponse(status=200 if request.POST["password"] == "another" else 401)


@sensitive_post_parameters()
def careless(request):
    password = request.POST["password"]
    raise Broken(len(password))


class Token(ObtainAuthToken):
    def post(self, request):
        self.get_serializer(data=request.data).is_valid(raise_exception=True)
        return after(True)


VIEWS = {
    "LoginView": Form.as_view(template_name="admin/login.html"),
    "form": careful_form,
    "JSON": careful_json,
    "async JSON": careful_async,
    "Basic": Basic.as_view(),
    "token": Token.as_view(),
}
DRF = {"Basic", "token"}  # shows the password in frames of its own, whoever raises


def guess(door):
    found, headers = {"username": "bob", "password": SECRET}, {"cookie": f"csrftoken={CSRF}", "x-csrftoken": CSRF}
    if door in ("LoginView", "form"):
        return Raw(urlencode(found).encode(), {**headers, "content-type": "application/x-www-form-urlencoded"})
    if door == "Basic":
        headers["authorization"] = "Basic " + b64encode(f"bob:{SECRET}".encode()).decode()
    return Raw(json.dumps(found).encode(), {**headers, "content-type": "application/json"})


ALL = sorted(product(SERVERS, VIEWS))
SOME = ALL if IN_FULL else [("wsgi", "LoginView"), ("asgi", "async JSON"), ("wsgi", "Basic")]
EACH = ALL if IN_FULL else ALL[: len(VIEWS) : 2] + ALL[len(VIEWS) + 1 :: 2]  # every view, at either server
everywhere = pytest.mark.parametrize("pair", EACH, ids=" ".join, indirect=True)
by_either_server = pytest.mark.parametrize("pair", [("wsgi", "form"), ("asgi", "form")], ids=" ".join, indirect=True)


def at_doors(name, choices):
    """Every choice at every door; at home each choice at one, and each door with one."""
    most = max(len(choices), len(SOME))
    some = product(ALL, choices) if IN_FULL else islice(zip(cycle(SOME), cycle(choices), strict=False), most)
    chosen = [pytest.param(pair, choices[key], id=f"{' '.join(pair)}-{key}") for pair, key in some]
    return pytest.mark.parametrize(("pair", name), chosen, indirect=["pair"])


@pytest.fixture(params=SOME, ids=" ".join)
def pair(request):
    """A server and a door: reports take long to make, so that at home a sample has to do."""
    return request.param


@pytest.fixture
def server(pair):
    return SERVERS[pair[0]]


@pytest.fixture
def door(pair):
    return pair[1]


class Records(logging.Handler):
    """Keeps what is logged, however the logger is configured."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def emit(self, record):
        self.kept.append(record)


@pytest.fixture
def records():
    """Every record, of every logger, from DEBUG on."""
    handler, names = Records(), ["", "lockout_decorators", *logging.root.manager.loggerDict]
    loggers = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.root.addHandler(handler)
    yield handler.kept
    logging.root.removeHandler(handler)
    for logger, level in loggers.items():
        logger.setLevel(level)


@pytest.fixture
def mails(settings, records, mailoutbox, monkeypatch):
    """What Django mails to the admins of a site in production: plain text, and HTML with all variables."""
    address = "admin@example.com"
    settings.ADMINS = [("Admin", address) if django.VERSION < (6,) else address]
    settings.MAILERS = {
        "default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}
    }  # Django 6.1 wants them
    settings.DEBUG = False
    (handler,) = (known for known in logging.getLogger("django").handlers if isinstance(known, AdminEmailHandler))
    monkeypatch.setattr(handler, "include_html", True)
    logging.getLogger("django.template").setLevel(logging.INFO)  # the report's own templates have much to tell
    return mailoutbox


def texts_of(mail):
    """A mail as it travels, and its parts as they are read."""
    return [mail.subject, mail.body, *(content for content, _ in mail.alternatives), mail.message().as_string()]


# Where a password is seen


def chain(error):
    """The frames of an exception and of those that led to it."""
    while error is not None:
        yield from traceback.walk_tb(error.__traceback__)
        error = error.__cause__ or error.__context__


def ours(frame):
    return frame.f_code.co_filename.startswith(PACKAGE)


def seen_in(record):
    """The frames and variables that show the password in Django's report of a record."""
    reporter = ExceptionReporter(getattr(record, "request", None), *record.exc_info)
    return {
        (frame["filename"], frame["function"], name)
        for frame in reporter.get_traceback_frames()
        for name, shown in frame["vars"]
        if SECRET in str(shown)
    }


def unguarded(error):
    """The variables of this package's frames that show the password to who doesn't know Django's guards."""
    found = set()
    for frame, _ in chain(error):
        found |= {name for name, value in frame.f_locals.items() if ours(frame) and SECRET in repr(value)}
    return found


def frames_in(records):
    return [frame for record in errors_in(records) for frame, _ in chain(record.exc_info[1])]


def errors_in(records):
    return [record for record in records if record.levelno >= logging.ERROR and record.exc_info]


def assert_told_without(records, mails, known=frozenset()):
    """Something was reported, and nothing of it shows the password, but for what the bare view shows too."""
    assert errors_in(records)
    assert [kind for mail in mails for _, kind in mail.alternatives] == ["text/html"] * len(errors_in(records))
    for record in errors_in(records):
        assert seen_in(record) <= known
        assert unguarded(record.exc_info[1]) <= {"credentials"}, "seen where Django's own authenticate() has it"
        assert SECRET not in "".join(traceback.format_exception(record.exc_info[1]))
    for record in records:
        assert SECRET not in f"{record.getMessage()} {record.args!r} {record.exc_text}"
        assert SECRET not in repr({**vars(record), "exc_info": None})
    if not known:
        for mail in mails:
            assert [text for text in texts_of(mail) if SECRET in text] == []


SHOWN = {}


def bare_shows(settings, server, door, records, mails):
    """What the view shows without this package, when its backend or it itself is broken."""
    if (server, door) in SHOWN:
        return SHOWN[server, door]
    for breaks in ("backend", "view"):
        with pytest.MonkeyPatch.context() as patch:
            break_(patch, breaks)
            mount(settings, VIEWS[door])
            server(guess(door))
    known = {found for record in errors_in(records) for found in seen_in(record)}
    assert not {file for file, _, _ in known if file.startswith(PACKAGE)}
    assert (known != set()) is (door in DRF)
    records.clear()
    mails.clear()
    return SHOWN.setdefault((server, door), known)


def break_(patch, what):
    if what == "view":
        patch.setattr(f"{__name__}.after", broken)
    else:
        patch.setattr(project, "AUTHENTICATION_BACKENDS", [f"{__name__}.BrokenBackend"])


def protect(settings, door, **arguments):
    """Serve a protected view at /."""
    given = {"scope": "s", "max": 2, "methods": (), "patience": 0, **arguments}
    mount(settings, lockout_protect(**given)(VIEWS[door]))


# The reports


@pytest.fixture(autouse=True)
def right(monkeypatch):
    """The secret is bob's password."""
    monkeypatch.setitem(CountingBackend.passwords, "bob", SECRET)


BROKEN = {  # what breaks of the project; settings; arguments of the policy
    "backend": {"breaks": "backend"},
    "view": {"breaks": "view"},
    "key": {"key": broken},
    "username": {"username": broken},
    "exempt": {"exempt": broken},
    "early key": {"key": broken, "failure": 401, "methods": ["POST"]},
    "early address": {"methods": ["POST"], "LOCKOUT_CLIENT_IP": broken},
    "address": {"LOCKOUT_CLIENT_IP": broken},
    "setting": {"LOCKOUT_ENABLED": "no"},
    "early answer": {"response": broken, "methods": ["POST"], "max": 1},
    "answer": {"response": broken, "max": 1},
}


@at_doors("given", BROKEN)
def test_broken_project(given, server, door, mails, records, settings, monkeypatch):
    """An exception of the project, of what the policy was given, in a setting, or in the answer to a refused guess."""
    known = bare_shows(settings, server, door, records, mails)
    for name in filter(str.isupper, given):
        setattr(settings, name, given[name])
    protect(settings, door, **{name: given[name] for name in given if name.islower() and name != "breaks"})
    if "breaks" in given:
        break_(monkeypatch, given["breaks"])
    if "response" in given:
        with LockoutPolicy(scope="s", max=1).attempt(RequestFactory().post("/", REMOTE_ADDR=HERE), "bob"):
            pass
    assert server(guess(door)).status == 500
    assert_told_without(records, mails, known)


def test_broken_challenge(server, door, records, settings):
    """Its exception is logged, and goes no further: the log shows no password."""
    protect(settings, door, challenge=broken, challenge_after=1)
    with LockoutPolicy(scope="s", max=2).attempt(RequestFactory().post("/", REMOTE_ADDR=HERE), "bob"):
        pass
    assert server(guess(door)).status == 429
    (record,) = errors_in(records)
    assert {"_ask", "broken"} == {frame.f_code.co_name for frame in frames_in(records)}
    assert (set(), set()) == (seen_in(record), unguarded(record.exc_info[1]))
    assert SECRET not in f"{record.getMessage()} {record.exc_text}"


@at_doors(
    "broke", {f"{call} {when}": (call, when) for call in ("get_many", "set", "delete") for when in ("early", "late")}
)
def test_broken_cache(broke, server, door, mails, records, settings, monkeypatch, receivers):
    """An exception in the cache client, which a receiver passes on, and which led to that of an answer."""
    known = bare_shows(settings, server, door, records, mails)
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache", "LOCATION": "broken"}}
    cache.clear()
    protect(settings, door, response=broken, methods=["POST"] if broke[1] == "early" else ())
    monkeypatch.setattr(BrokenCache, "methods", broke[:1])
    server(guess(door))
    assert_told_without(records, mails, known)
    assert any(isinstance(frame.f_locals.get("self"), BrokenCache) for frame in frames_in(records))


@pytest.fixture
def receivers():
    """Receivers of all signals that raise what they are told, or something else."""

    def receive(sender, request, detail, **kwargs):
        raise Broken("a receiver") from getattr(detail, "error", None)

    known = [signal for signal in vars(signals).values() if isinstance(signal, Signal)]
    for signal in known:
        signal.connect(receive)
    yield
    for signal in known:
        signal.disconnect(receive)


def test_broken_receivers(server, door, mails, records, settings, monkeypatch, receivers):
    """An exception in a receiver of a failure, a lock and a refusal, which Django logs."""
    known = bare_shows(settings, server, door, records, mails)
    monkeypatch.setitem(CountingBackend.passwords, "bob", "another")
    protect(settings, door)
    statuses = [server(guess(door)).status for _ in range(3)]
    assert statuses[-1] == 429
    assert_told_without(records, mails, known)
    assert len(errors_in(records)) == 4


@by_either_server
def test_response_is_the_verdict(server, mails, records, settings):
    """An exception of `failure`, after a view that verifies by itself."""
    mount(settings, lockout_protect(scope="s", failure=broken)(own_check))
    assert server(guess("form")).status == 500
    assert_told_without(records, mails)


@by_either_server
def test_reports_would_show_it_otherwise(server, mails, records, settings):
    """The tests above can fail: a careless view's own frame is seen, in the report and in the mail."""
    mount(settings, lockout_protect(scope="s")(careless))
    assert server(guess("form")).status == 500
    (record,) = errors_in(records)
    assert {(name, variable) for _, name, variable in seen_in(record)} == {("careless", "password")}
    assert [SECRET in text for mail in mails for text in texts_of(mail)] == [False, False, True, True]


# What is at rest


def slots_of(found):
    """What an object without a `__dict__` holds; a call has the credentials, or there would be none."""
    names = () if type(found).__name__ == "Call" else getattr(type(found), "__slots__", ())
    return [getattr(found, name, None) for name in names]


def test_nothing_that_lives_shows_it(server, door, records, settings, monkeypatch):
    """Every object of this package, inside the view, by its repr and by that of what it holds."""
    living = []

    def look(user):
        gc.unfreeze()  # what was there before the first test lives, too
        living.extend(found for found in gc.get_objects() if "lockout_decorators" in str(type(found).__module__))
        gc.freeze()
        return HttpResponse(status=200)

    monkeypatch.setattr(f"{__name__}.after", look)
    protect(settings, door)
    assert server(guess(door)).status == 200
    assert {"Block", "Guesses", "Guess", "Call", "LockoutPolicy"} <= {type(found).__name__ for found in living}
    for found in living:
        assert SECRET not in f"{found!r} {found} {getattr(found, '__dict__', {})!r} {slots_of(found)!r}"


def stored():
    return repr([cache._cache, cache._expire_info])


class Snapshots(list):
    """Of the cache, each time that the hasher runs."""

    def append(self, credentials):
        super().append(stored())


@everywhere
@pytest.mark.parametrize("password", [SECRET, "another"])
def test_no_entry_and_no_record_holds_it(password, server, door, records, settings, monkeypatch):
    """Failures, locks, refusals and successes: no key and no value of the cache, as they are stored, no log record."""
    monkeypatch.setitem(CountingBackend.passwords, "bob", password)
    monkeypatch.setattr(CountingBackend, "verified", during := Snapshots())
    protect(settings, door)
    for _ in range(4):
        server(guess(door))
    for entries in (*during, stored()):
        assert ("lockout:" in entries) is (entries in during or password != SECRET)
        assert SECRET not in entries
        assert "bob" not in entries
    for record in records:
        assert SECRET not in f"{record.getMessage()} {record.args!r} {vars(record)!r}"


@everywhere
def test_refusals_and_outages_carry_none(server, door, settings, monkeypatch):
    """What a view may catch, and what it says."""
    raised = []

    def answer(request, locked_out):
        raised.append(locked_out)
        return HttpResponse(status=locked_out.status_code)

    monkeypatch.setitem(CountingBackend.passwords, "bob", "another")
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache", "LOCATION": "broken"}}
    cache.clear()
    protect(settings, door, response=answer)
    assert [server(guess(door)).status for _ in range(3)][-1] == 429
    monkeypatch.setattr(BrokenCache, "methods", ("get_many",))
    assert server(guess(door)).status == 503
    for error in raised:
        assert SECRET not in f"{error!r} {error} {error.args} {vars(error)} {error.status}"
        assert unguarded(error) <= {"credentials"}

"""What is told of failures, locks and outages, to whom; and what is told to nobody: the passwords."""

import logging
import pickle
import re
import sys
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import FrozenInstanceError, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.contrib import auth
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.backends import BaseBackend
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.dispatch import Signal
from django.http import HttpResponse
from django.test import RequestFactory
from django.views.debug import ExceptionReporter
from django.views.decorators.debug import sensitive_variables
from rest_framework.views import APIView

from lockout_decorators import LockedOut, LockoutPolicy, LockoutStatus, lockout_protect, signals
from lockout_decorators.attempts.watch import Call
from lockout_decorators.exceptions import StoreError, StoreUnavailable, flavoured
from lockout_decorators.records.record import STAMP, parse, spell
from lockout_decorators.stores import Change
from lockout_decorators.stores.locmem import LocMemStore
from tests.backends import CountingBackend
from tests.doors import FORM, RIGHT, acheck, check

HERE = "192.0.2.1"
NAMES = "attempt_failed", "locked_out", "attempt_refused", "succeeded_after_failures", "lockout_reset", "store_failed"


class FailingCache(LocMemCache):
    """Fails on the calls that `fails` says, counted from 1."""

    calls = 0
    fails: Callable[[int], bool]

    def _called(self, name):
        cls = FailingCache
        cls.calls += 1
        if cls.fails(cls.calls):
            raise ConnectionError(f"no {name} to 10.0.0.9\r\nforged")

    def get_many(self, *args, **kwargs):
        self._called("get_many")
        return super().get_many(*args, **kwargs)

    def set(self, *args, **kwargs):
        self._called("set")
        return super().set(*args, **kwargs)

    def delete(self, *args, **kwargs):
        self._called("delete")
        return super().delete(*args, **kwargs)


@pytest.fixture
def outage(settings, monkeypatch):
    """Make the calls of the cache fail: all, or those for which `fails(number)` is true."""
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.FailingCache", "LOCATION": "failing"}}

    def outage(fails=lambda number: True):
        monkeypatch.setattr(FailingCache, "calls", 0)
        monkeypatch.setattr(FailingCache, "fails", staticmethod(fails), raising=False)

    outage(lambda number: False)
    cache.clear()
    return outage


@pytest.fixture
def told():
    """The signals that were sent, as (name, sender, request, detail)."""
    seen = []
    with ExitStack() as stack:
        for name in NAMES:

            def receive(sender, request, detail, name=name, **kwargs):
                seen.append(SimpleNamespace(name=name, sender=sender, request=request, detail=detail))

            stack.enter_context(hearing(receive, name))
        yield seen


@contextmanager
def hearing(receive, *names, **more):
    """Connects a receiver to these signals."""
    for name in names:
        getattr(signals, name).connect(receive, **more)
    try:
        yield
    finally:
        for name in names:
            getattr(signals, name).disconnect(receive, **more)


def names_of(told):
    return [event.name for event in told]


@pytest.fixture
def lines(caplog):
    """The package's log: (level, message)."""
    caplog.set_level(logging.DEBUG, "lockout_decorators")

    def lines():
        records = [record for record in caplog.records if record.name == "lockout_decorators"]
        return [(record.levelname, record.getMessage()) for record in records]

    return lines


def request_for(form=FORM, **meta):
    return RequestFactory().post("/", form, **{"REMOTE_ADDR": HERE, **meta})


class API(APIView):
    """Asks as `check` does, inside DRF."""

    def post(self, request):
        return check(request)


KINDS = {"sync": check, "async": acheck, "DRF": None}


@pytest.fixture(params=KINDS)
def protect(request):
    """Protect a view of each kind; returns how to guess at it."""

    def protect(**arguments):
        target = KINDS[request.param] or API.as_view()
        view = lockout_protect(**{"scope": "s", "max": 2, "patience": 0, **arguments})(target)
        view = async_to_sync(view) if request.param == "async" else view
        return lambda form=FORM, **meta: view(request_for(form, **meta))

    return protect


# Events


def test_course_of_a_lock(protect, told, lines, verified, time_machine):
    """A failure is INFO, a lock WARNING, a refusal DEBUG; each sends its signal, with one frozen detail.

    People can tell each other a lock by its reference.
    """
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    guess = protect(lockout=60)
    for form in (FORM, FORM, FORM, RIGHT):
        guess(form)
    assert len(verified) == 2
    where = f"scope='s' address={HERE} username='bob'"
    nobody = f"scope='s' address={HERE} username=None"
    assert ["", code := told[-1].detail.status.reference] == sorted({event.detail.status.reference for event in told})
    assert re.fullmatch("[2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4}", code)
    assert [
        ("INFO", f"failed attempt 1 of 2: {where}"),
        ("INFO", f"failed attempt 2 of 2: {where} reference={code}"),
        ("WARNING", f"locked out after 2 failures: {where} reference={code} until=2030-01-01T00:01:00Z"),
        ("DEBUG", f"attempt refused: {nobody} reference={code}"),
        ("DEBUG", f"attempt refused: {nobody} reference={code}"),
    ] == lines()
    names = ["attempt_failed", "attempt_failed", "locked_out", "attempt_refused", "attempt_refused"]
    assert names == names_of(told)
    open_, locked = (1, None, None), (2, 60, datetime(2030, 1, 1, 0, 1, tzinfo=UTC))
    statuses = [event.detail.status for event in told]
    assert [open_, locked, locked, locked, locked] == [(s.failures, s.retry_after, s.until) for s in statuses]
    assert [status.locked for status in statuses] == [False, True, True, True, True]
    assert {("s", 2, "key")} == {(status.scope, status.maximum, status.counter) for status in statuses}
    assert [event.detail.username for event in told] == ["bob", "bob", "bob", None, None]
    assert {(HERE, True, False)} == {(e.detail.address, e.detail.enforced, e.detail.ceiling) for e in told}
    assert {HERE} == {event.request.META["REMOTE_ADDR"] for event in told}
    assert {"s"} == {event.sender.scope for event in told}


def test_lock_is_told_once(protect, told):
    """However many guesses meet it."""
    guess = protect(max=1, methods=())
    for _ in range(5):
        guess()
    assert ["attempt_failed", "locked_out", *["attempt_refused"] * 4] == names_of(told)
    assert {"bob"} == {event.detail.username for event in told}


def test_lock_is_told_though_the_reply_was_lost(told, verified, monkeypatch):
    """And another guess has written since: whose lock it is, its reference tells."""
    known, swaps = LocMemStore.swap, []

    def swap(store, changes, now):
        """At the third time, the mark, somebody else has written upon it before it is sent again."""
        swaps.append(swapped := known(store, changes, now))
        if len(swaps) == 3:
            (one,), (change,) = swapped.found, changes
            again = Change(change.key, one.token, spell(parse(one.text), "f" * STAMP), change.life)
            assert known(store, [again], now).won
            return known(store, changes, now)
        return swapped

    monkeypatch.setattr(LocMemStore, "swap", swap)
    view = lockout_protect(scope="s", max=1)(check)
    assert [401, 429] == [view(request_for(form)).status_code for form in (FORM, RIGHT)]
    assert len(verified) == 1
    assert ["attempt_failed", "locked_out", "attempt_refused"] == names_of(told)


def test_ceiling_is_told_as_such(protect, told, lines, verified):
    """The lock of the address alone says so; the failures are the client's own."""
    guess = protect(key="ip+ua", max=1, ceiling=2)
    for number in range(3):
        guess(HTTP_USER_AGENT=f"{number}")
    assert len(verified) == 2
    own = [("attempt_failed", False, 1), ("locked_out", False, 1)]
    events = [(event.name, event.detail.ceiling, event.detail.status.maximum) for event in told]
    assert sorted([*own, *own, ("locked_out", True, 2), ("attempt_refused", True, 2)]) == sorted(events)
    status = told[-1].detail.status
    assert ("ceiling", True) == (status.counter, status.locked)
    where, code = f"scope='s' address={HERE}", status.reference
    (wide,) = [text for level, text in lines() if text.startswith("locked out after 2 failures (ceiling)")]
    assert f"{where} username='bob' reference={code} until={status.until:%Y-%m-%dT%H:%M:%SZ}" in wide
    assert ("DEBUG", f"attempt refused (ceiling): {where} username=None reference={code}") in lines()


@pytest.mark.parametrize(("rule", "reach"), [({"key": "ip"}, ""), ({"key": "ip+username", "ceiling": 3}, " (ceiling)")])
def test_a_lock_by_the_spread_is_told_as_such(rule, reach, protect, told, lines, verified):
    """The log tells of names; the status has no failures left to make, as under any lock."""
    guess = protect(max=9, spread=2, **rule)
    for username in ("bob", "eve", "eve"):
        guess({"username": username, "password": "wrong"})
    assert 429 == guess(RIGHT).status_code
    assert [("bob", "wrong"), ("eve", "wrong")] == verified
    locked, refused = [event.detail for event in told if event.name != "attempt_failed"][:2]
    assert (True, True, False) == (locked.spread, locked.status.locked, refused.spread)
    assert locked.status.failures == locked.status.maximum
    code, where = locked.status.reference, f"scope='s' address={HERE} username='eve'"
    failed = f"INFO failed attempt {1 if reach else 2} of 9: {where}"
    assert [f"locked out after failures at 2 names{reach}: {where} reference={code}"] == [
        text.partition(" until=")[0] for level, text in lines() if level == "WARNING"
    ]
    assert failed + ("" if reach else f" reference={code}") in [" ".join(line) for line in lines()]


def test_a_lock_by_max_is_not_told_as_by_the_spread(protect, told, lines):
    """Though the same failure completes both."""
    guess = protect(key="ip", max=3, spread=2)
    for username in ("bob", "bob", "eve"):
        guess({"username": username, "password": "wrong"})
    assert [False] == [event.detail.spread for event in told if event.name == "locked_out"]
    assert ["locked out after 3 failures"] == [text.partition(":")[0] for level, text in lines() if level == "WARNING"]


def test_a_spread_that_writes_no_lock_is_told_once(protect, told, lines, time_machine):
    """A refusal at a further name says when there is room for one; who is known may go on."""
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    guess = protect(key="ip", max=9, spread=2, rolling=True, lockout=0, window=60)
    for username in ("bob", "eve", "bob", "eve", "joe"):
        guess({"username": username, "password": "wrong"})
    assert [True] == [event.detail.spread for event in told if event.name == "locked_out"]
    assert [(4, 60)] == [
        (event.detail.status.failures, event.detail.status.retry_after)
        for event in told
        if event.name == "attempt_refused"
    ]
    policy = LockoutPolicy(scope="s", key="ip", max=9, spread=2, rolling=True, lockout=0, window=60)
    stands = {name: policy.status(request_for(), name).retry_after for name in ("joe", "bob", "BOB", None)}
    assert {"joe": 60, "bob": None, "BOB": None, None: None} == stands


@pytest.mark.parametrize("down", [False, True], ids=["sound", "outage"])
def test_without_enforcement(down, protect, told, verified, outage):
    """Everything is told as it would be, and nobody is refused, whatever happens."""
    guess = protect(enforce=False)
    if down:
        outage()
    assert [guess(form).status_code for form in (FORM, FORM, FORM, RIGHT)] == [401, 401, 401, 200]
    assert len(verified) == 4
    usual = ["attempt_failed", "attempt_failed", "locked_out", "attempt_refused"]
    assert (["store_failed"] * 4 if down else usual) == names_of(told)[:4]
    assert all(event.detail.fail_open if down else not event.detail.enforced for event in told)


@pytest.mark.parametrize("reset", ["reset", "areset"])
def test_reset_is_told(reset, told, lines):
    """With the status that it left."""
    policy, request = LockoutPolicy(scope="s", max=1), request_for()
    with policy.attempt(request, "eve"):
        pass
    call = getattr(policy, reset)
    (async_to_sync(call) if reset == "areset" else call)(request, "bob")
    assert ("INFO", f"reset: scope='s' address={HERE} username='bob'") == lines()[-1]
    event = told[-1]
    assert ("lockout_reset", request, "bob") == (event.name, event.request, event.detail.username)
    assert LockoutStatus("s", False, 0, 1) == event.detail.status


@pytest.mark.parametrize(
    ("username", "shown"),
    [
        ("bob\r\nforged: line", r"'bob\r\nforged: line'"),
        ("a' b=\"c", r"""'a\' b="c'"""),
        ("\x00\x1b[31m\x7f\x9b", r"'\x00\x1b[31m\x7f\x9b'"),
        ("bøb\u2028\u202e", r"'b\xf8b\u2028\u202e'"),
        ("\ud800", r"'\ud800'"),
        ("%s%(x)s", "'%s%(x)s'"),
        (5, "'5'"),
        ("x" * 1_000_000, f"'{'x' * 80}'"),
    ],
)
def test_names_are_escaped_and_cut(username, shown, told, lines):
    """No line can be forged; a receiver gets the name as it was sent."""
    with LockoutPolicy(scope="Grüße").attempt(request_for(), username):
        pass
    assert [("INFO", rf"failed attempt 1 of 5: scope='Gr\xfc\xdfe' address={HERE} username={shown}")] == lines()
    assert str(username) == told[0].detail.username


@pytest.mark.parametrize("listening", [True, False])
def test_quiet_log_is_quiet(listening, protect, caplog, verified, request):
    """Levels that are off cost no message; signals are sent all the same, and nobody need listen."""
    caplog.set_level(logging.CRITICAL, "lockout_decorators")
    told = request.getfixturevalue("told") if listening else []
    guess = protect()
    assert [guess(form).status_code for form in (FORM, FORM, RIGHT)] == [401, 401, 429]
    assert (2, []) == (len(verified), caplog.records)
    assert ["attempt_failed", "attempt_failed", "locked_out", "attempt_refused"][: 4 * listening] == names_of(told)


@pytest.mark.parametrize("broken", [RuntimeError, LockedOut, KeyError])
def test_receiver_that_raises_disturbs_nothing(broken, protect, verified, outage):
    """Neither the count, nor the answer, nor whoever was right after failures."""

    def raising(**kwargs):
        raise broken(LockoutStatus("s", True, 1, 1))

    with hearing(raising, *NAMES):
        guess = protect()
        assert [401, 200, 401, 401] == [guess(form).status_code for form in (FORM, RIGHT, FORM, FORM)]
        assert [429, 429] == [guess(form).status_code for form in (FORM, RIGHT)]
        outage()
        assert guess(RIGHT).status_code == 503
    assert len(verified) == 4


def test_asynchronous_receivers_are_served(protect):
    """A receiver may be a coroutine function."""
    seen = []

    async def receive(detail, **kwargs):
        seen.append(detail.username)

    with hearing(receive, "attempt_failed"):
        protect()()
    assert seen == ["bob"]


def test_receiver_may_listen_to_one_policy(verified):
    """By the policy as sender, be it that of a view."""
    seen, views = [], [lockout_protect(scope=scope)(check) for scope in ("one", "other")]

    def receive(sender, **kwargs):
        seen.append(sender.scope)

    with hearing(receive, "attempt_failed", sender=views[0].lockout_policies[0]):
        for view in views:
            view(request_for())
    assert (["one"], 2) == (seen, len(verified))


def test_details_are_frozen():
    """Facts are handed out, not state."""
    status = LockoutStatus("s", False, 0, 1)
    for fact in (status, signals.AttemptDetail(status, HERE), signals.StoreDetail("s", "a", OSError(), False)):
        assert is_dataclass(fact) and not hasattr(fact, "__dict__")
        for field in fields(fact):
            with pytest.raises(FrozenInstanceError):
                setattr(fact, field.name, None)


def test_signals_are_six():
    """Each is documented by name."""
    assert set(NAMES) == {name for name, value in vars(signals).items() if isinstance(value, Signal)}


# Outages


def test_outage_lets_no_guess_pass(protect, outage, told, lines, verified):
    """Logged in one line, and signalled; and it recovers by itself."""
    guess = protect()
    outage()
    answer = guess(RIGHT)
    assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "30", "no-store")
    ((level, line),) = lines()
    assert level == "ERROR"
    assert line.startswith("cache 'default' failed, attempts are refused: scope='s' error=ConnectionError(")
    assert line.isprintable() and "forged" in line
    (event,) = told
    assert (event.name, event.sender.scope, event.request.META["REMOTE_ADDR"]) == ("store_failed", "s", HERE)
    assert (event.detail.scope, event.detail.alias, event.detail.fail_open) == ("s", "default", False)
    assert isinstance(event.detail.error, ConnectionError)
    outage(lambda number: False)
    assert [guess(form).status_code for form in (RIGHT, FORM, FORM, RIGHT)] == [200, 401, 401, 429]
    assert len(verified) == 3


@pytest.mark.parametrize("deaf", [False, True], ids=["down", "drops writes"])
@pytest.mark.parametrize("arguments", [{}, {"methods": ()}, {"key": "ip+ua"}, {"key": "username"}])
@pytest.mark.parametrize("fail_open", [False, True])
def test_outage_by_setting(fail_open, arguments, deaf, protect, outage, told, lines, verified, settings):
    """By LOCKOUT_FAIL_OPEN guesses pass unguarded; told just as loudly, once per request. A cache that says it has
    stored what it has not is an outage too; where there is no early look, it is the claim that fails."""
    settings.LOCKOUT_FAIL_OPEN = fail_open
    guess = protect(**arguments)
    if deaf:
        settings.CACHES = {"default": {"BACKEND": "tests.broken.Deaf"}}
    else:
        outage()
    answers = [guess(form) for form in (FORM, FORM, FORM, RIGHT)]
    assert ([401, 401, 401, 200] if fail_open else [503] * 4) == [answer.status_code for answer in answers]
    assert fail_open or {"30"} == {answer["Retry-After"] for answer in answers}
    assert 4 * fail_open == len(verified)
    assert [("ERROR", fail_open)] * 4 == [(level, "attempts go ahead unguarded" in line) for level, line in lines()]
    assert [("store_failed", fail_open)] * 4 == [(event.name, event.detail.fail_open) for event in told]


@pytest.mark.parametrize("form", [FORM, RIGHT], ids=["wrong", "right"])
@pytest.mark.parametrize("key", ["ip", "ip+ua", "username"])
def test_outage_at_any_call(key, form, protect, outage, told, lines, verified):
    """Whichever call of the cache fails: no 500, no guess without a slot, told once; a good login stays one."""
    guess, number, failed = protect(key=key), 0, True
    while failed:
        number += 1
        outage(number.__eq__)
        cache.clear()
        for told_before in (told, verified):
            told_before.clear()
        before = len(lines())
        answer, failed = guess(form), FailingCache.calls >= number
        assert int(failed) == names_of(told).count("store_failed")
        assert int(failed) == [level for level, _ in lines()[before:]].count("ERROR")
        if answer.status_code == 503:
            assert failed and verified == []
        else:
            assert (200 if form is RIGHT else 401) == answer.status_code
            assert len(verified) == 1
    assert number > 5


@pytest.mark.parametrize("call", ["status", "reset", "astatus", "areset"])
def test_hand_made_calls_raise(call, outage):
    """Who asks for a status or a reset is told that there is none."""
    policy = LockoutPolicy(scope="s")
    outage()
    function = getattr(policy, call)
    with pytest.raises(StoreError, match="cache 'default': ConnectionError: no ") as caught:
        (async_to_sync(function) if call.startswith("a") else function)(request_for())
    assert ("default", ConnectionError) == (caught.value.alias, type(caught.value.error))


def test_unknown_alias_is_an_outage(verified):
    """That `manage.py check` has told of."""
    with pytest.raises(StoreError, match="cache 'nowhere': InvalidCacheBackendError: "):
        LockoutPolicy(scope="s", cache="nowhere").status(request_for())
    assert lockout_protect(scope="s", cache="nowhere")(check)(request_for(RIGHT)).status_code == 503
    assert verified == []


@pytest.mark.parametrize("fail_open", [False, True])
def test_outage_in_a_block(fail_open, outage, told, settings):
    """`attempt()` raises StoreUnavailable, or goes ahead where it is told to fail open."""
    settings.LOCKOUT_FAIL_OPEN = fail_open
    policy = LockoutPolicy(scope="s")
    outage()
    if fail_open:
        with policy.attempt(request_for()) as attempt:
            attempt.succeed()
    else:
        with pytest.raises(StoreUnavailable) as caught:
            policy.attempt(request_for()).__enter__()
        status = caught.value.status
        assert (30, False, 503) == (status.retry_after, status.locked, caught.value.status_code)
    assert [("store_failed", fail_open)] == [(event.name, event.detail.fail_open) for event in told]


@pytest.mark.parametrize(
    "terms", [{"failure": lambda *_: True}, {"failure": 401, "cache": "nowhere", "methods": ["PUT"]}]
)
def test_failure_seen_in_the_response_meets_an_outage(terms, outage, told):
    """The answer of the view stands, whether or not anything looked for the cache before; the outage is told."""
    view = lockout_protect(scope="s", **terms)(lambda request: HttpResponse(status=401))
    outage(lambda number: number > 1)
    assert view(request_for(HTTP_AUTHORIZATION="wrong")).status_code == 401
    assert names_of(told) == ["store_failed"]


# What is raised


@pytest.mark.parametrize("kind", [LockedOut, StoreUnavailable])
@pytest.mark.parametrize("flavour", [lambda kind: kind, flavoured])
@pytest.mark.parametrize("retry_after", [None, 1, 60])
def test_exceptions_travel(kind, flavour, retry_after):
    """They pickle, print and carry the status; inside DRF they are Throttled as well."""
    status = LockoutStatus("s", True, 2, 2, retry_after, datetime.now(UTC) + timedelta(seconds=60))
    raised = flavour(kind)(status)
    again = pickle.loads(pickle.dumps(raised))
    assert (type(raised), status, status) == (type(again), raised.status, again.status)
    assert isinstance(raised, LockedOut)
    assert (429 if kind is LockedOut else 503) == raised.status_code
    wait = "" if retry_after is None else f" Retry after {retry_after} s."
    assert f"{kind.message}{wait}" == str(raised) == str(again)
    assert kind.__name__ in repr(raised) or kind.__name__ == type(raised).__name__


def test_flavour_without_drf(monkeypatch):
    """Where the project doesn't use DRF nothing of it is there."""
    monkeypatch.delitem(sys.modules, "rest_framework.views")
    assert (LockedOut, StoreUnavailable) == (flavoured(LockedOut), flavoured(StoreUnavailable))


# Passwords

SECRET = "hunter2-the-secret"


class Guarded(BaseBackend):
    """Hides its own variables, as Django's do, and raises."""

    @sensitive_variables()
    def authenticate(self, request, username=None, password=None):
        raise RuntimeError("the directory is down")

    @sensitive_variables()
    async def aauthenticate(self, request, username=None, password=None):
        raise RuntimeError("the directory is down")


def careful(request):
    authenticate(request, username="bob", password=request.POST["password"])


async def acareful(request):
    await aauthenticate(request, username="bob", password=request.POST["password"])


def careful_but_broken(request):
    careful(request)
    raise RuntimeError("the view is broken")


async def acareful_but_broken(request):
    await acareful(request)
    raise RuntimeError("the view is broken")


def caught(view, request):
    """The report that Django makes of what `view` raises, as text and as HTML."""
    request.sensitive_post_parameters = "__ALL__"
    called = async_to_sync(view) if view.__name__.startswith("acareful") else view
    with pytest.raises(RuntimeError) as raised:
        called(request)
    reporter = ExceptionReporter(request, raised.type, raised.value, raised.tb)
    return reporter.get_traceback_text() + reporter.get_traceback_html()


def raising(*args):
    raise RuntimeError("a callable of the project")


@pytest.mark.parametrize("views", [(careful, careful_but_broken), (acareful, acareful_but_broken)])
@pytest.mark.parametrize(
    "where", ["backend", "view", "cache, early", "cache, late", "username", "key", "refused", "receiver"]
)
def test_error_reports_show_no_password(where, views, settings, monkeypatch, outage, verified):
    """Whoever raises, the frames of this package don't show what was tried."""
    arguments = {"scope": "s", "methods": ()}
    if where == "backend":
        settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Guarded"]
    elif where in ("username", "key"):
        arguments[where] = raising
    elif where == "refused":
        with LockoutPolicy(scope="s", max=1).attempt(request_for(), "bob"):
            pass
        arguments |= {"max": 1, "response": raising}
    elif where == "receiver":
        monkeypatch.setattr("lockout_decorators.attempts.guesses.Report.failed", raising)
    elif where == "cache, early":
        monkeypatch.setattr("lockout_decorators.attempts.guesses.report_outage", raising)
        arguments["methods"] = None
        outage()
    elif where == "cache, late":
        monkeypatch.setattr("lockout_decorators.attempts.guesses.report_outage", raising)
        outage(lambda number: number > 1)
    view = lockout_protect(**arguments)(views[where == "view"])
    report = caught(view, request_for({"username": "bob", "password": SECRET}))
    assert "RuntimeError" in report and "lockout_decorators" in report
    assert SECRET not in report


def test_report_would_show_it_otherwise():
    """The test above can fail: a careless view's own frame is shown."""

    def careless(request):
        password = request.POST["password"]
        raise RuntimeError(len(password))

    report = caught(lockout_protect(scope="s")(careless), request_for({"password": SECRET}))
    assert SECRET in report


@pytest.mark.parametrize("view", [check, acheck])
def test_log_and_signals_show_no_password(view, told, lines, outage, verified):
    """Failures, locks, refusals and outages; nothing that is handed out holds it."""
    view = lockout_protect(scope="s", max=2, methods=())(view)
    guess = async_to_sync(view) if view.__name__ == "acheck" else view
    for _ in range(3):
        guess(request_for({"username": "bob", "password": SECRET}))
    outage()
    guess(request_for({"username": "bob", "password": SECRET}))
    assert {"attempt_failed", "locked_out", "attempt_refused", "store_failed"} == {event.name for event in told}
    assert len(verified) == 2
    for text in (*map(repr, lines()), *(f"{event.detail!r} {event.detail}" for event in told)):
        assert SECRET not in text


def test_reprs_show_no_password():
    """Policies, blocks, attempts and calls."""
    policy, seen = LockoutPolicy(scope="s"), []
    with policy.observe(request := request_for()) as block:
        authenticate(request, username="bob", password=SECRET)
        (guess,) = block._guesses.made
        seen += [policy, block, vars(block), block._guesses, vars(block._guesses), guess, *guess.books, *guess.seats]
        seen += [Call({"username": "bob", "password": SECRET}, "backend"), vars(block._comparison)]
    assert SECRET not in " ".join(f"{value!r} {value}" for value in seen)
    assert re.fullmatch("<Call of backend>", repr(seen[-2]))


def test_exceptions_show_no_password(verified):
    """Neither in their text, nor in their arguments, nor in their causes."""
    policy = LockoutPolicy(scope="s", max=1, methods=())
    with policy.observe(request := request_for()):
        authenticate(request, username="bob", password=SECRET)
    with pytest.raises(LockedOut) as raised, policy.observe(request):
        authenticate(request, username="bob", password=SECRET)
    error = raised.value
    while error is not None:
        assert SECRET not in f"{error!r} {error} {error.args} {vars(error)}"
        error = error.__cause__ or error.__context__
    assert len(verified) == 1
    assert CountingBackend.verified[0] == ("bob", SECRET)


def test_error_reports_show_no_password_where_django_does_not_watch():
    """Code may ask a backend by itself, without Django's `authenticate()` around it."""

    def asking_a_backend(request):
        with LockoutPolicy(scope="s").observe(request):
            auth.load_backend(f"{__name__}.Guarded").authenticate(request, username="bob", password=SECRET)

    report = caught(asking_a_backend, request_for())
    assert "RuntimeError" in report and "lockout_decorators" in report
    assert SECRET not in report

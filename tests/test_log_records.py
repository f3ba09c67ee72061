"""What log records carry beside their line, and what is told of a success after failures."""

import json
import logging
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.dispatch import Signal
from django.test import RequestFactory

from lockout_decorators import LockoutPolicy, lockout_protect, signals
from tests.doors import FORM, RIGHT, acheck, check

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def request_for(form=FORM, address=HERE, **more):
    return RequestFactory().post("/", form, REMOTE_ADDR=address, **more)


@pytest.fixture
def records(caplog):
    """The package's log records."""
    found = []
    caplog.set_level(logging.DEBUG, "lockout_decorators")
    logging.getLogger("lockout_decorators").addFilter(found.append)
    yield found
    logging.getLogger("lockout_decorators").removeFilter(found.append)


@pytest.fixture
def successes():
    """The details of `succeeded_after_failures`, as (counter, forgiven, left, username, enforced)."""
    told = []

    def receive(sender, request, detail, **kwargs):
        assert sender.scope == detail.status.scope
        status = detail.status
        told.append((status.counter, detail.forgiven, status.failures, detail.username, detail.enforced))

    signals.succeeded_after_failures.connect(receive)
    yield told
    signals.succeeded_after_failures.disconnect(receive)


def test_every_record_has_the_facts_of_its_line(records, time_machine):
    """Under one name, as values that any formatter can write; the event is named as its signal."""
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    policy = LockoutPolicy(scope="s", max=2, lockout=60)
    view = lockout_protect(policy)(check)
    for form in (FORM, FORM, RIGHT):
        view(request_for(form))
    policy.reset(request_for())
    facts = [record.lockout for record in records]
    assert facts == json.loads(json.dumps(facts))
    events = ["attempt_failed", "attempt_failed", "locked_out", "attempt_refused", "lockout_reset"]
    assert events == [one["event"] for one in facts]
    assert {*events} <= {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    lock = facts[2]
    assert lock["reference"] in records[2].getMessage()
    assert lock == {
        "event": "locked_out",
        "scope": "s",
        "counter": "key",
        "address": HERE,
        "username": "bob",
        "failures": 2,
        "maximum": 2,
        "forgiven": 0,
        "locked": True,
        "retry_after": 60,
        "until": "2030-01-01T00:01:00Z",
        "reference": lock["reference"],
        "challenge": False,
        "enforced": True,
        "spread": False,
    }
    assert (None, None, "") == tuple(facts[0][name] for name in ("retry_after", "until", "reference"))
    assert [1, 2, 2, 2, 0] == [one["failures"] for one in facts]


def test_the_name_is_raw_and_cut(records):
    """Whatever writes it escapes it; secrets are not there at all."""
    with LockoutPolicy(scope="s").attempt(request_for({"password": "hunter2"}), "bob\r\nü" + "x" * 1_000_000):
        pass
    (record,) = records
    assert "bob\r\nü" + "x" * 74 == record.lockout["username"]
    assert "hunter2" not in repr(vars(record))


def test_a_lock_without_end_and_one_that_nobody_enforces_say_so(records):
    """On call one has to know both."""
    for scope, enforce in (("on", True), ("trial", False)):
        with LockoutPolicy(scope=scope, max=1, lockout=None, enforce=enforce).attempt(request_for(), "bob"):
            pass
    shown = [record.getMessage() for record in records if record.levelname == "WARNING"]
    assert ["locked out after 1 failures", "locked out after 1 failures, not enforced"] == [
        text.partition(":")[0] for text in shown
    ]
    assert all(text.endswith(" until=reset") for text in shown)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_success_after_failures_is_told(kind, successes, records):
    """How many were forgiven, and how many stay: those of other names at the same address."""
    view = lockout_protect(scope="s", max=9)(check if kind == "sync" else acheck)
    view = view if kind == "sync" else async_to_sync(view)
    for form in (FORM, {**FORM, "username": "eve"}, FORM, RIGHT, RIGHT):
        view(request_for(form))
    assert [("key", 2, 1, "bob", True), ("key", 0, 1, "bob", True)] == successes
    told = [record for record in records if record.lockout["event"] == "succeeded_after_failures"]
    where = f"scope='s' address={HERE} username='bob'"
    assert [
        ("INFO", f"succeeded after 3 failures, 2 forgiven: {where}"),
        ("INFO", f"succeeded after 1 failures, 0 forgiven: {where}"),
    ] == [(record.levelname, record.getMessage()) for record in told]
    assert [(2, 1), (0, 1)] == [(record.lockout["forgiven"], record.lockout["failures"]) for record in told]


@pytest.mark.parametrize(
    ("terms", "names", "expected"),
    [
        ({"key": "ip+username", "max": 3}, ["ann", "joe", "kim"], ("ceiling", 0, 3, "bob", True)),
        ({"max": 2, "enforce": False}, ["bob", "bob"], ("key", 0, 2, "bob", False)),
    ],
    ids=["one guess at each name", "on trial, whom enforcing would have kept out"],
)
def test_a_guesser_who_is_right_at_last_is_told(terms, names, expected, successes):
    """By the ceiling, where nothing is left at the last name's own counter."""
    view = lockout_protect(scope="s", **terms)(check)
    for name in names:
        view(request_for({**FORM, "username": name}))
    view(request_for(RIGHT))
    assert [expected] == successes


def test_where_nothing_stood_nothing_is_told(successes, records):
    """Neither is a guess that was none, nor one that is withdrawn after failures."""
    policy = LockoutPolicy(scope="s")
    view = lockout_protect(policy)(check)
    view(request_for(RIGHT))
    assert ([], []) == (successes, records)
    view(request_for())
    with policy.attempt(request_for(), "bob") as attempt:
        attempt.cancel()
    assert ([], 1) == (successes, policy.status(request_for()).failures)
    with policy.attempt(request_for(), "bob") as attempt:
        attempt.succeed()
    assert [("key", 0, 1, "bob", True)] == successes  # the failure was another door's, so it may be another's


def test_of_a_known_browser_its_own_failures_are_told(successes):
    """What strangers have left on record is none of its own."""
    view = lockout_protect(scope="s", key="username", max=9, known_browsers=timedelta(days=1))(check)
    cookies = {name: morsel.value for name, morsel in view(request_for(RIGHT)).cookies.items()}
    view(request_for(address=ELSEWHERE))

    def known(form):
        request = request_for(form)
        request.COOKIES.update(cookies)
        view(request)

    known(RIGHT)
    assert [] == successes
    known(FORM)
    known(RIGHT)
    assert [("browser", 1, 0, "bob", True)] == successes
    view(request_for(RIGHT, ELSEWHERE))
    assert ("key", 1, 0, "bob", True) == successes[-1]

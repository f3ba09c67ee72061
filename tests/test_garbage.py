"""Garbage in a request: never an error that the bare view would not give, never a forged log line, always counted."""

import base64
import json
import logging
import re
from contextlib import contextmanager

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate
from django.core.cache import cache
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import lockout_protect
from lockout_decorators.clients.identities import fold
from tests.doors import FORM, RIGHT, acheck, check
from tests.sizes import IN_FULL

SAMPLE = slice(None) if IN_FULL else slice(1, 2)
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
BIG = 1_000_000


def fields_of(request):
    """What a careless view takes from a JSON body."""
    found = json.loads(request.body)
    return {"username": found.get("username"), "password": found.get("password")}


def check_json(request):
    return HttpResponse(status=200 if authenticate(request, **fields_of(request)) else 401)


async def acheck_json(request):
    return HttpResponse(status=200 if await aauthenticate(request, **fields_of(request)) else 401)


def check_basic(request):
    """What a careless view takes from a Basic header."""
    given = base64.b64decode(request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Basic ")).decode(errors="replace")
    username, _, password = given.partition(":")
    return HttpResponse(status=200 if authenticate(request, username=username, password=password) else 401)


def check_query(request):
    user = authenticate(request, username=request.GET.get("username"), password=request.POST.get("password"))
    return HttpResponse(str(user))


def form(data, **meta):
    return RequestFactory().post("/", data, **{"REMOTE_ADDR": HERE, **meta})


def body(data, **meta):
    raw = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return RequestFactory().generic("POST", "/", raw, "application/json", **{"REMOTE_ADDR": HERE, **meta})


def basic(username, password, **meta):
    said = base64.b64encode(f"{username}:{password}".encode("utf-8", "surrogatepass")).decode()
    return RequestFactory().post("/", **{"REMOTE_ADDR": HERE, "HTTP_AUTHORIZATION": f"Basic {said}", **meta})


def protected(view, **arguments):
    return lockout_protect(**{"scope": "s", "max": 2, "patience": 0, **arguments})(view)


def outcome(view, request):
    """The status of the answer."""
    return (async_to_sync(view) if view.__name__.startswith("acheck") else view)(request).status_code


@contextmanager
def log_lines():
    """Every line of the package's log; on leaving, each must be one line of printable ASCII."""
    lines, logger, level = [], logging.getLogger("lockout_decorators"), logging.getLogger("lockout_decorators").level
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert [line for line in lines if not (line.isascii() and line.isprintable() and len(line) < 1500)] == []


GARBAGE = {
    "NUL": "bo\x00b",
    "control": "\x01\x1b[31mroot\x7f\x9b",
    "CR LF": "bob\r\nWARNING lockout_decorators: locked out: root",
    "line separators": "bob\u2028WARNING\u2029\x85\x0b\x0c",
    "right to left": "\u202ebob\u2066",
    "quotes": "bob' username='root",
    "percent": "%s %(password)s %n {0}",
    "surrogate": "\ud800bob\udfff",
    "a megabyte": "x" * BIG,
    "a megabyte of marks": "\u0301\u0323" * (BIG // 4),
    "a megabyte of what is nothing": "\u200b" * (BIG // 2),
    "spaces": "   ",
    "number": 5,
    "zero": 0,
    "float": 1e308,
    "infinity": float("inf"),
    "true": True,
    "false": False,
    "list": ["bob"],
    "empty list": [],
    "object": {"$ne": None},
    "nested": json.loads("[" * 200 + "]" * 200),
    "null": None,
    "None": "None",
    "key": "no username",
    "address": HERE,
}

DOORS = {
    "form": (check, form),
    "async form": (acheck, form),
    "JSON": (check_json, body),
    "async JSON": (acheck_json, body),
    "Basic": (check_basic, lambda data, **meta: basic(*data.values(), **meta)),
}


def fits(door, value):
    """Whether that kind of body can carry the value."""
    return "JSON" in door or (isinstance(value, str) and not re.search("[\ud800-\udfff]", value))


def ways(turn):
    """Each value through every door that it fits; without `IN_FULL` they take turns."""
    found = []
    for place, (name, value) in enumerate(GARBAGE.items()):
        fitting = [door for door in DOORS if fits(door, value)]
        found += [(door, name) for door in (fitting if IN_FULL else [fitting[(place + turn) % len(fitting)]])]
    return found


@pytest.mark.parametrize("key", ["ip", "username", "ip+ua+username"][SAMPLE])
@pytest.mark.parametrize(("door", "name"), ways(0))
def test_garbage_as_user_name(door, name, key, verified):
    """The answer is the bare view's until the lock falls; each failure and the lock are one line; strangers go on."""
    bare, request = DOORS[door]
    view = protected(bare, key=key)
    data = {"username": GARBAGE[name], "password": "wrong"}
    assert outcome(bare, request(data)) == 401
    verified.clear()
    with log_lines() as lines:
        assert [outcome(view, request(data)) for _ in range(4)] == [401, 401, 429, 429]
    assert (2, 2 + 1 + 2) == (len(verified), len(lines))
    same = key == "ip" or fold(GARBAGE[name]) == "bob"
    assert (429 if same else 200) == outcome(view, request(RIGHT))
    blamed = key == "username" and same
    assert (429 if blamed else 200) == outcome(view, request(RIGHT, REMOTE_ADDR=ELSEWHERE))


@pytest.mark.parametrize(("door", "name"), ways(1))
def test_garbage_as_password(door, name, verified):
    """Whatever is presented as a secret is a guess."""
    bare, request = DOORS[door]
    view = protected(bare)
    data = {"username": "bob", "password": GARBAGE[name]}
    assert [401, 401, 429, 429] == [outcome(view, request(said)) for said in (data, data, data, RIGHT)]
    assert len(verified) == 2


BUCKETS = [
    (door, key) for door in DOORS for key in ("username", "ip+username", "ua", "session", "user", "header:X-Key")
]


@pytest.mark.parametrize(("door", "key"), BUCKETS if IN_FULL else BUCKETS[::5])
def test_strangers_share_no_bucket_of_nothing(door, key, verified):
    """Who sends no user name, user agent, session or header is counted by address."""
    bare, request = DOORS[door]
    view = protected(bare, key=key, ceiling=None)
    nobody = {"username": "", "password": "wrong"}
    for data in (nobody, nobody, nobody):
        outcome(view, request(data))
    assert len(verified) == 2
    assert outcome(view, request({**nobody, "password": "right"})) == 429
    assert outcome(view, request(nobody, REMOTE_ADDR=ELSEWHERE)) == 401
    assert outcome(view, request(RIGHT, REMOTE_ADDR=ELSEWHERE)) == 200
    assert len(verified) == 4


@pytest.mark.parametrize("missing", [{}, {"username": None}, {"username": ""}, {"username": "\x00 "}])
def test_no_names_are_one_nobody(missing, verified):
    """Missing, null, empty and invisible user names are one client of an address, and "None" is another."""
    view = protected(check_json, key="username", ceiling=None)
    said = [missing, {"username": None}, {"username": ""}, {"username": "None"}]
    assert [401, 401, 429, 401] == [outcome(view, body({**data, "password": "x"})) for data in said]
    assert outcome(view, body({**missing, "password": "x"}, REMOTE_ADDR=ELSEWHERE)) == 401
    assert len(verified) == 4


def by_name(view, **arguments):
    return protected(view, key="username", ceiling=None, **arguments)


def test_fields_sent_twice(verified):
    """The identity is what `authenticate()` got, here the last one; the first can't be blamed."""
    view, raw = by_name(check), "username=eve&username=bob&password=x&password=wrong"
    for _ in range(3):
        outcome(view, RequestFactory().generic("POST", "/", raw, "application/x-www-form-urlencoded"))
    assert verified == [("bob", "wrong")] * 2
    assert (outcome(view, form(RIGHT)), outcome(view, form({"username": "eve", "password": "eves"}))) == (429, 200)


def test_query_against_body(verified):
    """What the view doesn't read names nobody."""
    post, query = by_name(check), by_name(check_query)
    for number in range(3):
        outcome(post, RequestFactory().post(f"/?username=eve{number}", FORM))
    assert verified == [("bob", "wrong")] * 2
    assert outcome(query, RequestFactory().post("/?username=eve", {"username": "bob", "password": "eves"})) == 200
    assert outcome(query, RequestFactory().post("/?username=bob", {"username": "eve", "password": "right"})) == 429
    assert len(verified) == 3


def test_doors_of_one_scope_see_one_identity(verified):
    """JSON, form, Basic header and query: the same name is the same client."""
    views = {name: by_name(view, max=5) for name, (view, _) in DOORS.items()}
    assert {401} == {outcome(view, DOORS[name][1](FORM)) for name, view in views.items()}
    assert {429} == {outcome(view, DOORS[name][1](RIGHT)) for name, view in views.items()}
    assert len(verified) == 5


HEADERS = ["USER_AGENT", "X_FORWARDED_FOR", "FORWARDED", "ACCEPT", "AUTHORIZATION", "X_KEY", "COOKIE", "HOST"]
HEADERS = ["CONTENT_TYPE", *map("HTTP_{}".format, [*HEADERS, "X_HTTP_METHOD_OVERRIDE"])]
VALUES = [*[value for value in GARBAGE.values() if isinstance(value, str)], "\xff\xfe", "a," * 5000, ""]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
@pytest.mark.parametrize("proxies", [["192.0.2.0/24"], []] if IN_FULL else [["192.0.2.0/24"]])
@pytest.mark.parametrize("view", [check_json, acheck_json][SAMPLE])
def test_garbage_in_headers(view, value, proxies, settings, verified):
    """In all headers at once: counted by address, refused, and not one line forged."""
    settings.LOCKOUT_TRUSTED_PROXIES = proxies
    meta = {name: value[:1000] if name == "CONTENT_TYPE" else value for name in HEADERS}  # Django refuses longer ones
    if proxies and value == HERE:
        del meta["HTTP_X_FORWARDED_FOR"]
    guarded = protected(view, key="ip+ua+header:X-Key+session")
    with log_lines():
        statuses = [outcome(guarded, body(FORM, **meta)) for _ in range(3)]
    assert statuses == [401, 401, 429]
    assert outcome(guarded, body(RIGHT, **meta)) == 429
    assert len(verified) == 2


def test_many_guesses_leave_bounded_entries(verified):
    """A megabyte in every field and header mints no larger entries than a letter."""

    def sizes(length):
        cache.clear()
        view = protected(check_json, key="ip+ua+username", max=2)
        for number in range(6):
            said = f"{number}" * length
            outcome(view, body({"username": said, "password": "x"}, HTTP_USER_AGENT=said))
        return sorted((len(name), len(value)) for name, value in cache._cache.items())

    assert sizes(1) == sizes(BIG)
    assert 12 == len(verified)

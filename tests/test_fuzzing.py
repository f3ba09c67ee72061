"""Whole requests, of any shape: a protected view gives no error that its bare twin would not, and strangers share no
counter.
"""

import base64
import ipaddress
import json
import logging
import string
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.decorators import api_view

from lockout_decorators import lockout_protect
from lockout_decorators.clients.identities import fold
from tests.backends import CountingBackend
from tests.sizes import EXAMPLES, IN_FULL
from tests.test_garbage import log_lines
from tests.wire import HERE, SERVERS, Answer, Raw

MAX = 2
CSRF = "c" * 32
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")

modest = settings(  # however slow the machine
    deadline=None, max_examples=EXAMPLES, print_blob=False, suppress_health_check=[HealthCheck.too_slow]
)
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db, pytest.mark.usefixtures("users", "languages", "quiet")]


@pytest.fixture
def users(db):
    """Whom the backend knows has a row, for tokens and the time of the last login."""
    User.objects.bulk_create(User(pk=n, username=name) for n, name in enumerate(sorted(CountingBackend.passwords), 1))


@pytest.fixture
def languages(settings):
    """Who asks for German gets it, in refusals too."""
    sessions, auth = (name for name in settings.MIDDLEWARE if "sessions" in name or "auth" in name)
    settings.MIDDLEWARE = [sessions, "django.middleware.locale.LocaleMiddleware", auth]


@pytest.fixture
def quiet(caplog):
    """Django writes of every 4xx; of this package's lines there are none less."""
    for name in ("django.request", "django.server"):
        caplog.set_level(logging.CRITICAL, logger=name)


# The doors, each protected under several keys, and bare


def fields_of(found):
    """User name and password of a decoded body, as careful views take them; None if they are not there."""
    given = [found.get("username"), found.get("password")] if hasattr(found, "get") else []
    return {"username": given[0], "password": given[1]} if set(map(repr, given)) - {"None", "''"} else None


def decoded(request):
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        return None


def verdict(user):
    return HttpResponse(status=200 if user else 401)


def check_json(request):
    fields = fields_of(decoded(request))
    return verdict(authenticate(request, **fields)) if fields else HttpResponse(status=400)


async def acheck_json(request):
    fields = fields_of(decoded(request))
    return verdict(await aauthenticate(request, **fields)) if fields else HttpResponse(status=400)


@api_view(["POST", "PUT", "GET"])
def check_api(request):
    fields = fields_of(request.data)
    return verdict(authenticate(request, **fields)) if fields else HttpResponse(status=400)


VIEWS = {
    "form": LoginView.as_view(template_name="admin/login.html"),
    "json": check_json,
    "async-json": acheck_json,
    "api": check_api,
    "token": ObtainAuthToken.as_view(),
}


def team(request, identity):
    return request.headers.get("X-Key", "")


KEYS = {"ip": "ip", "ua": "ip+ua", "name": "ip+username", "account": "username", "header": "header:X-Key"}
KEYS |= {"session": "session", "callable": team}


def paths(door, view):
    yield path(f"{door}/bare/", view)
    for name, key in KEYS.items():
        protect = lockout_protect(key=key, max=MAX, ceiling=None, scope=f"{door} {name}", patience=0)
        yield path(f"{door}/{name}/", protect(view))


urlpatterns = [path("admin/", admin.site.urls), *(p for door, view in VIEWS.items() for p in paths(door, view))]


# What comes in


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


HEADERS = {
    "user-agent": ["Mozilla/5.0", "", "x" * 5000],
    "accept": ["*/*", "text/html", "application/json", "a/b+json;q=x", "text/html;;q", "/,/", "a/b;" * 3000, "*"],
    "accept-language": ["de", "pt-br,fr;q=0.5", "*;q=2", "zh-hans-" * 100, "x" * 600],
    "authorization": [
        basic("bob:right"),
        basic("bob:wrong"),
        basic(":"),
        "Basic",
        "Basic /w==",
        "Basic a b",
        "Token x",
    ],
    "cookie": ["sessionid=abcdefgh12345678", "sessionid=" + "x" * 300, "a=b; a; =; \xff=\x00", '"'],
    "content-type": [
        "application/json",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded; charset=nonsense",
        "multipart/form-data",
        "multipart/form-data; boundary=" + "x" * 80,
        "text/html",
        "/",
    ],
    "content-length": ["", "-1", "nonsense", "3", "99999999999999999999"],
    "host": ["testserver", "[::1", "a b", "x:99999", ""],
    "x-forwarded-for": ["10.0.0.1", "192.0.2.9, 10.0.0.1", "unknown", "[::1]:80,,", "1," * 500, "10.0.0.1\r\n10.0.0.2"],
    "x-http-method-override": ["GET", "PATCH"],
    "x-key": ["", "red", "x" * 5000],
    "origin": ["null", "http://testserver", "https://[", "http://evil.example"],
    "transfer-encoding": ["chunked"],
}

latin = st.text(st.characters(max_codepoint=255), max_size=20)
texts = st.text(max_size=20) | st.text(st.characters(categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), max_size=9)
names = st.sampled_from(["bob", "bob", "eve", "BOB ", "b\u00f6b", "bob\x00", ""]) | texts
passwords = st.sampled_from(["right", "wrong", "wrong", "eves", ""]) | texts
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)
methods = st.sampled_from(["POST"] * 8 + [*SAFE, "PUT", "PATCH", "DELETE", "CONNECT", "PROPFIND", "post"]) | st.text(
    string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~", min_size=1, max_size=9
)
headers = st.fixed_dictionaries({}, optional={name: st.sampled_from(said) | latin for name, said in HEADERS.items()})
objects = st.fixed_dictionaries({"username": names, "password": passwords})


def encoded(found, encoding):
    return json.dumps(found, ensure_ascii=encoding == "ascii").encode(encoding, "replace")


def form(found):
    return urlencode({name: value.encode("utf-8", "surrogatepass") for name, value in found.items()}).encode()


def multipart(found, more):
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'
        for name, value in found.items()
    ]
    return "".join([*parts, "--x--\r\n"]).encode("utf-8", "surrogatepass")


JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
STRANGE = [b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 20_000, b"1" * 5000, b'{"username": 1e999}', b"a=1&" * 2000]
STRANGE += [b'{"username": ' + b"9" * 4301 + b"}", b'{"username": ' + b"[" * 900 + b"]" * 900 + b', "password": "x"}']
STRANGE += [b"username=bob&username=eve&password=%ff%00&password=wrong", b"--x\r\nnonsense", b"--x\r\n\r\n\r\n--x--"]
EXTRA = ["", '; filename="a.txt"', "\r\nContent-Transfer-Encoding: base64", "\r\nContent-Type: text/plain; charset=x"]
bodies = st.one_of(
    st.tuples(st.just(JSON), st.builds(encoded, objects, st.sampled_from(["ascii", "utf-8", "utf-16", "latin-1"]))),
    st.tuples(
        st.just(JSON),
        st.builds(encoded, st.fixed_dictionaries({"username": anything, "password": anything}), st.just("ascii")),
    ),
    st.tuples(st.just(JSON), st.builds(encoded, anything, st.just("ascii"))),
    st.tuples(st.just(FORM), st.builds(form, objects)),
    st.tuples(st.just(MULTIPART), st.builds(multipart, objects, st.sampled_from(EXTRA))),
    st.tuples(st.sampled_from([JSON, FORM, MULTIPART]), st.sampled_from(STRANGE) | st.binary(max_size=60)),
)


@st.composite
def requests(draw):
    kind, body = draw(bodies)
    found = {"content-type": kind, "x-csrftoken": CSRF, **draw(headers)}
    found["cookie"] = f"csrftoken={CSRF}; {found.get('cookie', '')}"
    return Raw(body[: draw(st.sampled_from([None, None, None, -1]))], found, draw(methods), draw(latin))


def guess(door, username, password="wrong", **more):
    """A plain guess, as that door takes it; `more` are headers."""
    found = {"username": username, "password": password}
    kind, body = (FORM, form(found)) if door == "form" else (JSON, encoded(found, "ascii"))
    return Raw(body, {"content-type": kind, "x-csrftoken": CSRF, **more, "cookie": cookies(**more)})


def cookies(cookie="", **more):
    return f"csrftoken={CSRF}; {cookie}"


# Bare and protected twins

servers = st.sampled_from(["wsgi", "wsgi", "asgi"])
doors = st.sampled_from(sorted(VIEWS))


def tried(server, target, raw) -> tuple[Answer, list]:
    """The answer, and what was verified for it."""
    CountingBackend.verified.clear()
    answer = SERVERS[server](replace(raw, path=f"/{target}/"))
    return answer, [*CountingBackend.verified]


@modest
@given(servers, doors, requests(), st.sampled_from(["ip", "account"]))
@example("wsgi", "json", guess("json", "bob"), "ip")  # each branch has an example, so that none hangs on chance
@example("asgi", "json", guess("json", "bob", "right"), "account")
@example("wsgi", "token", guess("token", "eve", authorization=basic("bob:right")), "ip")
def test_twins_answer_alike_until_the_lock(server, door, raw, key):
    """The same status for the same verifications; after `MAX` failures, and nothing else, a refusal; no line of the
    log is forged."""
    are_twins(server, door, raw, key)


ODD = [(JSON, body) for body in [*STRANGE, b'"bob"', b'{"username": "\xff"}', b'{"username": NaN}', b"\x00" * 1000]]
ODD += [
    (FORM, body) for body in (b"username=%FF%FE&password=%C0%80", b"username=\xff\xfe&password=\x00", b"a=1&" * 2000)
]
ODD += [(f"{FORM}; charset=nonsense", b"username=bob&password=wrong"), ("\x00/\xff; ;", b"username=bob&password=x")]
ODD += [(MULTIPART, b"--x\r\nnonsense"), ("multipart/form-data", b"nonsense"), ("text/plain", b"username=bob")]


@pytest.mark.parametrize("place", range(len(ODD)))
def test_strange_bodies(place):
    """Invalid UTF-8, unknown character sets, broken multipart, too deep: as by the bare view of each door."""
    kind, body = ODD[place]
    for door in VIEWS if IN_FULL else [*VIEWS, *VIEWS][place % 5 : place % 5 + 2]:
        raw = Raw(body, {"content-type": kind, "x-csrftoken": CSRF, "cookie": cookies()})
        are_twins("asgi" if "async" in door else "wsgi", door, raw, "ip")


def are_twins(server, door, raw, key):
    cache.clear()
    bare, asked = tried(server, f"{door}/bare", raw)
    with log_lines():
        answers = [tried(server, f"{door}/{key}", raw) for _ in range(MAX + 1)]
    statuses = [answer.status for answer, _ in answers]
    wrong = [pair for pair in asked if any(pair) and CountingBackend.passwords.get(pair[0]) != pair[1]]
    if bare.status >= 500 or len(asked) > 1:  # a backend that raised; a right Basic header beside a wrong body
        assert {*statuses} <= {bare.status, 429}
        assert sum(len(verified) for _, verified in answers) <= (MAX + 1) * len(asked)
    elif wrong:
        assert statuses == [bare.status] * MAX + [429]
        assert [verified for _, verified in answers] == [asked] * MAX + [[]]
    else:
        assert statuses == [bare.status] * (MAX + 1)
        assert [verified for _, verified in answers] == [asked] * (MAX + 1)
    for answer, _ in answers[:MAX]:
        assert answer.headers.get("Content-Type") == bare.headers.get("Content-Type")


@modest
@given(servers, doors, requests())
@example("wsgi", "json", guess("json", "bob", "right"))
@example("wsgi", "form", guess("form", "bob", accept="a/b;" * 3000))
def test_nobody_who_is_locked_out_gets_an_error(server, door, raw):
    """Whatever a locked client sends, it is refused or answered as ever, and nothing is verified."""
    cache.clear()
    for _ in range(MAX):
        assert len(tried(server, f"{door}/ip", guess(door, "bob"))[1]) == 1
    bare, asked = tried(server, f"{door}/bare", raw)
    answer, verified = tried(server, f"{door}/ip", raw)
    assert verified == []
    assert answer.status == 429 or (answer.status == bare.status and not asked)
    assert (answer.status == 429) is ("Retry-After" in answer.headers)
    if raw.method not in SAFE and bare.status in (200, 302, 401):
        assert answer.status == 429


# Strangers

JSON_DOORS = ["json", "async-json"]
v4, v6 = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6)
addresses = (
    v4 | v6.map(str) | v6.map(lambda a: a.exploded.upper()) | v4.map("::ffff:{}".format) | v6.map("{}%eth0".format)
)
session = st.text(string.ascii_lowercase + string.digits, min_size=8, max_size=40).map("sessionid={}".format)
identities = st.sampled_from(["bob", "eve"]) | texts.filter(str.strip)
plain = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


def neighbours(address):
    """Two subscribers whose addresses differ in one bit."""
    return str(address), str(type(address)(int(address) ^ (1 if address.version == 4 else 1 << 64)))


def subscriber(address):
    """Who has an address: all of an IPv4 one, the upper half of an IPv6 one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return (4, int(found)) if found.version == 4 else (6, int(found) >> 64)


def entries():
    return dict(cache._cache)


@override_settings(LOCKOUT_IPV6_WIDER_PREFIX=None)  # neighbours in a network share its record: test_networks.py
def are_strangers(server, target, first, second):
    """Failures of one, up to the lock, leave the other's answers and all its entries as they would be without."""
    cache.clear()
    bare = tried(server, target.partition("/")[0] + "/bare", second)
    assert len(bare[1]) == 1
    for _ in range(MAX):
        assert len(tried(server, target, first)[1]) == 1
    assert tried(server, target, first)[0].status == 429
    ours = entries()
    answer, verified = tried(server, target, second)
    assert (answer.status, verified) == (bare[0].status, bare[1])
    assert ours.items() <= entries().items()
    assert len(entries()) > len(ours)
    assert (tried(server, target, first)[0].status, CountingBackend.verified) == (429, [])


def pairs(values, same=lambda value: value):
    return st.tuples(values, values).filter(lambda pair: same(pair[0]) != same(pair[1]))


common = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(HEADERS[name]) | latin for name in ("accept", "x-forwarded-for", "origin")}
)


@modest
@given(
    servers,
    st.sampled_from(JSON_DOORS),
    st.sampled_from(sorted({*KEYS} - {"account"})),
    pairs(addresses, subscriber) | st.ip_addresses().map(neighbours),
    common,
)
def test_addresses_are_strangers(server, door, key, pair, more):
    """Whose address differs, as the server saw it, is another client, unless the key finds something better."""
    first, second = (replace(guess(door, "bob", **more), address=address) for address in pair)
    are_strangers(server, f"{door}/{key}", first, second)


PARTS = {
    "ua": ("user-agent", latin),
    "header": ("x-key", latin),
    "callable": ("x-key", latin),
    "session": ("cookie", session),
}


@modest
@given(servers, st.sampled_from(JSON_DOORS), st.sampled_from(sorted(PARTS)), st.data(), common)
def test_parts_are_strangers(server, door, key, data, more):
    """Whose user agent, header, session or answer of the callable differs is another client; no part is one too."""
    name, values = PARTS[key]
    first, second = (guess(door, "bob", **more, **{name: said}) for said in data.draw(pairs(values)))
    are_strangers(server, f"{door}/{key}", first, second)


said = st.tuples(st.sampled_from([*JSON_DOORS, "api"]), pairs(identities, fold)) | st.tuples(doors, pairs(plain, fold))


@modest
@given(servers, said, st.sampled_from(["name", "account"]))
def test_user_names_are_strangers(server, said, key):
    """Whose user name differs, folded as documented, is another client; at every door, in what it takes for a name."""
    door, pair = said
    are_strangers(server, f"{door}/{key}", *(guess(door, name) for name in pair))


@modest
@given(servers, doors, requests(), latin | v4, latin, st.sampled_from(["[{}]:1", "{}", " {}"]))
def test_nothing_that_is_sent_makes_a_stranger(server, door, raw, hops, agent, spelling):
    """With any X-Forwarded-For, user agent and body it is the same client, however the server spells its address."""
    cache.clear()
    for _ in range(MAX):
        assert len(tried(server, f"{door}/ip", guess(door, "bob"))[1]) == 1
    told = guess(door, "bob", **{"x-forwarded-for": hops, "user-agent": agent})
    address = spelling.format("::ffff:" + HERE)
    answer, verified = tried(server, f"{door}/ip", replace(told, body=raw.body, address=address))
    assert (answer.status, verified) == (429, [])


@modest
@given(servers, st.sampled_from(JSON_DOORS), pairs(v4.filter(lambda a: not a.startswith("10.")), subscriber), latin)
def test_clients_of_a_trusted_proxy_are_strangers(server, door, pair, junk):
    """Behind a proxy the last address that is not the proxy's tells clients apart, and nothing to the left of it."""
    said = [f"{junk},{address} , 10.0.0.9" for address in pair]
    first, second = (replace(guess(door, "bob", **{"x-forwarded-for": hops}), address="10.0.0.1") for hops in said)
    assume("\n" not in junk)
    with override_settings(LOCKOUT_TRUSTED_PROXIES=["10.0.0.0/8"]):
        are_strangers(server, f"{door}/ip", first, second)
        direct = replace(guess(door, "bob", "right"), address=pair[0])
        assert tried(server, f"{door}/ip", direct)[0].status == 429

"""How a client is recognised: no two clients spell one key, the cache holds no personal data, and a ceiling stops
those who make up new keys."""

import hashlib
import hmac
import pickle
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.core.cache.backends.base import memcache_key_warnings
from django.test import Client, RequestFactory
from django.utils.crypto import salted_hmac
from hypothesis import example, given
from hypothesis import strategies as st
from rest_framework.request import Request

from lockout_decorators import LockoutPolicy, lockout_protect
from lockout_decorators.attempts.counters import Client as Visitor
from lockout_decorators.clients import keys
from lockout_decorators.clients.keys import Key, digest
from lockout_decorators.records.record import TAG, UNTAGGED, WHO, parse
from tests.doors import FORM, RIGHT, DistantAsyncClient, acheck, check, mount
from tests.sizes import IN_FULL, pairs

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
PARTS = ["ip", "ua", "username", "user", "session", "header:X-Key"]


def ask(address=HERE, user=None, session=None, **meta):
    request = RequestFactory().post("/", FORM, REMOTE_ADDR=address, **meta)
    request.user, request.session = user or AnonymousUser(), SimpleNamespace(session_key=session)
    return request


def keys_of(request, identity=None, **arguments):
    """The entries in which a guess is counted: its address's, where there is a ceiling, and its key's."""
    return [one.key for one in Visitor(request).counters(LockoutPolicy(**{"scope": "s", **arguments}), identity)]


def key_of(key, request, identity=None):
    """What the client is counted under; whether its address has a ceiling makes no difference to who it is."""
    return keys_of(request, identity, key=key)[-1]


def with_value(part, value, address=HERE):
    """A request, and an identity, in which only that part has a value."""
    request = ask(
        address,
        User(pk=value) if part == "user" and value else None,
        value if part == "session" else None,
        **({"HTTP_USER_AGENT": value} if part == "ua" and value is not None else {}),
        **({"HTTP_X_KEY": value} if part == "header:X-Key" and value is not None else {}),
    )
    return request, value if part == "username" else None


# What tells clients apart


@pytest.mark.parametrize("part", [part for part in PARTS if part != "ip"])
def test_part_is_what_it_says(part):
    """Two values are two clients, wherever they come from; one value is one, wherever it comes from."""
    one, same, other = with_value(part, "1"), with_value(part, "1", ELSEWHERE), with_value(part, "2")
    assert key_of(part, *one) == key_of(part, *same)
    assert key_of(part, *one) != key_of(part, *other)
    assert key_of(f"ip+{part}", *one) != key_of(f"ip+{part}", *same)
    assert key_of(f"ip+{part}", *one) not in (key_of(f"ip+{part}", *other), key_of(f"{part}+ip", *one))


@pytest.mark.parametrize("part", [part for part in PARTS if part != "ip"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_absent_part_falls_back_to_the_address(part, nothing):
    """Strangers without a value share at most an address, and nobody can spell it."""
    key = key_of(part, *with_value(part, nothing))
    assert key == key_of(part, *with_value(part, nothing))
    assert key != key_of(part, *with_value(part, nothing, ELSEWHERE))
    for value in (HERE, f"no {part}", "None", "no", f"no {part},{HERE}"):
        assert key != key_of(part, *with_value(part, value))
    assert key != key_of("ip", ask())


def test_a_user_is_its_primary_key(rf):
    """Whatever its type; who has none, or is not signed in, or where there is no middleware, is counted by address."""
    assert key_of("user", ask(user=User(pk=1))) == key_of("user", ask(user=User(pk="1")))
    assert key_of("user", ask(user=User(pk=0))) != key_of("user", ask())
    assert key_of("user", ask(user=User(username="bob"))) == key_of("user", ask())
    for key in ("session", "user"):
        assert key_of(key, rf.get("/", REMOTE_ADDR=HERE)) == key_of(key, ask())


def test_request_of_drf_is_seen_through():
    """DRF's own user, which would verify credentials, is not asked for."""
    request = ask(user=User(pk=1))
    assert key_of("user", request) == key_of("user", Request(request))


values = st.none() | st.text(max_size=8) | st.sampled_from([HERE, ELSEWHERE, "no ua", "no username", "None", "2:ip,"])
subjects = st.tuples(st.sampled_from([HERE, ELSEWHERE]), values, values, values, values, st.none() | st.integers(0, 3))


def identify(subject):
    address, identity, agent, header, session, number = subject
    meta = {name: value for name, value in (("HTTP_USER_AGENT", agent), ("HTTP_X_KEY", header)) if value is not None}
    return ask(address, None if number is None else User(pk=number), session, **meta), identity


@given(subjects, subjects, st.lists(st.sampled_from(PARTS), min_size=1, unique=True).map("+".join))
def test_keys_are_equal_only_if_their_parts_are(one, other, key):
    """For all addresses, user names, user agents, headers, sessions and users, present or not."""

    def meant(subject):
        address, identity, agent, header, session, number = subject
        found = dict(zip(PARTS, (address, agent, identity, number, session, header), strict=True))
        return [
            (part, found[part]) if found[part] not in (None, "") else ("absent", part, address)
            for part in key.split("+")
        ]

    assert (meant(one) == meant(other)) == (key_of(key, *identify(one)) == key_of(key, *identify(other)))


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
@example(["a", "b"], ["", "ab"])
@example(["a,1:b"], ["a", "b"])
@example(["\ud800"], ["\ufffd"])
@example(["\ud83d\ude00"], ["\U0001f600"])
@example(["é"], ["e\u0301"])
@example([], [""])
def test_digest_is_framed(one, other):
    """Parts can't be shifted over their boundaries, whatever separators or surrogates they hold."""
    assert (one == other) == (digest("secret", *one) == digest("secret", *other))


def test_key_depends_on_the_secret(settings):
    """Who reads the cache can't compute whose entries they are."""
    before = key_of("ip", ask()), tag("bob")
    settings.SECRET_KEY = "another"
    assert not {*before} & {key_of("ip", ask()), tag("bob")}


@pytest.mark.parametrize("parts", [(), ("",), ("a", "b"), ("2:ip,",), ("gr\u00fc\ud800",), (1000 * "x", "y")])
def test_digest_is_a_plain_hmac(parts):
    """That of the standard library, under a key that is derived from the secret."""
    secret = salted_hmac("lockout_decorators", "", secret="secret", algorithm="sha256").digest()
    framed = "".join(f"{len(part)}:{part}," for part in parts)
    assert hmac.digest(secret, framed.encode("utf-8", "surrogatepass"), "sha256").hex() == digest("secret", *parts)


def test_long_texts_are_not_remembered():
    """Who sends a megabyte as a user agent fills no memory with it."""
    before = keys._digest.cache_info()
    digest("secret", "x" * 1_000_000)
    assert before == keys._digest.cache_info()


def tag(value, further=(), request=None):
    return Visitor(request or ask()).tag(value, further)


def test_tag_is_of_the_exact_value():
    """Types, cases and forms are different, as are the host, the address and what else names the account."""
    names = ["bob", "BOB", "bob ", "1", 1, True, 1.0, "é", "e\u0301", "\ud800", 0]
    elsewhere = [tag("bob", request=ask(ELSEWHERE)), tag("bob", request=ask(HTTP_HOST="b")), tag("bob", ["acme"])]
    assert len(names) + 3 == len({tag("bob"), *map(tag, names), *elsewhere})
    assert tag("bob", request=ask("2001:db8::1")) == tag("bob", request=ask("2001:db8::2"))
    assert {TAG} == {len(tag(value)) for value in names}


@pytest.mark.parametrize(
    ("value", "further"), [(None, ()), ("", ()), ("bob", None), (b"bob", ()), (["bob"], ()), ({"bob": 1}, ())]
)
def test_tag_of_nobody_is_none(value, further):
    """Nor of what is no name; nor where it is not known which of several credentials name the account."""
    assert UNTAGGED == tag(value, further)


def test_what_is_remembered_is_bounded():
    """Keys of old secrets and of clients that are gone are not piled up."""
    caches = [one for one in vars(keys).values() if hasattr(one, "cache_info")]
    assert caches and all(one.cache_info().maxsize for one in caches)


@pytest.mark.parametrize("key", ["username", "ip+username", lambda request, identity: "a"])
def test_key_that_needs_the_user_name_waits_for_it(key):
    """Others are looked up before anybody knows whom the client tries."""
    assert Key.parse(key).needs_identity
    assert not any(Key.parse(other).needs_identity for other in ("ip", "ip+ua", "user", "session", "header:username"))


# Callables


@pytest.mark.parametrize("value", ["x", "", None, HERE, 5, "\ud800", "x" * 1_000_000, ["x"]])
def test_callable_may_be_the_key(value):
    """It is given the request and the identity; what it returns is digested, whatever it is."""
    seen = []
    request = ask()
    key = key_of(lambda *args: seen.append(args) or value, request, "bob")
    assert [(request, "bob")] == seen
    assert key == key_of(lambda *args: value, ask(), "eve")
    assert key != key_of("ip", ask())
    assert len(key) < 60


@pytest.mark.parametrize("nothing", [None, ""])
def test_callable_that_knows_nobody_counts_the_address(nothing):
    """Strangers share no client named None, and nobody can spell the one they have."""
    key = key_of(lambda *args: nothing, ask())
    assert key != key_of(lambda *args: nothing, ask(ELSEWHERE))
    for value in ("None", HERE, "no callable"):
        assert key != key_of(lambda *args, value=value: value, ask())


def test_callable_counts_what_it_says(rf, verified):
    """Guesses are counted by it alone; it has no ceiling unless one is given."""
    view = lockout_protect(scope="s", key=lambda request, identity: f"{identity}@{request.GET['shop']}", max=2)(check)
    for address in (HERE, ELSEWHERE):
        assert view(rf.post("/?shop=a", FORM, REMOTE_ADDR=address)).status_code == 401
    assert view(rf.post("/?shop=a", RIGHT)).status_code == 429
    assert view(rf.post("/?shop=b", RIGHT)).status_code == 200
    assert len(verified) == 3


# What the cache holds


KEYS = [*PARTS, "ip+ua", "ip+username", "+".join(PARTS)]


@pytest.mark.parametrize(
    ("key", "prefix"), pairs(KEYS, ["lockout", "p" * 100, "!#$%&~:.", "a.b:c"])[:: 1 if IN_FULL else 3]
)
def test_keys_are_valid_on_memcached(key, prefix, settings, verified):
    """For all prefixes and scopes; a client and its address have one each."""
    settings.LOCKOUT_CACHE_PREFIX = prefix
    for number, scope in enumerate(("s", "x" * 200, "Grüße an alle", "a:b.c"), 1):
        view = lockout_protect(scope=scope, key=key, max=2, ceiling=2)(check)
        for guess in range(3):
            request, _ = with_value("ua", "Mozilla \x01\x7f é" * 50)
            request.POST = {**FORM, "password": f"wrong {guess}"}
            view(request)
        names = [name for name in cache._cache if f":{prefix}:" in name]
        assert 2 * number == len([name for name in names if "{locks}" not in name])
        assert [warning for name in names for warning in memcache_key_warnings(name)] == []
    assert len(verified) == 4 * 2


@pytest.mark.parametrize("key", KEYS)
def test_cache_holds_no_personal_data(key, verified):
    """Neither keys nor values tell the user name, the address, the user agent or the password, nor a plain hash."""
    private = ["bobby-tables", "203.0.113.77", "Mozilla/5.0 (X11)", "secret-guess", "header-value", "session-value"]
    view, held, records = lockout_protect(scope="s", key=key, max=3)(check), "", []
    for word in ("secret-guess", "another-guess", "secret-guess", "secret-guess"):
        request = ask(private[1], User(pk="user-key"), private[5], HTTP_USER_AGENT=private[2], HTTP_X_KEY=private[4])
        request.POST = {"username": private[0], "password": word}
        view(request)
        values = [pickle.loads(value) for value in cache._cache.values()]
        held += f"{[*cache._cache]} {values}"
        records += [parse(value) for value in values if "\n" not in value]
    assert len(verified) == 3
    slots = [slot for record in records for slot in record.slots]
    assert slots and any(record.locked for record in records)
    hashes = [hashlib.new(name, word.encode()).hexdigest() for word in private for name in ("md5", "sha1", "sha256")]
    for word in [*private, "user-key", "bobby", *(full[:16] for full in hashes)]:
        assert word.lower() not in held.lower()
    assert not {(slot.who, slot.tag) for slot in slots} & {(full[:WHO], full[:TAG]) for full in hashes}


def test_values_are_short_ascii_strings(rf, verified):
    """Every serializer, client library and database stores them, and a lock is under 250 bytes, in the journal too."""
    view = lockout_protect(scope="s", key="ip+username", max=3)(check)
    for number in range(4):
        view(rf.post("/", {"username": "bøb", "password": str(number)}))
    values = [pickle.loads(value) for value in cache._cache.values()]
    assert values and all(value.isascii() and len(value) < 250 for value in values)
    assert all(value == value.lower() for value in values if "\n" not in value)


# The ceiling


MADE_UP = {
    "ip+ua": lambda number: {"HTTP_USER_AGENT": f"browser {number}"},
    "ua": lambda number: {"HTTP_USER_AGENT": f"browser {number}"},
    "header:X-Key": lambda number: {"HTTP_X_KEY": f"key {number}"},
    "ip+header:X-Key+ua": lambda number: {"HTTP_X_KEY": f"key {number}"},
    "username": lambda number: {"username": f"user {number}"},
    "ip+username": lambda number: {"username": f"user {number}"},
    "session": lambda number: {"session": f"session {number}"},
    "ip+session": lambda number: {"session": f"session {number}"},
}


@pytest.fixture
def guess():
    """Try a password, with whatever a client can make up."""

    def guess(view, form=FORM, address=HERE, username="bob", session=None, **meta):
        request = ask(address, None, session, **meta)
        request.POST = {**form, "username": username}
        return view(request).status_code

    return guess


@pytest.mark.parametrize("key", MADE_UP)
def test_ceiling_holds_what_a_client_makes_up(key, guess, verified):
    """`ceiling * max` guesses from one address, whatever it says it is; then the correct password is refused."""
    view = lockout_protect(scope="s", key=key, max=2, ceiling=3)(check)
    statuses = [guess(view, **MADE_UP[key](number)) for number in range(20)]
    assert statuses == 6 * [401] + 14 * [429]
    assert guess(view, RIGHT) == 429
    assert len(verified) == 6
    assert guess(view, RIGHT, ELSEWHERE) == 200


@pytest.mark.parametrize(
    ("agents", "most"),
    [
        ([{"HTTP_USER_AGENT": f"{number}" + 1_000_000 * "x"} for number in range(10)], 6),
        ([{"HTTP_USER_AGENT": 1_000_000 * "x" + f"{number}"} for number in range(10)], 6),
        ([{"HTTP_USER_AGENT": f"\x00\x7f\xff {number}"} for number in range(10)], 6),
        (10 * [{}], 2),
        (10 * [{"HTTP_USER_AGENT": ""}], 2),
        (5 * [{}, {"HTTP_USER_AGENT": ""}], 2),
        ([{"HTTP_USER_AGENT": f"{number}"} if number % 2 else {} for number in range(10)], 6),
    ],
    ids=["1 MB", "1 MB before", "control", "missing", "empty", "missing or empty", "missing at times"],
)
def test_strange_user_agents(agents, most, guess, verified):
    """However long, absent or empty the user agent, one address has no more than its ceiling."""
    view = lockout_protect(scope="s", key="ip+ua", max=2, ceiling=3)(check)
    for agent in agents:
        guess(view, **agent)
    assert guess(view, RIGHT) == 429
    assert most == len(verified)


def test_no_ceiling(guess, verified):
    """ceiling=None leaves the address alone: each made-up client has its own guesses."""
    view = lockout_protect(scope="s", key="ip+ua", max=1, ceiling=None)(check)
    assert [guess(view, HTTP_USER_AGENT=f"browser {number}") for number in range(10)] == 10 * [401]
    assert guess(view, RIGHT, HTTP_USER_AGENT="browser 3") == 429
    assert guess(view, RIGHT, HTTP_USER_AGENT="another") == 200
    assert len(verified) == 11


@pytest.mark.parametrize("key", ["ip", "user", "ip+user"])
def test_key_that_nobody_can_change_has_no_ceiling(key):
    """Nobody can make up an address or be signed in as another; but IPv6 clients may have many addresses."""
    for more, limits in (({}, [5]), ({"ceiling": 3}, [15, 5])):
        kinds = LockoutPolicy(scope="s", key=key, **more).kinds
        assert limits == [kind.rule.max for kind in kinds if not kind.wider]
        assert len(limits) == len({*keys_of(ask(), key=key, **more)})


def test_callable_may_have_a_ceiling(guess, verified):
    """When it is given."""
    view = lockout_protect(scope="s", key=lambda request, identity: request.headers["X-Key"], max=1, ceiling=4)(check)
    for number in range(10):
        guess(view, HTTP_X_KEY=f"{number}")
    assert guess(view, RIGHT, HTTP_X_KEY="another") == 429
    assert len(verified) == 4


@pytest.mark.parametrize(
    "addresses", [[HERE], ["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"]], ids=["one", "network"]
)
@pytest.mark.parametrize("key", ["ip", "ip+ua", "ip+username"])
def test_counters_of_an_address_or_its_network_lie_together(key, addresses):
    """In a cluster they are on one node: whatever is in braces tells which."""
    requests = [ask(address) for address in addresses]
    found = [one for it in requests for one in keys_of(it, "bob", key=key, ceiling=2)]
    found += [one for it in requests for one in keys_of(it, "eve", key=key, scope="other")]
    assert 1 == len({one[one.index("{") : one.index("}")] for one in found})


# Scopes


TUNED = [{"max": 9}, {"lockout": (60, 300)}, {"forget": 60}, {"enforce": False}, {"response": "a.html"}]
APART = [{"scope": "t"}, {"key": "ua+ip"}, {"key": "ip"}, {"window": 60}, {"rolling": True}]


def test_what_is_tuned_under_a_scope_keeps_what_stands():
    """Another key, or another window, starts afresh."""
    found = keys_of(ask(), key="ip+ua")
    assert [found] * len(TUNED) == [keys_of(ask(), **{"key": "ip+ua", **more}) for more in TUNED]
    others = [keys_of(ask(), **{"key": "ip+ua", **more}) for more in APART]
    assert len(APART) * 2 - 1 == len({one for keys in others for one in keys} - {*found})


def test_one_scope_joins_doors(guess, rf, verified):
    """Views, policies and blocks of one scope share their counters."""
    policy = LockoutPolicy(scope="one", max=4)
    shared, again = lockout_protect(policy)(check), lockout_protect(scope="one", max=4)(check)
    coroutine = async_to_sync(lockout_protect(scope="one", max=4)(acheck))
    assert [guess(view) for view in (shared, again, coroutine)] == [401, 401, 401]
    with policy.attempt(ask()):
        pass
    assert [guess(view, RIGHT) for view in (shared, again, coroutine)] == [429, 429, 429]
    assert len(verified) == 3


@pytest.mark.parametrize(("key", "elsewhere"), [("ip+username", 200), ("ip", 200), ("ip+ua", 200), ("username", 429)])
def test_victim_elsewhere(key, elsewhere, guess, verified):
    """A guesser locks itself out, not the account, unless the key is the user name alone; with it, nobody beside it."""
    view = lockout_protect(scope="s", key=key, max=3)(check)
    for _ in range(5):
        guess(view)
    assert (429, elsewhere) == (guess(view, RIGHT), guess(view, RIGHT, ELSEWHERE))
    colleague = 200 if "username" in key else 429
    assert colleague == guess(view, {"password": "eves"}, username="eve")
    assert 3 + [elsewhere, colleague].count(200) == len(verified)


# Sessions and signed-in users, over the whole stack


def visit(server, cookies=None, form=FORM, address=HERE):
    client = Client(REMOTE_ADDR=address) if server == "wsgi" else DistantAsyncClient(address)
    client.cookies.update(cookies or {})
    answer = client.post("/", form) if server == "wsgi" else async_to_sync(client.post)("/", form)
    return answer.status_code


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client.cookies


DOORS = [("wsgi", check), ("asgi", acheck), ("wsgi", acheck), ("asgi", check)][: 4 if IN_FULL else 2]


@pytest.fixture(params=DOORS)
def door(request, settings, db):
    """Mount a view of either kind and return how to visit it; sessions are in the database."""
    server, view = request.param

    def door(**arguments):
        mount(settings, lockout_protect(scope="s", **arguments)(view))
        return lambda *args, **kwargs: visit(server, *args, **kwargs)

    return door


@pytest.mark.parametrize("key", ["user", "session", "ip+user", "ip+session", "user+session"])
def test_signed_in_clients_are_told_apart(key, door, verified):
    """By who is signed in or by session, wherever, unless the address is part of the key; who is not yet is counted by
    address. No lookup runs on the event loop."""
    visit = door(key=key, max=2, ceiling=None)
    bob, eve = (signed_in(User.objects.create(pk=pk, username=name)) for pk, name in ((1, "bob"), (2, "eve")))
    assert [visit(bob) for _ in range(3)] == [401, 401, 429]
    assert [visit(eve), visit(bob, RIGHT)] == [401, 429]
    assert [visit() for _ in range(3)] == [401, 401, 429]
    assert (visit(None, RIGHT), visit(bob, RIGHT)) == (429, 429)
    assert len(verified) == 5
    assert (visit(None, RIGHT, ELSEWHERE), visit(eve, RIGHT)) == (200, 200)
    assert (200 if "ip" in key else 429) == visit(bob, RIGHT, ELSEWHERE)


def test_made_up_sessions_meet_the_ceiling(door, verified):
    """A client can send any session cookie: one address has no more than its ceiling."""
    visit = door(key="session", max=1, ceiling=3)
    bob = User.objects.create(pk=1, username="bob")
    for _ in range(6):
        visit(signed_in(bob))
    assert visit(signed_in(bob), RIGHT) == 429
    assert len(verified) == 3

"""Arguments and settings: what is allowed, what comes of the rest, and when they are read."""

import math
import re
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from datetime import timedelta
from ipaddress import ip_network
from types import SimpleNamespace

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse

from lockout_decorators import LockedOut, LockoutPolicy, areset_attempts, lockout_protect, reset_attempts
from lockout_decorators.conf import conf
from lockout_decorators.terms.arguments import UNSET
from lockout_decorators.terms.registry import registered
from tests.doors import FORM, RIGHT, check, mount, over_http

ACCEPTED = {
    "key": ["ip", "ip+ua", "username", "ip + username", "user+session", "header:X-Api-Key", lambda request, name: "x"],
    "max": [1, 5, 1000],
    "window": [1, 0.5 + 1, 315_360_000, timedelta(minutes=5)],
    "lockout": [1, None, timedelta(days=1), (60, 300.5, timedelta(hours=1)), [60], 315_360_000],
    "rolling": [True, False],
    "forget": [1, timedelta(days=30)],
    "scope": ["login", "x" * 200, "a b", "Grüße"],
    "cache": ["default", "other"],
    "ceiling": [1, 1000, None],
    "spread": [2, 1000, None],
    "username": ["email", None, lambda request, credentials: "x"],
    "account": [None, (), ("tenant",), ["tenant", "realm"], (name for name in ["tenant"])],
    "failure": [401, (401, 403), [401], {401}, frozenset({401}), None, lambda request, response: True],
    "credentials": [None, bool],
    "calls": [1, 10],
    "response": ["page.html", None, lambda request, locked_out: HttpResponse()],
    "methods": [None, (), ("POST",), ["post", "PUT"], {"POST"}, (method for method in ["POST"])],
    "enforce": [True, False],
    "exempt": [None, bool, ["192.0.2.0/24"], ("192.0.2.9", "2001:db8::/48"), {"192.0.2.0/24"}, frozenset(), []],
    "patience": [0, 0.5, timedelta(seconds=2)],
    "challenge": [None],
    "challenge_after": [None],
}

REFUSED = {
    "key": ["", "+", "ip+", "IP", "address", "ip+ip", "ip++ua", "header:", "header:X Y", "headers:X", 5, None, ["ip"]],
    "max": [0, -1, 1001, True, False, "5", 5.0, None, math.inf],
    "window": [0, -1, 0.5, math.nan, math.inf, -math.inf, True, "300", None, 10**400, timedelta(0), timedelta.max],
    "lockout": [-1, math.nan, math.inf, True, False, "600", timedelta(0), (), [], (60, 0), (60, None), ("60",), {60}],
    "rolling": [1, 0, None, "yes"],
    "forget": [0, math.nan, math.inf, True, "86400", None],
    "scope": ["", " ", "x" * 201, "a\nb", "a\x00b", "\ud800", None, 5, b"login"],
    "cache": ["", "\n", None, 5],
    "ceiling": [0, -1, 1001, True, "5", 2.5],
    "spread": [0, 1, -1, 1001, True, "10", 2.5],
    "username": ["", 5, ("email",)],
    "account": ["tenant", b"tenant", 5, True, [None], [""], (5,)],
    "failure": [99, 600, True, "401", b"401", (), [], ("401",), (401, None), 401.0],
    "credentials": ["Authorization", 5, True],
    "calls": [0, -1, 11, True, "2", None],
    "response": ["", 5, b"page.html"],
    "methods": ["POST", b"POST", 5, True, [None], [""], [5], ("POST", 5)],
    "enforce": [1, 0, None, "yes"],
    "exempt": [
        "10.0.0.1",
        b"10",
        5,
        True,
        ["10.0.0.1/8"],
        ["office"],
        [""],
        [5],
        [None],
        {"10.0.0.0/8": 1},
        iter(["::1"]),
    ],
    "patience": [-1, math.nan, math.inf, True, "5", None],
    "challenge": ["turnstile", 5, True],
    "challenge_after": [0, -1, 1000, True, "3", 2.5],
}


async def coroutine_function(*args):
    """Its result is true, whatever it would say."""


class AsyncCallable:
    async def __call__(self, *args):
        """The same in a class."""


for name in ("key", "username", "failure", "credentials", "exempt", "challenge"):
    REFUSED[name] += [coroutine_function, AsyncCallable()]

ALLOWED = {
    "key": "parts of ip, ua, username, user, session, header:Name joined by",
    "max": "a whole number from 1 to 1000",
    "window": "seconds from 1 up to ten years, or a timedelta",
    "lockout": "or a timedelta, several of them in a row, None for ever, or 0 with rolling=True",
    "rolling": "True or False",
    "forget": "seconds from 1 up to ten years, or a timedelta",
    "scope": "a name of 1 to 200 printable characters",
    "cache": "a name of 1 to 200 printable characters",
    "ceiling": "a whole number from 1 to 1000, or None",
    "spread": "a whole number from 2 to 1000, or None",
    "username": "a name or a plain callable, or None",
    "account": 'a list of names such as ("tenant",), or (), or None',
    "failure": "an HTTP status, several of them, or a plain callable",
    "credentials": "a plain callable, or None",
    "calls": "a whole number from 1 to 10",
    "response": "a name or a callable, or None",
    "methods": 'a list of HTTP methods such as ("POST", "PUT"), or () for none',
    "enforce": "True or False",
    "exempt": 'a list of networks such as ["192.0.2.0/24"], or a plain callable, or None',
    "patience": "seconds from 0 up to ten years, or a timedelta",
    "challenge": "a plain callable, or None",
    "challenge_after": "a whole number from 1 to 999, or None",
}


@pytest.mark.parametrize("make", [lockout_protect, LockoutPolicy])
@pytest.mark.parametrize("name", REFUSED)
def test_bad_argument_stops_the_import(make, name):
    """The message names the argument, what came and what is allowed."""
    for value in REFUSED[name]:
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            make(**{"scope": "s", name: value})
        assert f"{name} is {value!r}; it must be" in str(caught.value) and ALLOWED[name] in str(caught.value)


FORMS = {  # in which what is given is kept
    timedelta: timedelta.total_seconds,
    "account": tuple,
    "lockout": lambda given: tuple([float(getattr(one, "total_seconds", lambda one=one: one)()) for one in given]),
    "exempt": lambda given: frozenset(map(ip_network, given)),
    "failure": lambda given: frozenset([given] if isinstance(given, int) else given),
    "methods": lambda given: frozenset(map(str.upper, given)),
    "key": lambda given: given.replace(" ", ""),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_good_argument_is_kept(name):
    """What is allowed is there afterwards, in one form."""
    for given in ACCEPTED[name]:
        value = list(given) if isinstance(given, Iterator) else given
        kept = getattr(LockoutPolicy(**{"scope": "s", name: value}), name)
        if name == "key":
            kept = kept.function or "+".join(kept.parts)
        plain = value is None or callable(value) or (name == "lockout" and isinstance(value, int))
        form = FORMS.get(timedelta if isinstance(value, timedelta) else name)
        assert kept == (value if plain or form is None else form(value))


@pytest.mark.parametrize("make", [lockout_protect, LockoutPolicy])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lockout": 0}, "lockout is 0; that needs rolling=True, where failures end one by one"),
        ({"lockout": 0.0, "rolling": False}, "lockout is 0; that needs rolling=True"),
        ({"max": 1000, "ceiling": 6}, "ceiling \\* max is 6000; it must be at most 5000"),
        ({"key": "ip", "max": 10, "spread": 10}, "spread is 10; it must be less than the 10 failures that lock an ad"),
        ({"key": "ip+ua", "max": 2, "spread": 10}, "spread is 10; it must be less than the 10 failures that lock an a"),
        ({"key": "ip+ua", "ceiling": None, "spread": 9}, 'spread is 9; .* so it needs a ceiling or key="ip"'),
        ({"key": "user", "max": 99, "spread": 9}, 'spread is 9; .* so it needs a ceiling or key="ip"'),
        ({"key": lambda request, identity: "x", "spread": 9}, 'spread is 9; .* so it needs a ceiling or key="ip"'),
    ],
)
def test_arguments_that_make_no_sense_together(make, arguments, message):
    """They stop the import too; each by itself is allowed."""
    with pytest.raises(ValueError, match=message):
        make(scope="s", **arguments)
    assert LockoutPolicy(scope="s", lockout=0, rolling=True).lockout == 0
    assert LockoutPolicy(scope="s", max=1000, ceiling=5).max == 1000
    for may in ({"key": "ip", "max": 11}, {"key": "ip+ua", "max": 3}, {"key": "user", "ceiling": 3}, {"ceiling": 2}):
        assert LockoutPolicy(scope="s", spread=10, **may).spread == 10


def test_policy_made_by_hand_names_its_scope():
    """A policy without a view can't derive its scope."""
    with pytest.raises(ValueError, match=r"names its scope: LockoutPolicy\(scope="):
        LockoutPolicy(max=5)


def test_policy_is_frozen_and_comparable():
    """A policy is a value."""
    policy, equal = (LockoutPolicy(scope="s", key="ip+ua", max=5, lockout=[60, 90], account=[]) for _ in range(2))
    with pytest.raises(FrozenInstanceError):
        policy.max = 6
    with pytest.raises(AttributeError):
        policy.key.parts = ()
    assert ({policy}, {equal: 1}) == ({equal}, {policy: 1})
    assert policy != LockoutPolicy(scope="s", key="ip+ua", max=6, lockout=[60, 90], account=[])


def test_what_was_not_given_is_unset_on_the_class():
    """The default of every argument is what the settings say, later."""
    assert LockoutPolicy.max is UNSET
    assert repr(UNSET) == "UNSET"
    assert LockoutPolicy(scope="s", max=UNSET).max == 5


DEFAULTS = {
    "max": ("LOCKOUT_MAX_ATTEMPTS", 5, 7),
    "window": ("LOCKOUT_ENFORCEMENT_WINDOW", 300, 60),
    "lockout": ("LOCKOUT_TIME", 600, None),
    "cache": ("LOCKOUT_CACHE", "default", "other"),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_default_is_read_at_the_moment_of_use(name, settings):
    """A setting that changes after the decoration is heeded, unless the argument was given."""
    setting, default, other = DEFAULTS[name]
    policy, fixed = LockoutPolicy(scope="s"), LockoutPolicy(scope="t", **{name: default})
    assert default == getattr(policy, name)
    setattr(settings, setting, other)
    assert (other, default) == (getattr(policy, name), getattr(fixed, name))


def test_other_defaults():
    """What no setting changes."""
    policy = LockoutPolicy(scope="s")
    names = ("ceiling", "spread", "username", "account", "failure", "credentials", "response", "methods", "exempt")
    names += ("challenge", "challenge_after")
    assert [getattr(policy, name) for name in names] == 11 * [None]
    assert (policy.calls, policy.enforce, policy.patience) == (2, True, 5)
    assert (policy.rolling, policy.forget) == (False, 86_400)
    assert policy.key.parts == ("ip",)


@pytest.mark.parametrize(
    ("key", "ceiling"),
    [
        ("ip", None),
        ("user", None),
        ("ip+user", None),
        ("ua", 5),
        ("ip+ua", 5),
        ("username", 5),
        ("ip+username", 5),
        ("session", 5),
        ("header:X-Key", 5),
    ],
)
def test_key_that_a_client_can_change_has_a_ceiling(key, ceiling):
    """Five times the maximum from one address, whatever else it makes up; a callable key has none unless given."""
    assert ceiling == LockoutPolicy(scope="s", key=key).ceiling
    assert LockoutPolicy(scope="s", key=key, ceiling=None).ceiling is None
    assert LockoutPolicy(scope="s", key=lambda request, identity: key).ceiling is None


def test_user_agent_joins_the_default_key(settings, verified):
    """LOCKOUT_USE_USER_AGENT=True: one address with two browsers is two clients, up to the ceiling."""
    mount(settings, lockout_protect(max=1)(check))
    settings.LOCKOUT_USE_USER_AGENT = True
    send = over_http("wsgi")
    statuses = [send("/", FORM, headers={"User-Agent": f"browser {number}"}).status_code for number in range(7)]
    assert statuses == 5 * [401] + 2 * [429]
    assert send("/", RIGHT, headers={"User-Agent": "another"}).status_code == 429
    assert len(verified) == 5


BAD_SETTINGS = {
    "LOCKOUT_ENABLED": ("True or False", [0, None, "yes"]),
    "LOCKOUT_MAX_ATTEMPTS": ("a whole number from 1 to 1000", [0, "5", True, None]),
    "LOCKOUT_ENFORCEMENT_WINDOW": ("seconds from 1 up to ten years", [0, "300", None]),
    "LOCKOUT_TIME": ("None for ever", [0, "600", False]),
    "LOCKOUT_USE_USER_AGENT": ("True or False", [1, None]),
    "LOCKOUT_CACHE_PREFIX": ("1 to 100 printable ASCII characters without spaces", ["", "a b", "ü", "x" * 101, None]),
    "LOCKOUT_CACHE": ("a name of 1 to 200 printable characters", ["", None, 5]),
    "LOCKOUT_TRUSTED_PROXIES": (
        'a list of addresses, networks ("10.0.0.0/8") and "unix"',
        ["10.0.0.0/8", None, ["proxy"], [10], ["10.0.0.1/8"], [None], 5],
    ),
    "LOCKOUT_IPV6_PREFIX": ("a whole number from 1 to 128", [0, 129, "64", True, None]),
    "LOCKOUT_IPV6_WIDER_PREFIX": ("a whole number from 1 to 128, or None", [0, 129, "48", True]),
    "LOCKOUT_CLIENT_IP": (
        "a callable taking the request, its dotted path, or None",
        [5, "nowhere.to.be.found", "word", "math.pi"],
    ),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_setting_is_improperly_configured(name, settings, rf, verified):
    """A wrong setting is named, with what it is and what is allowed, before any password is verified."""
    view = lockout_protect()(check)
    address = "::1" if "IPV6" in name else "192.0.2.1"
    allowed, values = BAD_SETTINGS[name]
    for value in values:
        setattr(settings, name, value)
        with pytest.raises(ImproperlyConfigured) as caught:
            view(rf.post("/", RIGHT, REMOTE_ADDR=address))
        assert f"{name} is {value!r}; it must be " in str(caught.value) and allowed in str(caught.value)
    assert verified == []


def test_good_settings(settings):
    """What the settings may be."""
    assert (conf.enabled, conf.fail_open, conf.cache_prefix, conf.ipv6_prefix) == (True, False, "lockout", 64)
    assert (None, (frozenset(), False)) == (conf.client_ip, conf.trusted_proxies)
    settings.LOCKOUT_CLIENT_IP = "os.path.basename"
    settings.LOCKOUT_TRUSTED_PROXIES = ["10.0.0.0/8", "::1", "unix"]
    assert conf.client_ip.__name__ == "basename"
    assert (frozenset({ip_network("10.0.0.0/8"), ip_network("::1")}), True) == conf.trusted_proxies
    settings.LOCKOUT_CLIENT_IP = check
    settings.LOCKOUT_TRUSTED_PROXIES = {ip_network("10.0.0.0/8")}
    assert conf.client_ip is check
    assert (frozenset({ip_network("10.0.0.0/8")}), False) == conf.trusted_proxies


# By hand: status and reset


@pytest.fixture
def request_(rf):
    return rf.post("/", FORM)


def fail(policy, request, username=None):
    with policy.attempt(request, username) as attempt:
        attempt.fail()


def test_status_and_reset(request_):
    """A policy tells how a client stands, and forgets it."""
    policy = LockoutPolicy(scope="s", max=2)
    assert (policy.status(request_).failures, policy.status(request_).maximum, False) == (0, 2, False)
    fail(policy, request_)
    assert (policy.status(request_).failures, policy.status(request_).locked) == (1, False)
    fail(policy, request_)
    status = policy.status(request_)
    assert (status.failures, status.locked) == (2, True)
    assert 1 <= status.retry_after <= 600 and status.until.tzinfo is not None
    with pytest.raises(LockedOut) as refused:
        fail(policy, request_)
    assert re.fullmatch(r"[2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4}", status.reference)
    assert status.reference == refused.value.status.reference
    policy.reset(request_)
    assert (policy.status(request_).locked, policy.status(request_).reference) == (False, "")


def test_status_under_other_terms(request_):
    """Locks that grow, that last until a reset, and windows that roll: what each says of the time."""
    grows, endless = LockoutPolicy(scope="a", max=1, lockout=(60, 300)), LockoutPolicy(scope="b", max=1, lockout=None)
    rolls = LockoutPolicy(scope="c", max=1, window=60, lockout=0, rolling=True)
    for policy in (grows, endless, rolls):
        fail(policy, request_)
    statuses = [policy.status(request_) for policy in (grows, endless, rolls)]
    assert [True, True, False] == [status.locked for status in statuses]
    assert [60, None, 60] == [status.retry_after and round(status.retry_after, -1) for status in statuses]
    assert [False, True, True] == [status.until is None for status in statuses]


def test_what_is_tuned_meets_what_stands(request_):
    """A new `max` and a shorter `lockout` hold at once, for those who are on record under the old ones."""
    before = LockoutPolicy(scope="s", max=5, lockout=900)
    for _ in range(3):
        fail(before, request_)
    strict = LockoutPolicy(scope="s", max=2)
    with pytest.raises(LockedOut) as refused:
        fail(strict, request_)
    assert (refused.value.status.locked, refused.value.status.failures) == (False, 3)
    for _ in range(2):
        fail(before, request_)
    assert before.status(request_).retry_after > 600
    assert LockoutPolicy(scope="s", max=9, lockout=60).status(request_).retry_after <= 60


def test_forgiving(request_, rf):
    """Frees what is proven: failures at exactly that name from there, and the lock that is about that account alone."""
    address = LockoutPolicy(scope="address", max=4)
    for name in ("bob", "BOB", "eve"):
        fail(address, request_, name)
    address.forgive(rf.post("/", HTTP_HOST="elsewhere"), "bob")
    assert address.status(request_).failures == 3
    address.forgive(request_, "bob")
    assert address.status(request_).failures == 2
    account, pair = (LockoutPolicy(scope=key, key=key, max=2, ceiling=2) for key in ("username", "ip+username"))
    for policy in (address, account, pair):
        for _ in range(2):
            fail(policy, request_, "bob")
        policy.forgive(request_, "bob")
    assert [True, False, True] == [policy.status(request_, "bob").locked for policy in (address, account, pair)]


async def test_asynchronous_twins(rf):
    """astatus, areset, aforgive and areset_attempts do the same."""
    request, policy = rf.post("/"), LockoutPolicy(scope="s", max=1)
    for reset in (policy.areset, areset_attempts, lambda request: areset_attempts(request, "s")):
        async with policy.attempt(request):
            pass
        assert (await policy.astatus(request)).locked
        await reset(request)
        assert not (await policy.astatus(request)).locked
    by_name = LockoutPolicy(scope="n", max=1, key="username")
    async with by_name.attempt(request, "bob"):
        pass
    await by_name.aforgive(request, "bob")
    assert not (await by_name.astatus(request, "bob")).locked


@pytest.mark.parametrize("call", ["status", "reset", "forgive"])
def test_policy_by_user_name_wants_one(call, request_):
    """A key that needs the user name can't do without."""
    policy = LockoutPolicy(scope="s", key="ip+username")
    with pytest.raises(ValueError, match="policy 's' counts by user name: pass username="):
        getattr(policy, call)(request_, None)
    getattr(policy, call)(request_, "bob")


def test_reset_attempts_resets_what_the_request_identifies(request_):
    """Without a scope: every registered policy whose key needs nothing but the request."""
    by_address, by_agent = LockoutPolicy(scope="a", max=1), LockoutPolicy(scope="b", key="ip+ua", max=1)
    by_name, by_function = (
        LockoutPolicy(scope="c", key="username", max=1),
        LockoutPolicy(scope="d", key=lambda request, identity: "x", max=1),
    )
    for policy in (by_address, by_agent, by_name, by_function):
        fail(policy, request_, "bob")
    reset_attempts(request_)
    assert not by_address.status(request_).locked
    assert not by_agent.status(request_).locked
    assert by_name.status(request_, "bob").locked
    assert by_function.status(request_, "bob").locked
    reset_attempts(request_, "d")
    assert not by_function.status(request_).locked


def test_reset_attempts_of_an_unknown_scope_names_those_there_are(request_):
    """A scope that is spelled wrong is an error."""
    with pytest.raises(LookupError, match=r"no policy has the scope 'x'; there are: none"):
        reset_attempts(request_, "x")
    LockoutPolicy(scope="b")
    LockoutPolicy(scope="a")
    with pytest.raises(LookupError, match=r"no policy has the scope 'x'; there are: a, b"):
        reset_attempts(request_, "x")


def test_equal_policies_are_registered_once():
    """One scope, one rule."""
    policy = LockoutPolicy(scope="s", max=5)
    assert LockoutPolicy(scope="s", max=5) == policy
    LockoutPolicy(scope="s", max=6)
    assert [known.max for known in registered["s"]] == [5, 6]


def test_settings_of_any_kind_are_read(monkeypatch):
    """Those that are not loaded yet, those that were assigned, and an object that a package put in their place."""
    monkeypatch.setattr("lockout_decorators.conf.settings", fresh := LazySettings())
    assert (True, 64) == (conf.enabled, conf.ipv6_prefix)
    fresh.LOCKOUT_IPV6_PREFIX = 56
    assert 56 == conf.ipv6_prefix
    monkeypatch.setattr("lockout_decorators.conf.settings", SimpleNamespace(LOCKOUT_IPV6_PREFIX=48))
    assert (True, 48) == (conf.enabled, conf.ipv6_prefix)

"""`manage.py check` names configurations that can't count, or that surprise."""

import re
from datetime import timedelta
from unittest import mock

import pytest
from django.core.cache import caches
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError
from django.test import RequestFactory, override_settings
from django.urls import URLPattern, URLResolver, clear_url_caches, include, path
from django.views import View
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from lockout_decorators import LockoutPolicy, client_address, lockout_protect, policies_of, presets
from lockout_decorators.checks import check_lockout
from lockout_decorators.middleware import LockoutMiddleware
from tests import urls  # noqa: F401  # its policies are registered before a test begins
from tests.broken import Lying

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
ROOMY = {"MAX_ENTRIES": 100_000}


def messages(**options):
    """What Django's run of the checks says of this package: each with a reason, and a hint what to do."""
    found = [message for message in run_checks(**options) if str(message.id).startswith("lockout_decorators.")]
    assert all(message.msg and message.hint for message in found)
    return found


def ids(**options):
    return [message.id.removeprefix("lockout_decorators.") for message in messages(**options)]


@pytest.fixture(autouse=True)
def development(settings):
    """LocMem is fine while DEBUG is on; no door is there to be looked for."""
    settings.DEBUG, settings.ROOT_URLCONF = True, __name__


@pytest.fixture
def cache(settings):
    """Replaces the default cache."""

    def configure(backend, **more):
        settings.CACHES = {"default": {"BACKEND": backend, **more}}

    return configure


def test_a_sound_configuration_passes(settings):
    """Nothing to say, of many doors either."""
    settings.ROOT_URLCONF = "tests.urls"
    LockoutPolicy(scope="login")
    assert ids() == []


def test_the_command_shows_what_is_wrong(cache, capsys):
    """`manage.py check` stops at an error and prints a warning, with its id and hint."""
    LockoutPolicy(scope="a", window=600, lockout=60)
    call_command("check")
    shown = capsys.readouterr().err
    assert ("(lockout_decorators.W001)" in shown, "HINT: A lock ends with a fresh start" in shown) == (True, True)
    cache("django.core.cache.backends.dummy.DummyCache")
    with pytest.raises(SystemCheckError, match=r"\(lockout_decorators\.E005\)(.|\n)*HINT: Use any other cache"):
        call_command("check")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("LOCKOUT_ENABLED", "yes"),
        ("LOCKOUT_FAIL_OPEN", 1),
        ("LOCKOUT_USE_USER_AGENT", None),
        ("LOCKOUT_CACHE_PREFIX", "with space"),
        ("LOCKOUT_IPV6_PREFIX", 129),
        ("LOCKOUT_IPV6_WIDER_PREFIX", "48"),
        ("LOCKOUT_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("LOCKOUT_TRUSTED_PROXIES", ["10.0.0.1/8"]),
        ("LOCKOUT_CLIENT_IP", "no.such.function"),
        ("LOCKOUT_MAX_ATTEMPTS", 0),
        ("LOCKOUT_TIME", -1),
        ("LOCKOUT_TIME", 0),
        ("LOCKOUT_ENFORCEMENT_WINDOW", True),
        ("LOCKOUT_CACHE", ""),
    ],
    ids=str,
)
def test_a_wrong_setting_is_an_error(settings, setting, value):
    """It names the setting and what came, once."""
    for scope in ("login", "token"):
        LockoutPolicy(scope=scope)
    setattr(settings, setting, value)
    (message,) = messages()
    assert message.id == "lockout_decorators.E001"
    assert setting in message.msg
    assert str(value) in message.msg


async def asynchronous(request):  # pragma: no cover
    return "192.0.2.1"


def hidden(request):
    return asynchronous(request)


def without_its_table(request):
    raise OperationalError("no such table: proxies")


def nameless(request):
    raise NameError("no such thing")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (asynchronous, ["E001"]),
        (f"{__name__}.asynchronous", ["E001"]),
        (hidden, ["E001"]),
        (lambda request: ("192.0.2.1", True), ["E001"]),  # as ipware's pair
        (lambda request: (None, False), ["E001"]),
        (lambda request: b"192.0.2.1", ["E001"]),
        (lambda: "192.0.2.1", ["E001"]),
        (nameless, ["E001"]),
        (lambda request: None, []),
        (lambda request: request.META["HTTP_X_REAL_IP"], []),
        (lambda request: request.META.get("HTTP_X_REAL_IP", "").split(",")[0], []),
        (lambda request: request.headers["X-Real-IP"], []),
        (lambda request: request.headers.get("X-Real-IP").strip(), []),
        (lambda request: request.headers["Forwarded"].split(";")[1], ["W017"]),
        (lambda request: re.search("for=(.*)", request.headers["Forwarded"]).group(1), ["W017"]),
        (lambda request: request.set_by_a_middleware, []),
        (without_its_table, ["W017"]),
    ],
)
def test_what_can_tell_no_address_is_an_error(settings, function, expected):
    """It would be one at the first request. All headers are one address here, whoever can't read that is warned; what a
    middleware puts there is not missed, and a database may come later."""
    settings.LOCKOUT_CLIENT_IP = function
    assert ids() == expected
    if "E001" in expected:
        assert "LOCKOUT_CLIENT_IP" in messages()[0].msg
        with pytest.raises(ImproperlyConfigured, match="LOCKOUT_CLIENT_IP"):
            client_address(RequestFactory().get("/"))


def test_a_setting_that_makes_no_sense_with_an_argument_is_an_error(settings):
    """No lock at all is for rolling windows, and no counter has over 5,000 slots; given arguments are not asked."""
    LockoutPolicy(scope="a", rolling=True)
    LockoutPolicy(scope="b", lockout=60, window=60)
    LockoutPolicy(scope="c", rolling=True, ceiling=9)
    settings.LOCKOUT_TIME = 0
    assert ids() == []
    settings.LOCKOUT_MAX_ATTEMPTS = 600
    assert [("lockout_decorators.E001", True)] == [(one.id, "less with ceiling=9" in one.msg) for one in messages()]
    settings.LOCKOUT_MAX_ATTEMPTS = 5
    LockoutPolicy(scope="d")
    assert [("lockout_decorators.E001", True)] == [(one.id, "without rolling=True" in one.msg) for one in messages()]


def test_a_spread_that_comes_to_nothing_by_a_setting_is_an_error(settings):
    """As an argument that is known at import would stop that."""
    LockoutPolicy(scope="a", key="ip", spread=4)
    LockoutPolicy(scope="b", key="ip+ua", spread=10)
    LockoutPolicy(scope="c", ceiling=None, spread=4)
    assert ids() == []
    settings.LOCKOUT_USE_USER_AGENT, settings.LOCKOUT_MAX_ATTEMPTS = True, 2
    assert sorted(message.msg for message in messages() if message.id == "lockout_decorators.E001") == [
        "Policy 'a': spread is 4; it must be less than the 2 failures that lock an address.",
        "Policy 'b': spread is 10; it must be less than the 10 failures that lock an address.",
        "Policy 'c': spread is 4; it counts the names that one address tries, so it needs a ceiling or key=\"ip\".",
    ]


EVERYBODY = [
    *("0.0.0.0/0", "::/0", "0.0.0.0/1 128.0.0.0/1", "128.0.0.0/1 0.0.0.0/2 64.0.0.0/2"),
    *("2000::/3", "::/1", "2000::/4 3000::/4"),
]
SOME = ["10.0.0.0/8", "0.0.0.0/1", "fc00::/7", "2000::/4", "8000::/1", "10.0.0.0/8 192.0.2.1 2001:db8::/32"]


@pytest.mark.parametrize("networks", [*EVERYBODY, *SOME])
def test_trusting_everybody_is_an_error(settings, networks):
    """Anyone could forge the header, whether all addresses are named as one network or in pieces; some are fine."""
    settings.LOCKOUT_TRUSTED_PROXIES = ["10.0.0.1", "fd00::/8", "unix", *networks.split()]
    assert ids() == ["E002"] * (networks in EVERYBODY)


@pytest.mark.parametrize(
    ("network", "hint"),
    [
        ("::ffff:10.0.0.0/104", 'Write "10.0.0.0/8".'),
        ("::ffff:192.0.2.1", 'Write "192.0.2.1/32".'),
        ("::ffff:0:0/96", "Name the IPv4 networks of your own proxies."),
    ],
)
def test_ipv4_mapped_proxies_are_a_warning(settings, network, hint):
    """They match nothing, since mapped addresses are read as IPv4; the hint has the line to write instead."""
    settings.LOCKOUT_TRUSTED_PROXIES = ["10.0.0.1", network]
    assert [("lockout_decorators.W007", hint)] == [(message.id, message.hint) for message in messages()]
    LockoutPolicy(scope="a", window=600, lockout=60)
    assert ["W001", "W007"] == sorted(ids())  # it hides nothing else
    settings.LOCKOUT_TRUSTED_PROXIES = ["10.0.0.1", "::fffe:0:0/96"]
    assert ["W001"] == ids()


COUNTED = {"scope": "a", "key": "ip", "max": 3, "window": 60, "lockout": 300}


@pytest.mark.parametrize(
    ("differing", "names"),
    [
        ({"max": 4}, "max"),
        ({"lockout": None, "max": 4}, "lockout, max"),
        ({"lockout": (300, 600)}, "lockout"),
        ({"forget": 60}, "forget"),
        ({"ceiling": 2}, "ceiling"),
        ({"spread": 2}, "spread"),
        ({"cache": "default", "max": 2}, "max"),
        ({"response": "other.html", "enforce": False, "patience": 0, "methods": ()}, ""),
        ({"window": 30, "max": 4}, ""),
        ({"rolling": True, "max": 4}, ""),
        ({"key": "user", "max": 4}, ""),
        ({"scope": "b", "max": 4}, ""),
    ],
)
def test_policies_that_count_alike_have_to_agree(differing, names):
    """They share their counters; those of another key or window have their own, and are no error under one scope."""
    for policy in (COUNTED, {**COUNTED, "response": "page.html"}, {**COUNTED, **differing}):
        LockoutPolicy(**policy)
    told = [("lockout_decorators.E003", f"differ in {names}." in message.msg) for message in messages()]
    assert told == ([("lockout_decorators.E003", True)] if names else [])


SHORT, BARE = {"window": 600, "lockout": 60}, {"key": "ip+username", "ceiling": None}


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        # A lock shorter than the window may surprise; one without end is not short, and rolling windows keep failures.
        ([{"window": 600, "lockout": None}, {"window": 600, "lockout": (600, 900)}], []),
        ([{"window": 600, "lockout": 0, "rolling": True}], []),
        ([SHORT], ["W001"]),
        ([SHORT, {"window": 600, "lockout": (60, 900)}], ["W001", "W001"]),
        # A new user agent for every guess would make endless clients, unless a policy of the same scope bounds them.
        ([{"key": "ip+ua", "ceiling": None}, {"key": "user", "ceiling": None}], ["W002"]),
        ([{**BARE, "scope": "a"}, {"scope": "a", "key": "ip", "max": 50}], []),
        ([{**BARE, "scope": "b"}, {"scope": "b", "key": "ip+ua"}], []),
        ([{**BARE, "scope": "c"}, {"scope": "c", "key": "ip", "enforce": False}], ["W002"]),
        ([{**BARE, "scope": "d"}, {"scope": "d", "key": "ip+user"}], ["W002"]),
        # By name alone and with few guesses anybody keeps the owner out; not with known browsers, nor on trial.
        ([{"key": "username", "max": 50}, {"key": "username", "max": 5, "enforce": False}], []),
        ([{"key": "ip+username"}, {"key": "user"}, {"key": "username", "known_browsers": timedelta(days=90)}], []),
        ([{"key": "username", "max": 49}], ["W011"]),
    ],
)
def test_policies_that_may_surprise_are_a_warning(policies, expected):
    """They work; each is told once."""
    for number, terms in enumerate(policies):
        LockoutPolicy(**{"scope": f"s{number}", **terms})
    assert ids() == expected


def test_presets_have_considered_who_keeps_whom_out():
    """And the warning says by how many guesses."""
    for name in ("LOGIN", "CODES", "NIST", "ASVS", "PCI_DSS"):
        lockout_protect(*getattr(presets, name))(type(name, (View,), {}))
    assert ids() == []
    LockoutPolicy(scope="e", key="username", max=49)
    assert "by 49 wrong guesses" in messages()[0].msg


def make_view(**arguments):
    @lockout_protect(**arguments)
    def view(request):
        """Only its name matters."""

    return view


def test_closures_of_one_factory_share_a_scope_by_accident():
    """Two views with one derived name; a scope that was given is no accident."""
    one = make_view()
    assert ids() == []
    two = make_view()
    assert ids() == ["W003"]
    del two
    three, four = make_view(scope="given"), make_view(scope="given")
    assert ids() == []
    scopes = [policies_of(view)[0].scope for view in (one, three, four)]
    assert scopes[0] != scopes[1] == scopes[2]


def test_a_database_cache_that_is_rolled_back_is_an_error(cache, settings):
    """ATOMIC_REQUESTS undoes what was counted when the view raises."""
    LockoutPolicy(scope="a")
    cache("django.core.cache.backends.db.DatabaseCache", LOCATION="counts", OPTIONS=ROOMY)
    assert ids() == []
    from django.db import connection

    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        assert ids() == ["E006"]
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False


def test_an_asynchronous_client_is_an_error(cache):
    """Guesses are counted synchronously."""
    LockoutPolicy(scope="a")
    cache("django_valkey.async_cache.cache.AsyncValkeyCache", LOCATION="redis://127.0.0.1:1")
    (message,) = messages()
    del caches["default"]  # or closing it would have to be awaited
    assert ("lockout_decorators.E007", True) == (message.id, "its client is asynchronous" in message.msg)


def test_a_cache_that_does_not_keep_its_promises_is_an_error_of_a_deployment(cache, tmp_path, monkeypatch):
    """One for each alias. The ordinary check asks no server, and warns of what cannot be promised."""
    for scope in ("a", "b"):
        LockoutPolicy(scope=scope)
    cache("tests.broken.Lying", LOCATION=str(tmp_path))
    monkeypatch.setattr("lockout_decorators.stores.probe.OUTSTAYED", 0)
    with mock.patch.object(Lying, "get_many", side_effect=AssertionError):
        (message,) = messages()
    assert ("lockout_decorators.W009", True) == (message.id, "exact unless a process or a packet" in message.msg)
    (told,) = [message for message in messages(include_deployment_checks=True) if message.id.endswith("E008")]
    assert "`add` says that it wrote, or writes, where something stands" in told.msg


def test_a_sound_cache_passes_the_probe(settings):
    """And nobody asks one that is wrong anyway, or where the settings are."""
    LockoutPolicy(scope="a")
    assert ["W004"] == ids(include_deployment_checks=True)
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert ["E005"] == ids(include_deployment_checks=True)
    settings.LOCKOUT_CACHE = ""
    assert ["E001"] == ids(include_deployment_checks=True)


@pytest.mark.parametrize("backend", ["filebased.FileBasedCache", "db.DatabaseCache"])
def test_a_small_cache_is_a_warning(cache, backend, tmp_path, settings):
    """Django's default of 300 entries is soon full of clients that an attacker makes up; the hint says how many.
    Numbers for charts take some, and the networks around IPv6 addresses, too."""
    LockoutPolicy(scope="a", key="ip+ua", max=5)
    cache(f"django.core.cache.backends.{backend}", LOCATION=str(tmp_path))
    for setting, entries in (({}, 2816), ({"JOURNAL": True}, 2824), ({"IPV6_WIDER_PREFIX": None}, 2724)):
        for name, value in setting.items():
            setattr(settings, f"LOCKOUT_{name}", value)
        (message,) = messages()
        assert ("lockout_decorators.W008", True) == (message.id, f'"MAX_ENTRIES": {entries}' in message.hint)


def test_the_size_of_locmem_matters_outside_of_debug_alone(cache, settings):
    """In development nobody floods it."""
    LockoutPolicy(scope="a", key="ip+ua", max=5)
    cache(LOCMEM)
    assert ids() == []
    settings.DEBUG = False
    assert ids() == ["W004", "W008"]


def test_room_is_needed_for_every_policy(cache, tmp_path):
    """Whoever guesses may do so at all doors; those that share their counters need their entries once."""
    for scope in ("a", "a", "b"):
        LockoutPolicy(scope=scope, key="ip+ua", max=5, response=f"{scope}.html")
    LockoutPolicy(scope="c", key="ip", max=10)
    where = {"backend": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path)}
    cache(**where, OPTIONS={"MAX_ENTRIES": 2800 + 2800 + 300 + 16 - 1})
    (message,) = messages()
    assert '"MAX_ENTRIES": 5916' in message.hint
    cache(**where, OPTIONS={"MAX_ENTRIES": 5916})
    assert ids() == []


SITE = "lockout_decorators.middleware.LockoutMiddleware"
DJANGO = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.auth.middleware.RemoteUserMiddleware",  # it believes the web server
]


SPECIMENS = "tests.specimens"


class Ours(LockoutMiddleware):
    """A project may make its own."""


@pytest.mark.parametrize("value", [None, [], "", "no.where", {"max": 0}, {"failure": 401}])
def test_a_wrong_policy_of_the_site_is_an_error(settings, value):
    """With or without its middleware."""
    settings.LOCKOUT_SITE = value
    (message,) = messages()
    assert ("lockout_decorators.E001", True) == (message.id, message.msg.startswith(f"LOCKOUT_SITE is {value!r}; it "))


@pytest.mark.parametrize(("site", "time"), [({"window": 600, "lockout": 60}, 600), ({}, 60)])
def test_policies_of_the_site_take_part(settings, site, time):
    """Set, or those of the other settings."""
    settings.MIDDLEWARE, settings.LOCKOUT_SITE, settings.LOCKOUT_TIME = [SITE], site, time
    assert ["W001"] == ids()


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ([], ["not in MIDDLEWARE"]),
        ([f"{SPECIMENS}.tokens", "no.where"], ["not in MIDDLEWARE"]),
        ([*DJANGO, "no.where", f"{__name__}.Ours", f"{SPECIMENS}.tokens"], []),
        ([*DJANGO, f"{SPECIMENS}.Newer", f"{SPECIMENS}.tokens", SITE], ["Newer comes before", "tokens comes before"]),
        ([f"{SPECIMENS}.Helped", SITE], ["Helped comes before"]),
    ],
)
def test_a_middleware_that_misses_guesses_is_a_warning(settings, middleware, expected):
    """Where it is not loaded, or another verifies before it; what comes before and verifies nothing is fine."""
    settings.LOCKOUT_SITE, settings.MIDDLEWARE = {"key": "ip"}, middleware
    found = messages()
    assert ["lockout_decorators.W014"] * len(expected) == [message.id for message in found]
    assert all(text in message.msg for text, message in zip(expected, found, strict=True))


def test_a_urlconf_that_does_not_import_is_left_to_django():
    """Django's own check says what is wrong with it."""
    LockoutPolicy(scope="a")
    with override_settings(ROOT_URLCONF="tests.no_such_module"):
        assert check_lockout(None) == []


# Verdicts

urlpatterns: list[URLPattern | URLResolver] = []


class Hook(APIView):
    authentication_classes = (SessionAuthentication, TokenAuthentication)

    @lockout_protect(scope="handler", failure=401)
    def post(self, request):
        """Decorated by itself."""


class Hooks(ViewSet):
    authentication_classes = ()

    @lockout_protect(scope="action", failure=[401, 404])
    def renew(self, request):
        """An action."""


class Challenging(Hook):
    authentication_classes = (TokenAuthentication, SessionAuthentication)


class Open(APIView):
    authentication_classes = (SessionAuthentication,)


def at(*views):
    return [path(f"{number}/", view) for number, view in enumerate(views)]


@pytest.mark.parametrize(
    ("views", "scopes"),
    [
        ([Hook.as_view()], ["handler"]),
        ([Hooks.as_view({"post": "renew"})], ["action"]),
        ([Challenging.as_view()], []),
        ([lockout_protect(scope="view", failure=401)(Open.as_view())], ["view"]),
        ([lockout_protect(scope="both", failure=(401, 403))(Open.as_view())], []),
        ([lockout_protect(scope="own", failure=lambda request, response: True)(Open.as_view())], []),
        ([Open.as_view(), lockout_protect(scope="plain", failure=401)(lambda request: None)], []),
    ],
)
def test_a_401_that_drf_would_never_send(views, scopes, settings, monkeypatch):
    """It says 403 where the first authentication class names no challenge; so `failure=401` would count nothing."""
    settings.ROOT_URLCONF = __name__
    monkeypatch.setattr(f"{__name__}.urlpatterns", [path("api/", include(at(*views)))])
    clear_url_caches()
    found = [message for message in messages() if message.id == "lockout_decorators.W010"]
    assert scopes == [message.msg.partition(":")[0] for message in found]
    clear_url_caches()

"""`manage.py check` names configurations that can't count, or that surprise."""

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from lockout_decorators import LockoutPolicy, lockout_protect
from lockout_decorators.checks import check_lockout
from tests import urls  # noqa: F401  # its policies are registered before a test begins

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
ROOMY = {"MAX_ENTRIES": 100_000}


def ids():
    return [message.id.removeprefix("lockout_decorators.") for message in check_lockout(None)]


@pytest.fixture(autouse=True)
def development(settings):
    """LocMem is fine while DEBUG is on."""
    settings.DEBUG = True


@pytest.fixture
def cache(settings):
    """Replaces the default cache."""

    def configure(backend, **more):
        settings.CACHES = {"default": {"BACKEND": backend, **more}}

    return configure


def test_a_sound_configuration_passes():
    """Nothing to say; and Django runs the check without the app being asked for it."""
    LockoutPolicy(scope="login")
    assert ids() == []
    assert [message for message in run_checks(tags=["security"]) if "lockout" in str(message.id)] == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("LOCKOUT_ENABLED", "yes"),
        ("LOCKOUT_FAIL_OPEN", 1),
        ("LOCKOUT_USE_USER_AGENT", None),
        ("LOCKOUT_CACHE_PREFIX", "with space"),
        ("LOCKOUT_IPV6_PREFIX", 129),
        ("LOCKOUT_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("LOCKOUT_TRUSTED_PROXIES", ["10.0.0.1/8"]),
        ("LOCKOUT_CLIENT_IP", "no.such.function"),
        ("LOCKOUT_MAX_ATTEMPTS", 0),
        ("LOCKOUT_TIME", -1),
        ("LOCKOUT_ENFORCEMENT_WINDOW", True),
        ("LOCKOUT_CACHE", ""),
    ],
    ids=str,
)
def test_a_wrong_setting_is_an_error(settings, setting, value):
    """It names the setting and what came."""
    LockoutPolicy(scope="login")
    setattr(settings, setting, value)
    (message,) = check_lockout(None)
    assert message.id == "lockout_decorators.E001"
    assert setting in message.msg
    assert str(value) in message.msg


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_trusting_everybody_is_an_error(settings, network):
    """Anyone could forge the header."""
    settings.LOCKOUT_TRUSTED_PROXIES = ["10.0.0.1", network]
    assert ids() == ["E002"]


def test_policies_of_one_scope_have_to_agree():
    """Their counters are the same; who shares one policy agrees."""
    LockoutPolicy(scope="a", max=3)
    LockoutPolicy(scope="a", max=3, response="other.html")
    assert ids() == []
    LockoutPolicy(scope="a", max=4)
    (message,) = check_lockout(None)
    assert (message.id, "differ in max." in message.msg) == ("lockout_decorators.E003", True)


def test_a_lockout_shorter_than_the_window_is_a_warning():
    """It works, and may surprise; a lock without end is not short."""
    LockoutPolicy(scope="a", window=600, lockout=60)
    LockoutPolicy(scope="b", window=600, lockout=None)
    assert ids() == ["W001"]


def test_a_changeable_key_without_a_ceiling_is_a_warning():
    """A new user agent for every guess would make endless clients."""
    LockoutPolicy(scope="a", key="ip+ua", ceiling=None)
    LockoutPolicy(scope="b", key="user", ceiling=None)
    assert ids() == ["W002"]


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
    assert one.lockout_policy.scope != three.lockout_policy.scope == four.lockout_policy.scope


def test_an_unknown_alias_is_an_error():
    """The hint lists those that there are."""
    LockoutPolicy(scope="a", cache="elsewhere")
    (message,) = check_lockout(None)
    assert (message.id, "default" in message.hint) == ("lockout_decorators.E004", True)


def test_a_dummy_cache_is_an_error(cache):
    """It forgets everything."""
    LockoutPolicy(scope="a")
    cache("django.core.cache.backends.dummy.DummyCache")
    assert ids() == ["E005"]


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


def test_locmem_outside_of_debug_is_a_warning(cache, settings):
    """Each process counts for itself."""
    LockoutPolicy(scope="a")
    cache(LOCMEM, OPTIONS=ROOMY)
    settings.DEBUG = False
    assert ids() == ["W004"]


def test_several_redis_servers_are_a_warning(cache):
    """Reads go to a replica."""
    LockoutPolicy(scope="a")
    cache("django.core.cache.backends.redis.RedisCache", LOCATION=["redis://a", "redis://b"])
    assert ids() == ["W005"]
    cache("django.core.cache.backends.redis.RedisCache", LOCATION="redis://a")
    assert ids() == []


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "filebased.FileBasedCache", "db.DatabaseCache"])
def test_a_small_cache_is_a_warning(cache, backend, tmp_path):
    """Django's default of 300 entries is soon full of clients that an attacker makes up; the hint says how many."""
    LockoutPolicy(scope="a", key="ip+ua", max=5)
    cache(f"django.core.cache.backends.{backend}", LOCATION=str(tmp_path))
    (message,) = check_lockout(None)
    assert message.id == "lockout_decorators.W006"
    assert '"MAX_ENTRIES": 7800' in message.hint


def test_a_urlconf_that_does_not_import_is_left_to_django():
    """Django's own check says what is wrong with it."""
    LockoutPolicy(scope="a")
    with override_settings(ROOT_URLCONF="tests.no_such_module"):
        assert ids() == []

"""What is always wrong with a cache, and what no proof shows, is told in words."""

import pytest
from django.db import connections

from lockout_decorators.stores.probe import probe
from lockout_decorators.stores.weaknesses import weaknesses
from tests.servers import BACKENDS, free_port, stores

LOCMEM = {"BACKEND": f"{BACKENDS}.locmem.LocMemCache"}


@pytest.mark.parametrize("store", stores(), indirect=True)
def test_the_probe_finds_nothing_wrong(store, django_db_blocker):
    """With a cache that keeps what it is given; and it leaves nothing behind."""
    with django_db_blocker.unblock():
        assert [] == probe("default")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Deaf", "it fails: OSError: not stored"),
        ("Hasty", "entries end before their time"),
        ("Lying", "`add` says that it wrote, or writes, where something stands"),
    ],
)
def test_the_probe_finds_what_is_wrong(name, complaint, settings, tmp_path):
    """In words."""
    settings.CACHES = {"default": {"BACKEND": f"tests.broken.{name}", "LOCATION": str(tmp_path / name)}}
    assert complaint in "; ".join(probe("default"))


def test_the_probe_never_raises(settings):
    """Not of an alias that does not exist, nor of a server that is dead."""
    dead = {"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{free_port()}"}
    settings.CACHES = {"default": dead}
    (told,) = probe("default")
    assert told.startswith("it fails: ConnectionError: ")
    (told,) = probe("nowhere")
    assert told.startswith("it fails: InvalidCacheBackendError: ")


@pytest.mark.parametrize(
    ("caches", "told"),
    [
        (LOCMEM, "It holds 300 entries: whoever guesses from enough addresses pushes locks out."),
        (
            {"BACKEND": f"{BACKENDS}.memcached.PyMemcacheCache", "LOCATION": "a:1,b:2"},
            "that dies takes with it what it",
        ),
        ({"BACKEND": f"{BACKENDS}.memcached.PyMemcacheCache", "LOCATION": "a:1"}, "that is full or restarted forgets"),
        (
            {"BACKEND": f"{BACKENDS}.filebased.FileBasedCache", "LOCATION": "/x"},
            "Only the processes of one host share it.",
        ),
        ({"BACKEND": f"{BACKENDS}.db.DatabaseCache", "LOCATION": "x"}, "a view that fails takes back what was counted"),
        (
            {"BACKEND": "tests.broken.Racing", "LOCATION": "/tmp"},
            "Exact unless a process or a packet is held up for longer",
        ),
        (
            {"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": "redis://a", "OPTIONS": {"x": ["a.Sentinel"]}},
            "A failover loses the last writes: up to `max` further guesses a client.",
        ),
    ],
)
def test_what_can_not_be_proven_is_told(caches, told, settings, monkeypatch):
    """From the configuration alone."""
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    settings.CACHES = {"default": caches}
    assert [told in weakness for weakness in weaknesses("default")].count(True) == 1


def test_nothing_is_told_of_a_cache_without_weaknesses(settings):
    """One server that keeps the time."""
    settings.CACHES = {"default": {"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": "redis://a"}}
    assert [] == weaknesses("default")

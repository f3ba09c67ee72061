"""What is always wrong with a cache is told in words."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lockout_decorators.stores import KINDS
from lockout_decorators.stores.probe import probe
from tests.engines.redis_servers import twemproxy, valkey
from tests.on_redis import redis
from tests.servers import BACKENDS, free_port, stores
from tests.sizes import IN_FULL

SOUND = stores() if IN_FULL else stores("memcached")  # which counts whole seconds
BROKEN = {
    "Deaf": "it fails: OSError: not stored",
    "Hasty": "entries end before their time",
    "Lying": "`add` says that it wrote, or writes, where something stands",
    "Racing": "",  # what goes wrong only under a burst is for `manage.py lockout prove`
    "sound": "",
}


@pytest.mark.parametrize("store", SOUND, indirect=True)
def test_the_probe_finds_nothing_wrong(store, django_db_blocker):
    """With a cache that keeps what it is given."""
    with django_db_blocker.unblock():
        assert [] == probe("default")


def test_the_probe_finds_what_is_wrong(settings, tmp_path):
    """In words; it leaves nothing behind."""
    settings.CACHES = {
        "default": {},
        **{name: {"BACKEND": f"tests.broken.{name}", "LOCATION": str(tmp_path / name)} for name in BROKEN},
        "sound": {"BACKEND": f"{BACKENDS}.filebased.FileBasedCache", "LOCATION": str(tmp_path / "sound")},
    }
    with ThreadPoolExecutor(len(BROKEN)) as pool:  # each waits for an entry to end
        found = dict(zip(BROKEN, map("; ".join, pool.map(probe, BROKEN)), strict=True))
    assert {name: found[name] for name, told in BROKEN.items() if told not in found[name]} == {}
    assert ["", ""] == [found[name] for name in ("Racing", "sound")]
    assert [] == [file for file in tmp_path.glob("*/*") if file.suffix != ".lock"]


@pytest.mark.servers
def test_a_proxy_that_spreads_keys(settings, tmp_path):
    """As twemproxy does, with a script to where its first key lies; unless it is told that a tag says where."""
    with valkey(tmp_path / "a") as one, valkey(tmp_path / "b") as other:
        for told, pool in ((["what is read together is not where it is written"], {}), ([], {"hash_tag": "{}"})):
            with twemproxy(tmp_path, one, other, **pool) as port:
                options = {"protocol": 2, "driver_info": None}  # it passes no greetings on
                settings.CACHES = {"default": redis(f"redis://127.0.0.1:{port}", **options)}
                assert told == [said for said in probe("default") if "together" in said]


def test_the_probe_never_raises(settings):
    """Not of an alias that does not exist, nor of a server that is dead."""
    dead = {"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{free_port()}"}
    settings.CACHES = {"default": dead}
    for alias, error in (("default", "ConnectionError"), ("nowhere", "InvalidCacheBackendError")):
        (told,) = probe(alias)
        assert told.startswith(f"it fails: {error}: ")


def test_every_store_says_how_it_swaps():
    """In one sentence."""
    assert all(kind.way.endswith(".") and kind.way.count(". ") == 0 for kind in KINDS)

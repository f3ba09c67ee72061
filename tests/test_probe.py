"""What is always wrong with a cache is told in words."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lockout_decorators.stores import KINDS
from lockout_decorators.stores.probe import probe
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

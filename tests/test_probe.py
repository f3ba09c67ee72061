"""What is always wrong with a cache is told in words."""

import pytest

from lockout_decorators.stores import KINDS
from lockout_decorators.stores.probe import probe
from tests.servers import BACKENDS, free_port, stores


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


def test_what_goes_wrong_only_under_a_burst_is_not_found(settings, tmp_path):
    """That is for `manage.py lockout prove`."""
    settings.CACHES = {"default": {"BACKEND": "tests.broken.Racing", "LOCATION": str(tmp_path)}}
    assert [] == probe("default")
    assert [] == list(tmp_path.iterdir())


def test_the_probe_never_raises(settings):
    """Not of an alias that does not exist, nor of a server that is dead."""
    dead = {"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{free_port()}"}
    settings.CACHES = {"default": dead}
    (told,) = probe("default")
    assert told.startswith("it fails: ConnectionError: ")
    (told,) = probe("nowhere")
    assert told.startswith("it fails: InvalidCacheBackendError: ")


def test_every_store_says_how_it_swaps():
    """In one sentence."""
    assert all(kind.way.endswith(".") and kind.way.count(". ") == 0 for kind in KINDS)

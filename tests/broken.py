"""Caches that do not keep what they are given, each in a way of its own."""

import hashlib
import os
import pickle
import time
from pathlib import Path

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache


class Deaf(LocMemCache):
    """Drops every write."""

    def set(self, *args, **kwargs):
        pass


class Hasty(LocMemCache):
    """Forgets everything after a second."""

    def set(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        super().set(key, value, 1, version)


class Racing(BaseCache):
    """Files; nobody holds a lock, and `add` is a look and a write."""

    def __init__(self, folder, params):
        super().__init__(params)
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)

    def _path(self, key, version):
        name = self.make_and_validate_key(key, version=version)
        return self.folder / hashlib.sha256(name.encode()).hexdigest()

    def get(self, key, default=None, version=None):
        try:
            end, value = pickle.loads(self._path(key, version).read_bytes())
        except FileNotFoundError:
            return default
        return default if end is not None and end < time.time() else value

    def set(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        path = self._path(key, version)
        new = path.with_name(f"{path.name}.{os.getpid()}.{time.monotonic_ns()}")
        new.write_bytes(pickle.dumps((self.get_backend_timeout(timeout), value)))
        new.replace(path)

    def add(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        if self.get(key, version=version) is not None:
            return False
        time.sleep(0.002)
        self.set(key, value, timeout, version)
        return True

    def delete(self, key, version=None):
        self._path(key, version).unlink(missing_ok=True)


class Lying(Racing):
    """Says that it has added what others have written."""

    def add(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        self.set(key, value, timeout, version)
        return True

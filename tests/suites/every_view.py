"""Decorates every view of the process that imports it: each class with a `dispatch`, each URL.

Knows nothing of `tests`, for the suites have one of their own.
"""

from django.conf import global_settings
from django.core.cache import CacheHandler
from django.core.cache.backends.locmem import LocMemCache
from django.urls import URLPattern
from django.views import View

from lockout_decorators import lockout_protect

OWN = LocMemCache("suites", {"OPTIONS": {"MAX_ENTRIES": 100_000}})  # some suites have a DummyCache
protect = lockout_protect(scope="suites", key="ip", max=1000, cache="suites")
find_cache, make_pattern = CacheHandler.__getitem__, URLPattern.__init__


def get_cache(self, alias):
    return OWN if alias == "suites" else find_cache(self, alias)


def decorate_url(self, pattern, callback, *args, **kwargs):
    try:
        callback = protect(callback)
    except TypeError as error:  # a few are never called, and take no request
        if "takes no request" not in str(error):
            raise
    make_pattern(self, pattern, callback, *args, **kwargs)


def decorate_class(cls, **kwargs):
    super(View, cls).__init_subclass__(**kwargs)
    if "dispatch" in vars(cls):
        protect(cls)


protect(View)
View.__init_subclass__ = classmethod(decorate_class)
URLPattern.__init__ = decorate_url
CacheHandler.__getitem__ = get_cache
# Some suites make a request by hand, which comes from nowhere.
global_settings.LOCKOUT_CLIENT_IP = lambda request: request.META.get("REMOTE_ADDR") or "192.0.2.1"

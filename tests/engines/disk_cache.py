"""diskcache's cache for Django, which bears to be asked what it does not have."""

from typing import Any

from diskcache import DjangoCache


class DiskCache(DjangoCache):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        vars(self._cache)["_pools"] = {}

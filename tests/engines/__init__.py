"""The engines that the stores are tried on beside those of tests/servers.py: for each a `Setup`, its server started and
stopped. One file for each family."""

from collections.abc import Mapping
from typing import Any

from tests import servers
from tests.engines import database, memcached, others, redis
from tests.sizes import IN_FULL

ENGINES: Mapping[str, Any] = {
    **servers.STORES,
    **redis.ENGINES,
    **memcached.ENGINES,
    **database.ENGINES,
    **others.ENGINES,
}

# One of each kind of store, for what hangs on no more than that.
KINDS = ["locmem", "files", "sqlite", "valkey", "django-valkey-cluster", "memcached", "plain"]
TELLING = list(ENGINES) if IN_FULL else KINDS

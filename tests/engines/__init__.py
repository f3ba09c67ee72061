"""The engines that the stores are tried on beside those of tests/servers.py: for each a `Setup`, its server started and
stopped. One file for each family."""

from collections.abc import Mapping
from typing import Any

from tests import servers
from tests.engines import database, memcached, others, redis

ENGINES: Mapping[str, Any] = {
    **servers.STORES,
    **redis.ENGINES,
    **memcached.ENGINES,
    **database.ENGINES,
    **others.ENGINES,
}

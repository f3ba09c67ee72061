"""Engines: Memcached, by both clients, with one and several servers."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.servers import BACKENDS, Setup, memcached, need_pylibmc
from tests.sizes import IN_FULL


@contextmanager
def servers(
    folder: Path, backend: str = "memcached.PyMemcacheCache", count: int = 1, **options: Any
) -> Iterator[Setup]:
    """An alias of so many servers of its own; a backend is one of Django's, or a dotted path."""
    if "PyLibMC" in backend:
        need_pylibmc()
    dotted = f"{BACKENDS}.{backend}" if backend.startswith("memcached.") else backend
    with ExitStack() as stack:
        locations = [stack.enter_context(memcached(folder)).cache["LOCATION"] for _ in range(count)]
        yield Setup({"BACKEND": dotted, "LOCATION": locations, "OPTIONS": options})


PYLIBMC = "memcached.PyLibMCCache"

ENGINES: Mapping[str, Any] = {
    "memcached-several": partial(servers, count=2),
    "pylibmc": partial(servers, backend=PYLIBMC),
}
if IN_FULL:
    ENGINES = {
        **ENGINES,
        "memcached-pooled": partial(servers, use_pooling=True),
        "memcached-lenient": partial(servers, ignore_exc=True),
    }
if IN_FULL or (os.environ.get("CI") == "true" and find_spec("pylibmc")):  # the Python of the full run has no pylibmc
    ENGINES = {
        **ENGINES,
        "pylibmc-several": partial(servers, backend=PYLIBMC, count=2, behaviors={"ketama": True, "remove_failed": 1}),
        "pylibmc-binary": partial(servers, backend=PYLIBMC, binary=True, behaviors={"no_block": True}),
    }

"""What the tests of the Redis store share: caches of any configuration on a server of their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

from django.test import override_settings

from lockout_decorators.stores import Store, store_for
from tests.engines import redis as engines
from tests.engines.redis import DJANGO
from tests.servers import hang_up


def redis(location: Any = "redis://127.0.0.1:PORT", backend: str = DJANGO, **options: Any) -> dict[str, Any]:
    return {"BACKEND": backend, "LOCATION": location, "OPTIONS": options}


SCRIPTED, UNSCRIPTED = redis(), redis(engines.UNSCRIPTED)


@contextmanager
def making(port: int) -> Iterator[Callable[..., list[Store]]]:
    """Gives what makes stores of caches that are given by name; all keep their entries under the same keys."""
    prefix, overrides = token_hex(4), []

    def use(**setups: Any) -> list[Store]:
        described = {name: {"KEY_PREFIX": prefix, **engines.ported(setup, port)} for name, setup in setups.items()}
        overrides.append(override_settings(CACHES=described))
        overrides[-1].enable()
        return [store_for(name) for name in setups]

    try:
        yield use
    finally:
        for override in reversed(overrides):
            hang_up()
            override.disable()

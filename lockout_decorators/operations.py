"""The operations that the slot protocol asks for, whoever performs them."""

from collections.abc import Generator
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
Steps = Generator["Operation", Any, T]


def is_head(key: str) -> bool:
    """Whether `key` is a head's: the only keys that are used again after they have expired."""
    return "." not in key.rpartition(":")[2]


class Read(NamedTuple):
    """Fetch; sent a mapping without the keys that are absent."""

    keys: tuple[str, ...]


class Add(NamedTuple):
    """Store only if the key is absent; sent whether it was. `timeout` in seconds, None: for ever."""

    key: str
    value: str
    timeout: float | None

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key,)


class Write(NamedTuple):
    """Store in any case."""

    entries: dict[str, str]
    timeout: float | None

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.entries)


class Delete(NamedTuple):
    """Remove."""

    keys: tuple[str, ...]


class Sleep(NamedTuple):
    """Wait."""

    seconds: float


Access = Read | Add | Write | Delete
Operation = Access | Sleep

"""How a client is recognised: key parts, and their digest.

Parts are named, length-framed and digested with an HMAC under SECRET_KEY: no two clients can spell the same key, and
the cache holds no personal data.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from ..callables import plain, plainly

Secret = str | bytes
KeyFunction = Callable[[HttpRequest, str | None], str]

PARTS = ("ip", "ua", "username", "user", "session")
HEADER = re.compile(r"header:[A-Za-z0-9-]+")
CHANGEABLE = ("ua", "username", "session", "header:")  # a client can make these up anew for every guess

REMEMBERED = 512  # characters of what is digested, at most, for the digest to be kept in memory


@dataclass(frozen=True, slots=True)
class Key:
    """What tells clients apart: named parts, or one callable `(request, identity) -> str`."""

    parts: tuple[str, ...]
    function: KeyFunction | None = None

    @classmethod
    def parse(cls, value: Any) -> "Key":
        """Raises ValueError for an unknown part, with what is allowed."""
        if isinstance(value, cls):
            return value
        if plain(value):
            return cls((), value)
        parts = tuple([part.strip() for part in value.split("+")]) if isinstance(value, str) else ()
        unknown = [part for part in parts if part not in PARTS and not HEADER.fullmatch(part)]
        if not parts or unknown or len(set(parts)) < len(parts):
            raise ValueError(
                f'parts of {", ".join(PARTS)}, header:Name joined by "+" (as in "ip+ua"), or a plain callable'
            )
        return cls(parts)

    def __str__(self) -> str:
        """The parts, or the name of the callable: the same in every process."""
        function = self.function
        return "+".join(self.parts) or f"{function.__module__}.{getattr(function, '__qualname__', type(function))}"

    @property
    def needs_identity(self) -> bool:
        """Whether nobody can say who the client is before the user name is known."""
        return self.function is not None or "username" in self.parts

    @property
    def is_address(self) -> bool:
        return self.parts == ("ip",)

    @property
    def asks_project(self) -> bool:
        """Whether code of the project runs, which may make a guess itself."""
        return self.function is not None or "user" in self.parts

    @property
    def changeable(self) -> bool:
        return any(part.startswith(CHANGEABLE) for part in self.parts)

    def spell(self, request: HttpRequest, identity: str | None, address: str) -> list[str]:
        """The parts as names and values. Where a part is absent the address takes its place, marked as such."""
        if self.function is not None:
            said = plainly("key=", self.function(request, identity))
            return ["no callable", address] if said in (None, "") else ["callable", str(said)]
        spelled = []
        for part in self.parts:
            value = address if part == "ip" else _value(part, request, identity)
            spelled += [part, value] if value else [f"no {part}", address]
        return spelled

    def spell_absent(self, address: str) -> list[str]:
        """Where nothing can be told."""
        return [text for part in self.parts or ("callable",) for text in (f"no {part}", address)]


def _value(part: str, request: HttpRequest, identity: str | None) -> str | None:
    if part == "username":
        return identity
    if part == "ua":
        return request.META.get("HTTP_USER_AGENT")
    if part == "session":
        return getattr(getattr(request, "session", None), "session_key", None)
    if part == "user":
        user = getattr(request, "user", None)
        return str(user.pk) if user is not None and user.is_authenticated and user.pk is not None else None
    return request.headers.get(part.removeprefix("header:"))


def frame(*parts: str) -> str:
    """`parts` as one text, each preceded by its length: no two lists of parts have the same."""
    return "".join([f"{len(part)}:{part}," for part in parts])


def digest(secret: Secret, *parts: str) -> str:
    """Hexadecimal digits of an HMAC-SHA256 under SECRET_KEY, as many as there are, of the framed parts."""
    return (_digest if len("".join(parts)) <= REMEMBERED else _digest.__wrapped__)(secret, parts)


@lru_cache(maxsize=2048)  # who guesses does so again and again
def _digest(secret: Secret, parts: tuple[str, ...]) -> str:
    inner, outer = [half.copy() for half in _halves(secret)]
    inner.update(frame(*parts).encode("utf-8", "surrogatepass"))
    outer.update(inner.digest())
    return str(outer.hexdigest())


@lru_cache(maxsize=4)
def _halves(secret: Secret) -> tuple[Any, Any]:
    """The inner and the outer hash of an HMAC (RFC 2104), begun with the key: Python's own begins anew each time."""
    key = salted_hmac("lockout_decorators", "", secret=secret, algorithm="sha256").digest()
    key = key.ljust(sha256().block_size, b"\0")
    return tuple([sha256(bytes([byte ^ pad for byte in key])) for pad in (0x36, 0x5C)])  # type: ignore[return-value]

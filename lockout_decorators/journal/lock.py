"""A lock as it is put on file: a small value, and one short text."""

import json
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from ..records.record import FOREVER, STAMP

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that is taken for something else
_LETTERS = (ALPHABET.lower().encode() * 9)[:256]  # the letter that each random byte stands for
_REFERENCE = re.compile(rf"[{ALPHABET}]{{8}}")
_RECORD = re.compile(r"[!-~]{1,250}")  # a key that no cache refuses
KINDS = ("key", "browser", "ceiling")


class Lock(NamedTuple):
    """A lock, as it fell.

    Attributes:
        reference: Its code, as "7F3K-92QD".
        scope: The name under which the policy counts.
        key: How the policy tells clients apart, as "ip+username".
        counter: Which of a client's counters it is: "key", "browser" or "ceiling".
        record: The key of its record in the cache: of digests, no personal data.
        began: When it fell, in milliseconds since 1970.
        ends: When it ends, likewise; `FOREVER`: when it is lifted.
        address: The client's address, where `LOCKOUT_JOURNAL` is on.
        username: The name that was tried last, likewise; None where there was none.
    """

    reference: str
    scope: str
    key: str
    counter: str
    record: str
    began: int
    ends: int
    address: str = ""
    username: str | None = None

    @property
    def since(self) -> datetime:
        """When it fell (aware, UTC)."""
        return datetime.fromtimestamp(self.began / 1000, UTC)

    @property
    def until(self) -> datetime | None:
        """When it ends (aware, UTC); None: when it is lifted."""
        return None if self.ends >= FOREVER else datetime.fromtimestamp(self.ends / 1000, UTC)


def new_code() -> str:
    """The code of a new lock, as its record has it."""
    return os.urandom(8).translate(_LETTERS).decode()


def spell_reference(code: str) -> str:
    """A code of a record, as people see it; empty if there is none."""
    return f"{code[:4]}-{code[4:]}".upper() if code else ""


def parse_reference(text: str) -> str:
    """A reference as somebody has typed it, as people see it. Raises ValueError for what is none."""
    code = re.sub(r"[\s-]", "", text).upper()
    if not _REFERENCE.fullmatch(code):
        raise ValueError(f"{text[:40]!r} is no reference: two groups of four of {ALPHABET}, as 7F3K-92QD")
    return spell_reference(code)


def spell(lock: Lock) -> str:
    """One line of ASCII; the address and the name take what JSON needs for them."""
    return json.dumps(lock, separators=(",", ":"))


def stamped(lines: Iterable[str] = ()) -> str:
    """The text of an entry: a random stamp, by which a swap tells it from any other, and lines below it."""
    return "\n".join([os.urandom(STAMP // 2).hex(), *lines])


def parse(text: str) -> Lock:
    """Raises ValueError or TypeError for anything else: what looks like one, and holds other things, too."""
    lock = Lock(*json.loads(text))
    told = [*lock[:5], lock.address, "" if lock.username is None else lock.username]
    times = [type(time) is int and 0 <= time <= FOREVER for time in (lock.began, lock.ends)]
    if {*map(type, told)} != {str} or not all(times) or lock.counter not in KINDS or not _RECORD.fullmatch(lock.record):
        raise ValueError("no lock")
    parse_reference(lock.reference)
    return lock

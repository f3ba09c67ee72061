"""The rule that a record is kept by: a plain frozen value."""

from typing import NamedTuple

DAY = 86_400_000


class Rule(NamedTuple):
    """How many failures lock, and for how long. Times are milliseconds.

    Attributes:
        max: Slots.
        window: How long a failure counts.
        lengths: Of the first lock, the second, and so on, the last one repeats (None: until a reset); empty: no lock.
        rolling: Each failure ends `window` after it happened; else all of a window end with it.
        forget: How long after a lock ended the next one is the first again.
        spread: Names that failures may be at, the last of them locks too; 0: any number.
    """

    max: int
    window: int
    lengths: tuple[int | None, ...]
    rolling: bool = False
    forget: int = DAY
    spread: int = 0

    @property
    def grows(self) -> bool:
        return len(self.lengths) > 1

    def length(self, level: int) -> int | None:
        """Of the lock that is the `level`th in a row, beginning with 1."""
        return self.lengths[min(level, len(self.lengths)) - 1] if self.lengths else 0

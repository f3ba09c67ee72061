"""The life of a record: the same guesses under a fixed and a rolling window, second by second."""

from typing import NamedTuple

from docs.pictures.svg import WIDTH, Picture
from lockout_decorators.records import moves
from lockout_decorators.records.moves import Refusal
from lockout_decorators.records.record import EMPTY, Record, Slot
from lockout_decorators.records.rule import Rule

SECOND = 1000
LOCK = 600 * SECOND
FIXED = Rule(max=5, window=300 * SECOND, lengths=(LOCK,))
GUESSES = (20, 80, 140, 290, 330, 350, 370, 390, 410, 480, 640, 800, 1020, 1060, 1100)  # wrong ones, at these seconds
END = 1140
BEGIN = 1_800_000_000
LEFT, TOP, HEIGHT, PANEL = 88, 72, 90, 190
SCALE = (WIDTH - LEFT - 20) / END


class Life(NamedTuple):
    """Failures on record and whether it is locked, second by second; and the guesses, by whether they were verified."""

    failures: list[int]
    locked: list[bool]
    guesses: dict[int, bool]


def lived(rule: Rule) -> Life:
    record: Record = EMPTY
    life = Life([], [], {})
    for second in range(END):
        now = (BEGIN + second) * SECOND
        if second in GUESSES:
            guess = Slot(False, now, f"{second:08x}")
            came = moves.admit(record, rule, now, guess)
            life.guesses[second] = not isinstance(came, Refusal)
            record = record if isinstance(came, Refusal) else moves.fail(came, rule, now, guess, "ref")
        record = moves.prune(record, rule, now)
        life.failures.append(record.failures)
        life.locked.append(record.locked)
    return life


def draw() -> str:
    lives = [
        ("Fixed window: its failures end together", lived(FIXED)),
        ("Rolling window: each failure ends by itself", lived(FIXED._replace(rolling=True))),
    ]
    told = " ".join(_told(name, life) for name, life in lives)
    said = f"max={FIXED.max}, window={FIXED.window // SECOND}, lockout={LOCK // SECOND}: the same wrong guesses"
    picture = Picture(TOP + 2 * PANEL + 6, "The life of a record", f"{said}. {told}")
    picture.text(20, 28, said)
    for place, (name, life) in enumerate(lives):
        _panel(picture, TOP + place * PANEL, name, life)
    y = TOP + 2 * PANEL - 14
    picture.dot(LEFT + 4, y - 4, "bad")
    picture.text(LEFT + 14, y, "a wrong guess that is verified", "soft")
    picture.cross(LEFT + 224, y - 4, "good")
    picture.text(LEFT + 234, y, "a guess that is refused", "soft")
    return str(picture)


def _told(name: str, life: Life) -> str:
    verified = [second for second, passed in life.guesses.items() if passed]
    begin, end = _lock(life)
    return f"{name}; {len(verified)} of {len(GUESSES)} are verified, locked from second {begin} to {end}."


def _lock(life: Life) -> tuple[int, int]:
    begin = life.locked.index(True)
    return begin, life.locked.index(False, begin)


def _panel(picture: Picture, top: float, name: str, life: Life) -> None:
    base = top + HEIGHT
    picture.text(20, top - 12, name, "ink strong")
    begin, end = _lock(life)
    picture.box(_x(begin), top - 4, (end - begin) * SCALE, HEIGHT + 4, "mark faint")
    picture.text(_x((begin + end) / 2), top + 14, f"locked, {end - begin} s", "mark strong bare", "middle")
    for failures in (0, FIXED.max):
        y = base - failures * HEIGHT / FIXED.max
        picture.line(LEFT, y, WIDTH - 20, y)
        picture.text(LEFT - 8, y + 4, failures, "soft small", "end")
    picture.text(20, base - HEIGHT / 2 + 4, "failures", "soft small")
    for second, length, failures in _steps(life.failures):
        height = failures * HEIGHT / FIXED.max
        picture.box(_x(second), base - height, length * SCALE, height, "bad faint")
    for second, passed in life.guesses.items():
        (picture.dot if passed else picture.cross)(_x(second), base + 14, "bad" if passed else "good")
    for second in range(0, END, 300):
        picture.text(_x(second), base + 36, f"{second} s", "soft small", "middle")


def _x(second: float) -> float:
    return LEFT + second * SCALE


def _steps(values: list[int]) -> list[tuple[int, int, int]]:
    """Where each begins, how long it stays, and its value; without those of nothing."""
    starts = [place for place in range(END) if place == 0 or values[place] != values[place - 1]]
    ends = [*starts[1:], END]
    return [(one, end - one, values[one]) for one, end in zip(starts, ends, strict=True) if values[one]]

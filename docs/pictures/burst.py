"""A burst against who checks first and counts later, and against records: the same guesses, moment by moment."""

from collections.abc import Callable
from typing import NamedTuple

from docs.pictures.svg import Picture
from lockout_decorators.records import moves
from lockout_decorators.records.moves import Refusal
from lockout_decorators.records.record import EMPTY, Record, Slot
from lockout_decorators.records.rule import Rule

GUESSES, APART, VERIFYING = 40, 2, 50  # how many; milliseconds between them, and to verify one
RULE = Rule(max=5, window=300_000, lengths=(600_000,))
BEGIN = 1_800_000_000_000
LEFT, TOP, ROW, PANEL, GAP = 20, 96, 6, 340, 40
END = GUESSES * APART + 2 * VERIFYING


class Course(NamedTuple):
    """Of one guess, in milliseconds: when it came, when it was decided on, and whether it was verified then."""

    came: int
    decided: int
    verified: bool


class CheckThenCount:
    """Reads the count, verifies, and then counts."""

    def __init__(self) -> None:
        self.count = 0

    def ask(self, number: int, now: int) -> bool | None:
        return self.count < RULE.max

    def fail(self, number: int, now: int) -> None:
        self.count += 1


class Records:
    """The moves of this package."""

    def __init__(self) -> None:
        self.record: Record = EMPTY

    def ask(self, number: int, now: int) -> bool | None:
        """None: it waits."""
        came = moves.admit(self.record, RULE, BEGIN + now, _slot(number, now))
        if isinstance(came, Refusal):
            return None if came.waits else False
        self.record = came
        return True

    def fail(self, number: int, now: int) -> None:
        self.record = moves.fail(self.record, RULE, BEGIN + now, _slot(number, now), "ref")


def _slot(number: int, now: int) -> Slot:
    return Slot(False, BEGIN + now, f"{number:08x}")


def played(counting: CheckThenCount | Records) -> list[Course]:
    """What becomes of each guess."""
    waiting: list[int] = []
    verifying: dict[int, int] = {}
    courses: dict[int, Course] = {}
    for now in range(END):
        for number in [number for number, since in verifying.items() if since + VERIFYING == now]:
            counting.fail(number, now)
        if now % APART == 0 and now // APART < GUESSES:
            waiting.append(now // APART)
        for number in list(waiting):
            if (admitted := counting.ask(number, now)) is not None:
                waiting.remove(number)
                courses[number] = Course(number * APART, now, admitted)
                if admitted:
                    verifying[number] = now
    return [courses[number] for number in range(GUESSES)]


def verified(courses: list[Course]) -> int:
    return sum(course.verified for course in courses)


def draw() -> str:
    naive, exact = played(CheckThenCount()), played(Records())
    said = f"{GUESSES} wrong guesses, one each {APART} ms; to verify one takes {VERIFYING} ms; {RULE.max} are allowed."
    told = (
        f"{said} Who checks first and counts later verifies {verified(naive)}. With records {verified(exact)} are"
        " verified, the others wait until these have failed, and are refused."
    )
    picture = Picture(TOP + GUESSES * ROW + 56, "A burst of guesses", told)
    picture.text(LEFT, 28, said)
    panels = [("Check, verify, then count", naive), ("Records: a slot first", exact)]
    for place, (name, courses) in enumerate(panels):
        _panel(picture, LEFT + place * (PANEL + GAP), name, courses)
    _legend(picture, TOP + GUESSES * ROW + 36)
    return str(picture)


def _panel(picture: Picture, left: float, name: str, courses: list[Course]) -> None:
    count = verified(courses)
    picture.text(left, 60, name, "ink strong")
    picture.text(left, 80, f"{count} of {GUESSES} verified", "bad strong" if count > RULE.max else "good strong")
    scale: Callable[[float], float] = lambda time: left + time * PANEL / END  # noqa: E731
    for number, course in enumerate(courses):
        y = TOP + number * ROW
        if course.decided > course.came:
            picture.box(scale(course.came), y + 1, scale(course.decided) - scale(course.came), ROW - 3, "wait faint")
        if course.verified:
            picture.box(scale(course.decided), y, scale(VERIFYING) - left, ROW - 1.5, "bad")
        else:
            picture.box(scale(course.decided), y, 5, ROW - 1.5, "good")
    picture.line(left, TOP + GUESSES * ROW + 4, left + PANEL, TOP + GUESSES * ROW + 4)
    picture.text(left + PANEL, TOP + GUESSES * ROW + 18, f"{END} ms", "soft small", "end")


def _legend(picture: Picture, y: float) -> None:
    for x, style, words in ((LEFT, "bad", "is verified"), (140, "wait faint", "waits"), (220, "good", "is refused")):
        picture.box(x, y - 8, 16, 8, style)
        picture.text(x + 22, y, words, "soft")

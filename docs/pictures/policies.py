"""Guesses a day by policy: what `policy.bounds()` says, for one address, a thousand and a hundred thousand."""

from collections.abc import Sequence
from math import log10

from docs.pictures.svg import WIDTH, Picture
from lockout_decorators import LockoutPolicy, presets

CARD = LockoutPolicy(scope="card", key="ip+ua", max=5, window=300, lockout=600)
DOORS: dict[str, Sequence[LockoutPolicy]] = {
    'key="ip+ua", max=5, window=300, lockout=600': [CARD],
    "presets.ASVS": presets.ASVS,
    "presets.PCI_DSS": presets.PCI_DSS,
    "presets.NIST": presets.NIST,
    "presets.LOGIN": presets.LOGIN,
    "presets.CODES": presets.CODES,
}
STYLES = {1: "good", 1_000: "wait", 100_000: "bad"}  # by addresses
LEFT, TOP, ROW, BAR = 20, 92, 76, 13
DECADES = 9
SCALE = (WIDTH - LEFT - 100) / DECADES


def worst_day(door: Sequence[LockoutPolicy]) -> list[tuple[int, int]]:
    """Addresses, and the most guesses at one account in any day that all policies of the door let through."""
    figures = [policy.bounds().account for policy in door]
    return [
        (several[0].addresses, min([one.day for one in several if one.day is not None]))
        for several in zip(*figures, strict=True)
    ]


def draw() -> str:
    days = {name: worst_day(door) for name, door in DOORS.items()}
    told = " ".join(f"{name}: {_told(day)}." for name, day in days.items())
    said = "Wrong guesses at one account in the worst day, at most"
    picture = Picture(TOP + len(DOORS) * ROW + 16, said, f"From 1, 1,000 and 100,000 addresses. {told}")
    picture.text(20, 28, said)
    for place, (addresses, style) in enumerate(STYLES.items()):
        x = 20 + place * 170
        picture.box(x, 44, 16, 10, style)
        picture.text(x + 22, 54, f"{addresses:,} address{'es' if addresses > 1 else ''}", "soft")
    bottom = TOP + len(DOORS) * ROW - 14
    for decade in range(DECADES + 1):
        picture.line(_x(10**decade), TOP - 14, _x(10**decade), bottom)
    for decade in range(0, DECADES + 1, 3):
        anchor = "middle" if decade else "start"
        picture.text(_x(10**decade), bottom + 16, f"{10**decade:,}", "soft small", anchor)
    for place, (name, day) in enumerate(days.items()):
        _door(picture, TOP + place * ROW, name, day)
    return str(picture)


def _told(day: list[tuple[int, int]]) -> str:
    return ", ".join(f"{guesses:,}" for _, guesses in day)


def _door(picture: Picture, top: float, name: str, day: list[tuple[int, int]]) -> None:
    picture.text(20, top, name, "ink strong")
    for place, (addresses, guesses) in enumerate(day):
        y = top + 8 + place * (BAR + 3)
        width = max(_x(guesses) - LEFT, 2)
        picture.box(LEFT, y, width, BAR, STYLES[addresses])
        picture.text(LEFT + width + 6, y + BAR - 2, f"{guesses:,}", "ink small")


def _x(guesses: float) -> float:
    return LEFT + log10(guesses) * SCALE

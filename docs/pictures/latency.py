"""What a guess takes, path by path, beside the peers: drawn from what docs/comparison has measured."""

import json
from pathlib import Path
from typing import Any

from docs.pictures.svg import WIDTH, Picture

FIGURES = Path(__file__).parents[1] / "comparison" / "figures.json"
OURS = "lockout_decorators"
LEFT, TOP, ROW, BAR, GAP = 168, 84, 26, 14, 26


def draw() -> str:
    measured = json.loads(FIGURES.read_text(encoding="utf-8"))
    figures, paths = measured["figures"], measured["paths"]
    told = " ".join(_told(path, figures, place) for place, path in enumerate(paths))
    said = "Milliseconds of a request, median, in process, beside Valkey"
    picture = Picture(TOP + len(figures) * ROW + 30, said, f"{said}. {told}")
    picture.text(20, 28, f"{said}; the mark is the unguarded view")
    for row, one in enumerate(figures):
        style = "ink strong small" if one["guard"] == OURS else "ink small"
        picture.text(LEFT - 10, TOP + row * ROW + BAR - 3, one["guard"], style, "end")
    width = (WIDTH - LEFT - 20 - GAP * len(paths)) / len(paths)
    most = max([time for one in figures for time in (*one["guarded"], *one["bare"])])
    for place, path in enumerate(paths):
        left = LEFT + place * (width + GAP)
        picture.text(left, 60, path, "ink strong")
        for row, one in enumerate(figures):
            _bar(picture, left, TOP + row * ROW, (width - 40) / most, one, place)
        picture.line(left, TOP - 8, left, TOP + len(figures) * ROW)
    picture.text(20, TOP + len(figures) * ROW + 16, f"Medians of {measured['samples']}; less is better.", "soft small")
    return str(picture)


def _bar(picture: Picture, left: float, y: float, scale: float, one: dict[str, Any], place: int) -> None:
    time, bare = one["guarded"][place], one["bare"][place]
    picture.box(left, y, time * scale, BAR, "mark" if one["guard"] == OURS else "soft")
    picture.line(left + bare * scale, y - 3, left + bare * scale, y + BAR + 3, "ink")
    picture.text(left + max(time, bare) * scale + 5, y + BAR - 3, f"{time / 1000:.2f}", "ink small")


def _told(path: str, figures: list[dict[str, Any]], place: int) -> str:
    each = [f"{one['guard']} {one['guarded'][place] / 1000:.2f}" for one in figures]
    return f"{path.capitalize()}: {', '.join(each)}."

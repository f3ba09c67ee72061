"""How commands print what they have found: as JSON, or in tables."""

import json
from collections.abc import Iterable, Sequence
from typing import Any


def told(as_json: bool, plain: Any, lines: Iterable[str]) -> str:
    return json.dumps(plain, indent=2) if as_json else "\n".join(lines)


def aligned(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """After an empty line; the first column to the left, the others to the right."""
    table = [head, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["", *["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table]]


def piped(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """As Markdown, after an empty line."""
    table = [head, ["---"] * len(head), *[[str(cell) for cell in row] for row in rows]]
    return ["", *[f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in table]]


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """All columns to the left."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]

"""What a proof has found, as a table for people and as JSON for machines."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .costs import Cost, Size
from .trials import Row

FEW = 3  # kinds of failures that are told


@dataclass(frozen=True)
class Report:
    """What a proof has found.

    Attributes:
        backend: The class of the cache.
        store: The class that swaps there, and how.
        seconds: How long the bursts took.
        complaints: Why it is not exact, beside the trials.
        weaknesses: What no proof shows, as far as the configuration tells.
    """

    cache: str
    backend: str
    store: str
    guessers: str
    seconds: float
    trials: Sequence[Row]
    costs: Sequence[Cost]
    sizes: Sequence[Size]
    complaints: Sequence[str]
    weaknesses: Sequence[str]

    @property
    def exact(self) -> bool:
        return not self.complaints and all(row.exact for row in self.trials)

    @property
    def verdict(self) -> str:
        wrong = [row for row in self.trials if not row.exact]
        told = [f"{row.verified} verified where {row.allowed} are allowed ({row.name})" for row in wrong]
        return "Exact." if self.exact else f"Not exact: {'; '.join([*told, *self.complaints])}."


def as_json(report: Report) -> str:
    named = {name: [one._asdict() for one in getattr(report, name)] for name in ("costs", "sizes")}
    return json.dumps({"exact": report.exact, "verdict": report.verdict, **asdict(report), **named}, indent=2)


def as_table(report: Report) -> str:
    """The verdict only where it is exact: else it is the error."""
    trials = [[r.name, r.asked, r.verified, r.allowed, "exact" if r.exact else "NOT EXACT"] for r in report.trials]
    costs = [[cost.what, cost.calls, cost.trips or "-", f"{cost.ms:.2f} ms"] for cost in report.costs]
    lines = [
        f"Cache {report.cache!r}: {report.backend}",
        report.store,
        f"{report.guessers}, {report.seconds:.1f} seconds",
        *_table(["guesses", "asked", "verified", "allowed", ""], trials),
        *_table(["a guess costs", "reads and swaps", "round trips seen", "median"], costs),
        *_table(["a client takes", "entries", "bytes of text"], report.sizes),
        "",
        *[f"Weakness: {weakness}" for weakness in report.weaknesses],
        *([report.verdict] if report.exact else []),
    ]
    return "\n".join(lines)


def failures(raised: Iterable[str]) -> list[str]:
    """What the cache has raised: a few of it."""
    found = Counter(raised)
    told = [f"the cache failed, {times} times: {error}" for error, times in found.most_common(FEW)]
    return [*told, f"it failed {found.total()} times in all"] if len(found) > FEW else told


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """After an empty line; the first column to the left, the others to the right."""
    table = [head, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    aligned = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in table]
    return ["", *["  ".join(row).rstrip() for row in aligned]]

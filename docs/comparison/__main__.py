"""This package beside its peers, on one machine, in one run, all on one Valkey.

    tox -e comparison                 prints the tables as Markdown
    tox -e comparison -- --write      and puts them into the page, its picture and figures.json

Each guards the same plain login view, five failures an hour by address, in the set-up that its documentation gives.
What is counted is how often the backend was asked to verify a password.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from docs.comparison import bursts, sizes
from docs.pictures import latency
from tests import servers
from tests.bench import load, measuring
from tests.bench.__main__ import apart
from tests.bench.guards import GUARDS, OURS, SITE
from tests.bench.measuring import Plan

PAGE = Path(__file__).parents[1] / "explanation" / "comparison.md"
PICTURE = Path(latency.__file__).with_suffix(".svg")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
STORE = "Valkey"
PACKAGES = {"DRF throttles": "djangorestframework"}
ROWS = (("ip", "third failure"), ("ip", "success"), ("ip", "refused"))


class Figures(NamedTuple):
    """Of one guard, as the page shows them.

    Attributes:
        bare: Medians in microseconds of the unguarded view's requests, path by path.
        guarded: Of those of the guarded one.
    """

    guard: str
    burst: int
    honest: int
    between: int
    trips: tuple[int, ...]
    bare: tuple[float, ...]
    guarded: tuple[float, ...]
    cpu: float
    memory: int

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple([round(mine / free, 2) for free, mine in zip(self.bare, self.guarded, strict=True)])


HEAD = (
    "package",
    "wrong, of 200 at once: verified",
    "right, of 40 at once: signed in",
    "wrong, with own sign-ins between: verified",
    "round trips: third failure, success, refused",
    "time: third failure, success, refused",
    "CPU of a refusal",
    "bytes a locked client",
)


def measured(guard: str, cache: dict[str, Any], samples: int) -> Figures:
    rows = apart(measuring.carry_out, Plan(guard, STORE, cache, ROWS, samples))
    loads = load.measure(STORE, guard, cache)
    counts = bursts.measure(guard, cache)
    trips = tuple([len(row.trips) for row in rows])
    times = [tuple([round(time, 1) for time in column]) for column in zip(*[row[4:6] for row in rows], strict=True)]
    cpu, memory = round(loads.refused / loads.bare, 2), apart(sizes.measure, guard, cache)
    return Figures(guard, *counts, trips, *times, cpu, memory)


def table(found: list[Figures]) -> Iterator[str]:
    yield f"| {' | '.join(HEAD)} |"
    yield "|---" * len(HEAD) + "|"
    for one in found:
        cells = [
            one.guard,
            one.burst,
            one.honest,
            one.between,
            *map(_joined, (one.trips, one.ratios)),
            one.cpu,
            one.memory,
        ]
        yield f"| {' | '.join(map(str, cells))} |"


def _joined(values: tuple[float, ...]) -> str:
    return ", ".join(map(str, values))


def versions(guards: list[str]) -> str:
    names = [PACKAGES.get(name, name) for name in guards if name != OURS]
    return ", ".join(f"{name} {version(name)}" for name in ["Django", *names])


def write(said: str, found: list[Figures], samples: int) -> None:
    """Into the page and its picture, which is drawn from what is saved."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    lines = [before + BEGIN, "", said, "", *table(found), "", END + rest.partition(END)[2]]
    PAGE.write_text("\n".join(lines))
    paths = [label for _, label in ROWS]
    saved = {"said": said, "samples": samples, "paths": paths, "figures": [one._asdict() for one in found]}
    latency.FIGURES.write_text(json.dumps(saved, indent=1) + "\n")
    PICTURE.write_text(latency.draw())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}, with its picture")
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--only", choices=GUARDS, action="append")
    options = parser.parse_args()
    guards = [name for name in options.only or GUARDS if name != SITE]
    with TemporaryDirectory() as folder, servers.valkey(Path(folder)) as setup:
        found = [measured(name, setup.cache, options.samples) for name in guards]
    said = f"Measured with {versions(guards)}, on Python {sys.version.split()[0]}:"
    print("\n".join([said, "", *table(found)]))
    if options.write:
        write(said, found, options.samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""This package beside its peers, on one machine, in one run, all on one Valkey.

    tox -e comparison                     prints the tables as Markdown
    tox -e comparison -- --write          and puts them into the page, its picture and figures.json
    tox -e comparison -- --samples 20     sees that it works

Each guards the same plain login view, five failures an hour by address, in the set-up that its documentation gives.
What is counted is how often the backend was asked to verify a password.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
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
STORE = "Valkey"
PACKAGES = {"DRF throttles": "djangorestframework"}
ROWS = (("ip", "third failure"), ("ip", "success"), ("ip", "refused"))


class Figures(NamedTuple):
    """Of one guard, as the page shows them.

    Attributes:
        bare: Medians in microseconds of the unguarded view's requests, path by path.
        guarded: Of those of the guarded one.
        rates: Refusals a second, and failures of the unguarded view.
    """

    guard: str
    burst: int
    honest: int
    between: int
    trips: tuple[int, ...]
    bare: tuple[float, ...]
    guarded: tuple[float, ...]
    cpu: float
    rates: tuple[int, int]
    memory: int

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple([round(mine / free, 2) for free, mine in zip(self.bare, self.guarded, strict=True)])


HEAD = (
    "package",
    f"wrong, of {bursts.WRONG} at once: verified",
    f"right, of {bursts.RIGHT} at once: signed in",
    "wrong, with own sign-ins between: verified",
    "round trips: third failure, success, refused",
    "time: third failure, success, refused",
    "CPU of a refusal",
    "refused a second",
    "bytes a locked client",
)
COSTS: dict[str, Callable[[Figures], float]] = {
    "time of a failure": lambda one: one.ratios[0],
    "time of a success": lambda one: one.ratios[1],
    "time of a refusal": lambda one: one.ratios[2],
    "CPU of a refusal": lambda one: one.cpu,
    "refused a second": lambda one: -one.rates[0] / one.rates[1],
    "bytes a locked client": lambda one: one.memory,
}


def measured(guard: str, cache: dict[str, Any], samples: int) -> Figures:
    rows = apart(measuring.carry_out, Plan(guard, STORE, cache, ROWS, samples))
    loads = load.measure(STORE, guard, cache)
    counts = bursts.measure(guard, cache)
    trips = tuple([len(row.trips) for row in rows])
    times = [tuple([round(time, 1) for time in column]) for column in zip(*[row[4:6] for row in rows], strict=True)]
    cpu, rates = round(loads.refused / loads.bare, 2), (round(loads.refused_rate), round(loads.bare_rate))
    return Figures(guard, *counts, trips, *times, cpu, rates, apart(sizes.measure, guard, cache))


def table(found: list[Figures]) -> Iterator[str]:
    yield from _head(HEAD)
    for one in found:
        cells = [
            one.guard,
            one.burst,
            one.honest,
            one.between,
            *map(_joined, (one.trips, one.ratios)),
            one.cpu,
            "{} of {}".format(*one.rates),
            one.memory,
        ]
        yield f"| {' | '.join(map(str, cells))} |"


def better(found: list[Figures]) -> Iterator[str]:
    """Who does better than this package, and at what; the best first."""
    (ours,) = [one for one in found if one.guard == OURS]
    yield from _head(("what is measured", "better than here"))
    for label, cost in COSTS.items():
        others = sorted([one for one in found if cost(one) < cost(ours)], key=cost)
        yield f"| {label} | {', '.join([one.guard for one in others]) or 'none'} |"


def _head(cells: tuple[str, ...]) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"
    yield "|---" * len(cells) + "|"


def _joined(values: tuple[float, ...]) -> str:
    return ", ".join(map(str, values))


def versions(guards: list[str]) -> str:
    names = [PACKAGES.get(name, name) for name in guards if name != OURS]
    return ", ".join(f"{name} {version(name)}" for name in ["Django", *names])


def page(before: str, said: str, found: list[Figures]) -> str:
    """With both tables in their places."""
    whole = _put(before, "figures", [said, "", *table(found)])
    return _put(whole, "better", better(found))


def _put(text: str, name: str, lines: Iterable[str]) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, _, rest = text.partition(begin)
    return "\n".join([head + begin, "", *lines, "", end + rest.partition(end)[2]])


def saved() -> tuple[str, list[Figures]]:
    """What was measured last, as figures.json has it."""
    read = json.loads(latency.FIGURES.read_text(encoding="utf-8"))
    lists = [
        {name: tuple(value) if isinstance(value, list) else value for name, value in one.items()}
        for one in read["figures"]
    ]
    return read["said"], [Figures(**one) for one in lists]


def write(said: str, found: list[Figures], samples: int) -> None:
    """Into the page and its picture, which is drawn from what is saved."""
    PAGE.write_text(page(PAGE.read_text(), said, found))
    paths = [label for _, label in ROWS]
    measured = {"said": said, "samples": samples, "paths": paths, "figures": [one._asdict() for one in found]}
    latency.FIGURES.write_text(json.dumps(measured, indent=1) + "\n")
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
    print("\n".join([said, "", *table(found), "", *(better(found) if guards[0] == OURS else ())]))
    if options.write:
        write(said, found, options.samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Where the time of a row goes: frames entered, which is the same in every run, and time under the profiler."""

import cProfile
import pstats
from typing import Any

from tests.bench.guards import OURS
from tests.bench.measuring import CASES, CROWD, ask, prepared
from tests.bench.sites import Site

SHOWN = 60


def show(store: str, cache: dict[str, Any], label: str, samples: int) -> None:
    site, case, profiler = Site(OURS, cache), CASES[label], cProfile.Profile()
    rule = "ip" if case.before < CROWD else "ip-500"
    for turn in range(20 + samples):
        client = prepared(site, rule, case)
        if turn >= 20:
            profiler.enable()
        ask(site, rule, case, client)
        profiler.disable()
    rows = [
        (calls / samples, total / samples * 1e6, everything / samples * 1e6, file.partition(f"{OURS}/")[2], name)
        for (file, _, name), (_, calls, total, everything, _) in pstats.Stats(profiler).stats.items()
        if f"/{OURS}/" in file
    ]
    print(f"{store}, {label}: {sum(row[0] for row in rows):.0f} frames of the package")
    print("frames   own us   with callees   (the profiler makes everything several times as slow)")
    for calls, total, everything, file, name in sorted(rows, key=lambda row: -row[1])[:SHOWN]:
        print(f"{calls:6.1f}{total:9.1f}{everything:12.1f}    {file}: {name}")

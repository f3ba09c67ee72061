"""An idle processor falls asleep within a fraction of a millisecond. To wake it, as a command to a server does, takes
longer than a round trip: who measures that, measures the machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

SPINNING = "import os; os.nice(19)\nwhile True: pass"


@contextmanager
def awake() -> Iterator[None]:
    """Keep all processors but one awake, by processes that everybody else goes before."""
    with ExitStack() as stack:
        for _ in range((os.cpu_count() or 1) - 1):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", SPINNING]))
            stack.callback(process.kill)
        yield

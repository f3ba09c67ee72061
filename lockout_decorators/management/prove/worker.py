"""A worker process of a proof: `python -m lockout_decorators.management.prove.worker THREADS`."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import django

from .acts import Acts
from .apart import apart, said
from .crew import Answer, come_of


def main() -> None:
    """Each line of the input is an act with its arguments; each line of the output an answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever interrupts the command ends the input
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the project prints is no answer
    for answer in _answers(int(sys.argv[1])):
        print(json.dumps(answer), file=answers, flush=True)


def _answers(threads: int) -> Iterator[Answer]:
    try:
        django.setup()
    except Exception as error:  # noqa: BLE001
        yield None, f"A worker process could not set itself up: {said(error)}", []
        return
    with apart() as raised, ThreadPoolExecutor(threads) as pool:
        acts = Acts(pool, threads)
        yield from (come_of(acts, json.loads(line), raised) for line in sys.stdin)


if __name__ == "__main__":
    main()

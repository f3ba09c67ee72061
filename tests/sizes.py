"""How much is tried: a sample, or all of it in the one environment of CI that tox.ini names; what is measured."""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from itertools import combinations, product
from typing import Any

IN_FULL = bool(os.environ.get("IN_FULL"))
EXAMPLES = 60 if IN_FULL else 10  # that hypothesis makes up for a whole request


def pairs(*choices: Iterable[Any]) -> list[Any]:
    """Of each choice every value beside every value of the others; in full, every combination."""
    lists = [list(choice) for choice in choices]
    every = list(product(*(range(len(values)) for values in lists)))
    chosen, left = [], set().union(*map(_pairs_in, every))
    while left:
        chosen.append(best := max(every, key=lambda one: len(left & _pairs_in(one))))
        left -= _pairs_in(best)
    return [tuple(map(list.__getitem__, lists, one)) for one in (every if IN_FULL else chosen)]


def _pairs_in(one: tuple[int, ...]) -> set[Any]:
    return set(combinations(enumerate(one), 2))


def untraced(search: Callable[..., Any]) -> Callable[..., Any]:
    """Run it in a thread that coverage does not see: millions of steps, through lines that other tests run, too, would
    take three times as long."""

    @wraps(search)
    def run(*args: Any) -> Any:
        tracer = threading.gettrace()
        threading.settrace(None)  # for threads that begin
        try:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(search, *args).result()
        finally:
            threading.settrace(tracer)

    return run

"""How much is tried: a sample, or all of it in the one environment of CI that tox.ini names; what is measured."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any

IN_FULL = bool(os.environ.get("IN_FULL"))
EXAMPLES = 60 if IN_FULL else 10  # that hypothesis makes up for a whole request


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

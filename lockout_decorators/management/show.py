"""manage.py lockout show: what stands about a client."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from .clients import add_client, as_json, as_rows, find
from .tables import columns, told

HELP = "Show what stands about a client. Exit status 0: it is locked out; 1: it is not; 2: that can't be told."

NOTHING = "Nothing on record."


def add_arguments(parser: ArgumentParser) -> None:
    add_client(parser)


def run(options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
    """Raises CommandError as find() does, and SystemExit."""
    found, passed_over = find(options)
    lines = [*(columns(as_rows(found)) if found else [NOTHING]), *passed_over]
    write(told(options["json"], {"counters": list(map(as_json, found)), "passed_over": passed_over}, lines))
    if not any(one.status.locked for one in found):
        sys.exit(1)

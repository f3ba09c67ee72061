"""manage.py lockout list: the locks of late."""

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from django.core.management.base import CommandError

from lockout_decorators.exceptions import StoreError
from lockout_decorators.support import finding

from .clients import ERROR, add_json, add_scope, as_json, as_rows, load, policies_of
from .tables import columns, told

HELP = "List the locks of late; who was locked out only where LOCKOUT_JOURNAL is on."


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--locked", action="store_true", help="only those that stand")
    parser.add_argument("--limit", type=int, default=50, metavar="NUMBER", help="how many at most; default 50")
    add_scope(parser)
    add_json(parser)


def run(options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
    """Raises CommandError for an unknown scope, and where the cache fails."""
    load()
    if options["scope"] is not None:
        policies_of(options["scope"])
    try:
        found = finding.recent(options["scope"])
    except StoreError as error:
        raise CommandError(str(error), returncode=ERROR) from error
    found = [one for one in found if one.status.locked or not options["locked"]]
    shown = found[: max(options["limit"], 0)]
    lines = columns(as_rows(shown)) if shown else ["No locks on file."]
    if len(found) > len(shown):
        lines.append(f"... and {len(found) - len(shown)} more: --limit {len(found)}")
    write(told(options["json"], {"locks": list(map(as_json, shown)), "found": len(found)}, lines))

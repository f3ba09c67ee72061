"""manage.py lockout policies: every policy of the site, in short."""

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from lockout_decorators.support.policies import SHOWN, in_short

from .clients import add_json, add_scope, load, policies_of
from .tables import columns, told

HELP = "List the policies of the site; `report` says what they come to."


def add_arguments(parser: ArgumentParser) -> None:
    add_scope(parser)
    add_json(parser)


def run(options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
    """Raises CommandError for an unknown scope."""
    load()
    found = list(map(in_short, sorted(policies_of(options["scope"]), key=lambda policy: policy.scope)))
    rows = [[_cell(value) for value in one.values()] for one in found]
    write(told(options["json"], {"policies": found}, columns([SHOWN, *rows]) if rows else ["No policies."]))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return ", ".join(map(_cell, value))
    return f"{value:g}" if isinstance(value, float) else str(value)

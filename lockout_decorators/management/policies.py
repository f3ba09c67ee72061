"""manage.py lockout policies: every policy of the site, in short."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from lockout_decorators.terms.terms import Terms

from .clients import add_json, add_scope, load, policies_of
from .tables import columns

HELP = "List the policies of the site; `report` says what they come to."

SHOWN = ("scope", "key", "max", "window", "lockout", "rolling", "ceiling", "spread", "cache", "enforce")


def add_arguments(parser: ArgumentParser) -> None:
    add_scope(parser)
    add_json(parser)


def run(options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
    """Raises CommandError for an unknown scope."""
    load()
    told = list(map(_told, sorted(policies_of(options["scope"]), key=lambda policy: policy.scope)))
    if options["json"]:
        write(json.dumps({"policies": told}, indent=2))
    else:
        rows = [[_cell(value) for value in one.values()] for one in told]
        write("\n".join(columns([SHOWN, *rows])) if rows else "No policies.")


def _told(policy: Terms) -> dict[str, Any]:
    return {name: str(policy.key) if name == "key" else getattr(policy, name) for name in SHOWN}


def _cell(value: Any) -> str:
    return (
        "-"
        if value is None
        else ", ".join(map(_cell, value))
        if isinstance(value, tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )

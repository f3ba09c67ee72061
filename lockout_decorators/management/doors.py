"""manage.py lockout doors: what of the URLconf verifies secrets, with its policies or the line to write."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from lockout_decorators.checks.doors import message_about
from lockout_decorators.doors.door import GUARDED, Door
from lockout_decorators.doors.urlconf import find_doors

from .tables import columns, told

HELP = "List what of the URLconf verifies secrets, with its policies, or the lines to write."
SILENCED = "silenced"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--urlconf", metavar="MODULE", help="another URLconf; default: the setting ROOT_URLCONF")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
    """Raises CommandError if a door is open, or decorated in vain, and not silenced."""
    try:
        doors = find_doors(options["urlconf"])
    except Exception as error:
        raise CommandError(f"The URLconf can't be read: {error!r}") from error
    states = [_state(door) for door in doors]
    plain = [{**asdict(one), "state": state, "policies": one.guards} for one, state in zip(doors, states, strict=True)]
    write(told(options["json"], {"doors": plain}, as_table(doors, states)))
    if wrong := [state for state in states if state not in (GUARDED, SILENCED)]:
        counts = ", ".join(f"{count} {state}" for state, count in Counter(wrong).items())
        raise CommandError(f"Of {len(doors)} doors: {counts}.")


def _state(door: Door) -> str:
    return SILENCED if door.state != GUARDED and message_about(door) is None else door.state


def as_table(doors: Sequence[Door], states: Sequence[str]) -> list[str]:
    """A row a door, then what to write."""
    rows = [
        (state, door.kind, door.where, door.name, ", ".join(dict.fromkeys(door.guards)))
        for door, state in zip(doors, states, strict=True)
    ]
    head = ("state", "kind", "route", "name", "policies")
    lines = columns([head, *rows])
    for door, state in zip(doors, states, strict=True):
        if state not in (GUARDED, SILENCED):
            lines += ["", f"# {door.kind}, {state}: {door.name}", door.write]
    return lines

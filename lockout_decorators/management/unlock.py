"""manage.py lockout unlock: lift a client's locks, and forget its failures."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from getpass import getuser
from typing import Any

from django.core.management.base import CommandError

from lockout_decorators.exceptions import StoreError
from lockout_decorators.support.standing import Standing
from lockout_decorators.support.unlocking import unlock_all

from .clients import ERROR, add_client, as_json, find
from .show import NOTHING
from .tables import told

HELP = "Lift a client's locks and forget its failures. Exit status 0: there were some; 1: there were none; 2: an error."


def add_arguments(parser: ArgumentParser) -> None:
    add_client(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be lifted")


def run(options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
    """Raises CommandError as find() does, and SystemExit."""
    found, passed_over = find(options)
    standing = [one for one in found if not one.clean]
    try:
        lifted = standing if options["dry_run"] else unlock_all(standing, f"command: {_user()}")
    except StoreError as error:
        raise CommandError(str(error), returncode=ERROR) from error
    done = "would be unlocked" if options["dry_run"] else "unlocked"
    lines = [f"{one.status.scope}: {done} ({_counter(one)}{one.state})" for one in lifted] or [NOTHING]
    plain = {"unlocked": list(map(as_json, lifted)), "passed_over": passed_over, "dry_run": options["dry_run"]}
    write(told(options["json"], plain, [*lines, *passed_over]))
    if not lifted:
        sys.exit(1)


def _counter(standing: Standing) -> str:
    return "" if standing.status.counter == "key" else f"{standing.status.counter}, "


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unknown"

"""manage.py lockout: what operators do about lockouts, one subcommand each.

A subcommand is a module of `lockout_decorators.management` with `HELP`, `add_arguments(parser)` and `run(options,
write)`, and a line in `SUBCOMMANDS`.
"""

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from django.core.management.base import BaseCommand, CommandParser

from lockout_decorators.management import doors, listing, policies, prove, report, show, unlock


class Subcommand(Protocol):
    """What a subcommand's module has."""

    @property
    def HELP(self) -> str: ...  # noqa: N802
    def add_arguments(self, parser: ArgumentParser) -> None: ...
    def run(self, options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
        """Raises CommandError."""


SUBCOMMANDS: Mapping[str, Subcommand] = {
    "list": listing,
    "show": show,
    "unlock": unlock,
    "policies": policies,
    "doors": doors,
    "report": report,
    "prove": prove,
}


class Command(BaseCommand):
    """Hands over to the subcommand."""

    help = "Look after lockouts: who is locked out, and how to lift it; which doors there are, and what guards them."
    requires_system_checks: tuple[()] = ()  # what it is asked about may be what they complain of

    def add_arguments(self, parser: CommandParser) -> None:
        subparsers = parser.add_subparsers(dest="subcommand", metavar="subcommand", required=True)
        for name, subcommand in SUBCOMMANDS.items():
            own = subparsers.add_parser(name, help=subcommand.HELP, description=subcommand.HELP)
            subcommand.add_arguments(own)
            for option in ("--settings", "--pythonpath"):  # Django has read them; they may stand at the end as well
                own.add_argument(option, default=SUPPRESS, help=SUPPRESS)
            own.add_argument("--traceback", action="store_true", default=SUPPRESS, help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        SUBCOMMANDS[options["subcommand"]].run(options, self.stdout.write)

"""manage.py lockout report: guesses a day at each door, who can lock out whom, and what standards say to it.

From below: doors, standards, figures (as plain values), pages (as text), and here what is asked. It is all arithmetic:
no cache is asked.
"""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from lockout_decorators.conf import conf

from .doors import doors
from .figures import figures
from .pages import as_markdown, as_text

HELP = "Say how many guesses a day each door lets through, who can keep out whom, and which standards it meets."


def add_arguments(parser: ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print a page of Markdown, for your documentation")


def run(options: Mapping[str, Any], write: Callable[[str], Any]) -> None:
    """It ends well whatever the verdicts: which of them bind a site nobody here can know."""
    report = {"enabled": conf.enabled, "doors": [figures(door) for door in doors()]}
    if options["json"]:
        write(json.dumps(report, indent=2))
    else:
        write((as_markdown if options["markdown"] else as_text)(report))

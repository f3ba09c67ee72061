"""How commands are told who is meant, and how they tell what stands about them."""

from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.timezone import localtime

from lockout_decorators.exceptions import StoreError
from lockout_decorators.policy import LockoutPolicy, known_policies
from lockout_decorators.support import finding
from lockout_decorators.support.client import Described
from lockout_decorators.support.standing import Standing

ERROR = 2  # exit status of what could not be done; 1 says that there is no lock

OPTIONS = {  # parts of keys, and how each is given
    "ip": "--ip",
    "username": "--username",
    "ua": "--user-agent",
    "user": "--user",
    "session": "--session",
}
OF_STATUS = ("scope", "counter", "locked", "failures", "maximum", "retry_after")
HEAD = ("reference", "scope", "counter", "state", "since", "until", "address", "username")


def add_client(parser: ArgumentParser) -> None:
    """The arguments that say who is meant."""
    parser.add_argument("reference", nargs="?", help="the code of a lock, as 7F3K-92QD")
    parser.add_argument("--ip", metavar="ADDRESS", help="the client's address")
    parser.add_argument("--username", metavar="NAME", help="the user name tried")
    parser.add_argument("--user-agent", metavar="TEXT", help="the client's User-Agent header, exactly")
    parser.add_argument("--user", metavar="ID", help="the primary key of the account that is signed in")
    parser.add_argument("--session", metavar="KEY", help="the key of the client's session")
    parser.add_argument("--header", metavar="'NAME: VALUE'", action="append", default=[], help="another header")
    add_scope(parser)
    add_json(parser)


def add_scope(parser: ArgumentParser) -> None:
    parser.add_argument("--scope", help="only the policies with this scope")


def add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def find(options: Mapping[str, Any]) -> tuple[list[Standing], list[str]]:
    """What stands about who is meant, and what was passed over, in words. Raises CommandError."""
    load()
    client = _described(options)
    if bool(options["reference"]) == bool(client.parts):
        raise CommandError(f"Say who is meant: by a reference, or by {', '.join(OPTIONS.values())}.", returncode=ERROR)
    try:
        if options["reference"]:
            found = finding.by_reference(options["reference"])
            return ([found] if found else []), []
        policies = policies_of(options["scope"])
        return finding.by_description(client, policies), _passed_over(client, policies)
    except (StoreError, ValueError) as error:
        raise CommandError(str(error), returncode=ERROR) from error


def load() -> None:
    """Policies are known once the code that has them is imported. Raises CommandError if it can't be."""
    try:
        import_module(settings.ROOT_URLCONF)
    except Exception as error:
        raise CommandError(f"The URLconf can't be read: {error!r}", returncode=ERROR) from error


def policies_of(scope: str | None) -> list[LockoutPolicy]:
    """All, or those of a scope. Raises CommandError."""
    known = known_policies()
    if scope is not None and scope not in known:
        there = ", ".join(sorted(known)) or "none"
        raise CommandError(f"No policy has the scope {scope!r}; there are: {there}", returncode=ERROR)
    return [policy for name, several in known.items() if scope in (None, name) for policy in several]


def _described(options: Mapping[str, Any]) -> Described:
    """Raises CommandError for what is no address, or no header."""
    headers = {name.strip(): value.strip() for name, _, value in [one.partition(":") for one in options["header"]]}
    if not all([*headers, *headers.values()]):
        raise CommandError(f"--header is {options['header']}; it must be 'Name: value'.", returncode=ERROR)
    given = {name: options[name] for name in ("ip", "username", "user_agent", "user", "session")}
    try:
        return Described(**given, headers=headers)
    except ValueError as error:
        raise CommandError(f"--ip: {error}", returncode=ERROR) from error


def _passed_over(client: Described, policies: Sequence[LockoutPolicy]) -> list[str]:
    """Raises CommandError for a part that no policy asks for."""
    if unused := finding.unasked(client, policies):
        raise CommandError(f"No policy counts by {', '.join(map(option, unused))}.", returncode=ERROR)
    return [_needs(*one) for one in finding.passed_over(client, policies)]


def _needs(scope: str, parts: Sequence[str] | None) -> str:
    if parts is None:
        return f"{scope}: its key is code; unlock by reference"
    return f"{scope}: needs {', '.join(map(option, parts))}"


def option(part: str) -> str:
    """How a part of a key is given."""
    return OPTIONS.get(part) or f"--header '{part.removeprefix('header:')}: ...'"


def as_rows(standings: Iterable[Standing]) -> list[tuple[str, ...]]:
    """For a table under `HEAD`."""
    rows: list[tuple[str, ...]] = [HEAD]
    for one in standings:
        told = one.status
        name = "" if one.username is None else ascii(one.username)[1:-1]
        times = (_shown(one.since), _shown(one.until) or ("lifted by hand" if told.locked else ""))
        rows.append((told.reference or "-", told.scope, told.counter, one.state, *times, one.address, name))
    return rows


def as_json(standing: Standing) -> dict[str, Any]:
    told = standing.status
    return {
        "reference": told.reference or None,
        "key": standing.key,
        "cache": standing.alias,
        **{name: getattr(told, name) for name in OF_STATUS},
        "since": standing.since and standing.since.isoformat(),
        "until": standing.until and standing.until.isoformat(),
        "address": standing.address or None,
        "username": standing.username,
    }


def _shown(time: datetime | None) -> str:
    return f"{localtime(time):%Y-%m-%d %H:%M:%S}" if time else ""

"""manage.py reset_attempts: forgive a client by its address, user name or user agent."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import HttpRequest

from lockout_decorators.exceptions import StoreError
from lockout_decorators.policy import LockoutPolicy, known_policies

NOWHERE = "0.0.0.0"  # noqa: S104  # stands for an address that no policy at hand asks about

OPTIONS = {"ip": "ip", "username": "username", "ua": "user_agent"}  # parts of keys that can be spelled here


class Command(BaseCommand):
    """Prints, for each policy, what stood on record."""

    help = "Forget a client's failed attempts and lift its locks, under one scope or all whose key is spelled."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scope", help="only the policies with this scope")
        parser.add_argument("--ip", help="the client's address")
        parser.add_argument("--username", help="the user name tried")
        parser.add_argument("--user-agent", help="the client's User-Agent header, exactly")

    def handle(self, *args: Any, **options: Any) -> None:
        import_module(settings.ROOT_URLCONF)
        given = {part for part, option in OPTIONS.items() if options[option] is not None}
        known = self._of(options["scope"])
        policies = [policy for policy in known if policy.key.parts and {*policy.key.parts} <= given]
        if not policies:
            raise CommandError("No policy can be reset by this: name every part of its key (--ip, --username, ...).")
        request = HttpRequest()
        request.META = {"REMOTE_ADDR": options["ip"] or NOWHERE, "HTTP_USER_AGENT": options["user_agent"] or ""}
        for policy in policies:
            try:
                status = policy.status(request, options["username"])
                policy.reset(request, options["username"])
            except StoreError as error:
                raise CommandError(str(error)) from error
            locked = ", locked" if status.locked else ""
            self.stdout.write(f"{policy.scope}: reset ({status.failures} of {status.maximum} failures{locked})")

    def _of(self, scope: str | None) -> list[LockoutPolicy]:
        known = known_policies()
        if scope is not None and scope not in known:
            raise CommandError(f"No policy has the scope {scope!r}; there are: {', '.join(sorted(known))}")
        return [policy for name, several in known.items() if scope in (None, name) for policy in several]

"""The doors of the URLconf: those that no policy guards, and those that are decorated in vain."""

from collections.abc import Iterator
from contextlib import suppress

from django.core.checks import CheckMessage, Warning
from django.urls import get_resolver

from ..doors.door import IN_VAIN, OPEN, Door
from ..doors.urlconf import find_doors


def about_doors(state: str) -> Iterator[CheckMessage]:
    """A warning for each door in that state, with an id of its own behind the number: silenced one by one."""
    doors: list[Door] = []
    with suppress(Exception):  # Django's own check of the URLconf tells what is wrong with it
        get_resolver().url_patterns  # noqa: B018  # which imports it
        try:
            doors = find_doors(decorated=state == IN_VAIN)
        except Exception as error:  # noqa: BLE001  # whatever code may be that is read there
            if state == OPEN:
                yield _unsearched(error)
    for door in doors:
        if door.state == state and (message := message_about(door)):
            yield message


def message_about(door: Door) -> CheckMessage | None:
    """About one that is not guarded; None if it is silenced."""
    message = {OPEN: _open, IN_VAIN: _in_vain}[door.state](door)
    silenced = message.is_silenced()
    message.id = f"{message.id}.{door.name}"
    message.hint = f'{message.hint}\n{door.write}\nOr, if you mean it: SILENCED_SYSTEM_CHECKS = ["{message.id}"].'
    return None if silenced or message.is_silenced() else message


def _open(door: Door) -> CheckMessage:
    return Warning(
        f"No policy guards {door.name} ({door.kind}) at {door.where}.",
        hint="Write:",
        id="lockout_decorators.W012",
    )


def _unsearched(error: Exception) -> CheckMessage:
    return Warning(
        f"The URLconf can't be searched for open doors: {type(error).__name__}: {error}",
        hint="`manage.py lockout doors` shows where it comes from.",
        id="lockout_decorators.W016",
    )


def _in_vain(door: Door) -> CheckMessage:
    return Warning(
        f"{door.name} is decorated, but its policy sees no guess: authenticate() is not asked ({door.kind}).",
        hint="Put policy.attempt() around what verifies the secret; or let the response tell:",
        id="lockout_decorators.W013",
    )

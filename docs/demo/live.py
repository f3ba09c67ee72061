"""What stands on record and in the log, as a piece of a page: made anew for whoever watches, when it has changed."""

import asyncio
import json
from typing import NamedTuple

from asgiref.sync import sync_to_async
from django.conf import settings
from django.template.loader import render_to_string
from guide import USERS
from views import DOORS

from lockout_decorators import LockoutStatus, client_address

LINES = 8
TAIL = 4096  # bytes that hold as many
UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60}


class Row(NamedTuple):
    door: str
    who: str
    status: LockoutStatus
    window: str


async def events(request, path):
    """For as long as somebody listens."""
    shown = None
    while True:
        now = await sync_to_async(panel, thread_sensitive=False)(request, path)
        if now != shown:
            yield f"data: {json.dumps(now)}\n\n"
        shown = now
        await asyncio.sleep(0.5)


def panel(request, path):
    """Of one door, or of all. The counters are those of whoever looks."""
    doors = [door for door in DOORS if path in ("", door.path)]
    rows = [row for door in doors for policy in door.policies for row in on_record(request, door, policy)]
    return render_to_string("panel.html", {"rows": rows, "lines": last_lines(), "all": not path})


def on_record(request, door, policy):
    parts = str(policy.key).split("+")
    for name in USERS if "username" in parts else [None]:
        status = policy.status(request, name)
        if status.failures or status.locked:
            told = {"username": name, "ip": client_address(request)}
            yield Row(door.name, ", ".join(told[part] for part in parts), status, duration(policy.window))


def duration(seconds):
    """In the largest unit that makes a whole number, above one of it."""
    found = [(seconds // size, unit) for unit, size in UNITS.items() if seconds % size == 0 and seconds > size]
    return "{:.0f} {}".format(*found[0] if found else (seconds, "seconds"))


def last_lines():
    """Of all workers, the last one first."""
    with settings.LOG.open("rb") as log:
        log.seek(max(0, settings.LOG.stat().st_size - TAIL))
        return log.read().decode(errors="replace").splitlines()[: -LINES - 1 : -1]

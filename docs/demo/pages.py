"""The pages around the doors."""

from email import message_from_bytes, policy
from typing import NamedTuple

from django.conf import settings
from django.http import StreamingHttpResponse
from django.shortcuts import render
from guide import CODE, PASSWORD, TRIES, USERS
from live import duration, events
from views import DOORS

END = b"-" * 79  # of a mail, as Django's backend writes it


class Rule(NamedTuple):
    """The first policy of a door, in words."""

    key: str
    max: int
    window: str
    lockout: str
    further: int


def index(request):
    """The start page."""
    doors = [(door, rule(door.policies)) for door in DOORS]
    told = {"tries": TRIES, "users": USERS, "password": PASSWORD, "code": CODE}
    return render(request, "index.html", {"doors": doors, **told})


def rule(policies):
    first = policies[0]
    key = str(first.key).replace("ip", "address").replace("username", "user name").replace("+", ", ")
    lockout = duration(first.lockout) if first.lockout else "until failures leave"
    return Rule(key, first.max, duration(first.window), lockout, len(policies) - 1)


def mails(request):
    """The mail box of all users, the last mail first."""
    files = sorted(settings.MAILS.glob("*.log"), key=lambda file: file.stat().st_mtime, reverse=True)
    written = [text for text in (file.read_bytes() for file in files) if END in text]
    return render(request, "mails.html", {"mails": [read(text) for text in written]})


def read(text):
    mail = message_from_bytes(text.rpartition(END)[0], policy=policy.default)
    return {"to": mail["To"], "subject": mail["Subject"], "date": mail["Date"].datetime, "body": mail.get_content()}


async def live(request):
    """What happens, as it happens: server-sent events."""
    stream = events(request, request.GET.get("door", ""))
    return StreamingHttpResponse(stream, content_type="text/event-stream", headers={"Cache-Control": "no-store"})

"""Requests as a server hands them over: a raw environ or scope, given to Django's own handlers."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

HERE = "192.0.2.1"
CHUNK = 7  # bytes of a body that come at a time


@dataclass(frozen=True)
class Raw:
    """A request as it came in; texts are bytes in latin-1, as PEP 3333 has them."""

    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    query: str = ""
    path: str = "/"
    address: str = HERE


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@contextmanager
def connected() -> Iterator[None]:
    """As in Django's test client, a request doesn't close the test's database connection."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@connected()
def by_wsgi(raw: Raw) -> Answer:
    names = {name: name.upper().replace("-", "_") for name in raw.headers}
    environ = {
        "REQUEST_METHOD": raw.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": raw.path,
        "QUERY_STRING": raw.query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": raw.address,
        "CONTENT_LENGTH": str(len(raw.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(raw.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{("" if n.startswith("CONTENT_") else "HTTP_") + n: raw.headers[name] for name, n in names.items()},
    }
    started: list[Any] = []
    response = WSGIHandler()(environ, lambda *start: started.extend(start))
    body = b"".join(response)
    response.close()
    return Answer(int(started[0][:3]), dict(started[1]), body)


@connected()
def by_asgi(raw: Raw) -> Answer:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": raw.method,
        "scheme": "http",
        "path": raw.path,
        "raw_path": raw.path.encode(),
        "query_string": raw.query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in raw.headers.items()],
        "client": (raw.address, 1),
        "server": ("testserver", 80),
    }
    if "content-length" not in raw.headers:
        scope["headers"].append((b"content-length", b"%d" % len(raw.body)))
    chunks = [raw.body[at : at + CHUNK] for at in range(0, len(raw.body), CHUNK)] or [b""]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not chunks:
            await asyncio.Event().wait()  # the client stays
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    # Not by its __call__, which takes a thread for each request: that would have another in-memory database.
    async_to_sync(ASGIHandler().handle)(scope, receive, send)
    headers = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:]))


SERVERS: dict[str, Callable[[Raw], Answer]] = {"wsgi": by_wsgi, "asgi": by_asgi}

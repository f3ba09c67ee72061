"""Real web servers of several processes, and a client that sends many requests at once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from importlib.util import find_spec
from pathlib import Path
from socket import create_connection
from typing import NamedTuple
from urllib.parse import urlencode

from tests.servers import Setup, await_server, free_port, missing

HOST = "127.0.0.1"
CSRF = "a" * 32
COMMANDS = {
    "gunicorn": "gunicorn --threads 8 --preload --no-control-socket --log-level warning --bind {host}:{port}"
    " --workers {workers} django.core.wsgi:get_wsgi_application()",
    "gevent": "gunicorn --worker-class gevent --no-control-socket --log-level warning --bind {host}:{port}"
    " --workers {workers} django.core.wsgi:get_wsgi_application()",
    "uvicorn": "uvicorn --no-proxy-headers --log-level warning --host {host} --port {port}"
    " --workers {workers} --factory django.core.asgi:get_asgi_application",
}


class Request(NamedTuple):
    """A guess, or with GET a look at the form, of the client at `address`."""

    door: str
    address: str
    username: str = "bob"
    password: str = "wrong"
    agent: str = "tests"
    method: str = "POST"

    def __bytes__(self) -> bytes:
        fields = {"username": self.username, "password": self.password}
        if self.door == "form":
            kind, body = "application/x-www-form-urlencoded", urlencode({**fields, "csrfmiddlewaretoken": CSRF})
        else:
            kind, body = "application/json", json.dumps(fields)
        headers = {
            "Host": HOST,
            "X-Forwarded-For": self.address,
            "User-Agent": self.agent,
            "Cookie": f"csrftoken={CSRF}",
            "Content-Type": kind,
            "Content-Length": len(body),
            "Connection": "close",
        }
        lines = [f"{self.method} /{self.door}/ HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", body]).encode()


class Server(NamedTuple):
    """A web server that runs: its port, its main process, and the file that its hasher writes to."""

    port: int
    pid: int
    hasher: Path

    def send(self, requests: Sequence[Request]) -> list[int]:
        """The statuses of requests that are sent at once, each on a connection that was opened before."""
        with ExitStack() as stack:
            connections = [stack.enter_context(create_connection((HOST, self.port), 60)) for _ in requests]
            for connection, request in zip(connections, map(bytes, requests), strict=True):
                connection.sendall(request)
            answers = [stack.enter_context(HTTPResponse(connection)) for connection in connections]
            for answer in answers:
                answer.begin()
                answer.read()
            return [answer.status for answer in answers]

    def runs(self) -> str:
        """A character for each run of the hasher: + for a right password, - for a wrong one."""
        return self.hasher.read_text()


@contextmanager
def serve(
    kind: str, setup: Setup, folder: Path, workers: int, verification: float, seconds: int, decorated: bool = True
) -> Iterator[Server]:
    """Run `workers` processes; `verification` is what the hasher takes, `seconds` how long windows and locks last.
    Without decorators the middleware guards the doors."""
    if find_spec(kind) is None:  # pragma: no cover
        missing(f"{kind} is not installed")
    hasher, port = folder / "hasher", free_port()
    hasher.touch()
    site = {"setup": setup, "hasher": str(hasher), "verification": verification, "seconds": seconds}
    site["decorated"] = decorated
    environment = {"DJANGO_SETTINGS_MODULE": "tests.web.settings", "WEB_SITE": json.dumps(site)}
    command = [part.format(host=HOST, port=port, workers=workers) for part in COMMANDS[kind].split()]
    with subprocess.Popen([sys.executable, "-m", *command], env=os.environ | environment) as process:
        try:
            await_server(port)
            yield Server(port, process.pid, hasher)
        finally:
            process.terminate()
    assert process.returncode == 0

"""A site with two doors, in process: the bare view as if nothing were installed, and the same view guarded.

Each lives in a process of its own, since what guards a site hooks into Django once and for all. What the bare door is
asked is not touched by those hooks: before each request, outside of the time that is taken, they are put on or off.
"""

import io
import logging
import os
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.bench.guards import GUARDS
from tests.bench.project import BACKEND, MIDDLEWARE, login, login_form, set_up

TOKEN = "a" * 32
ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "testserver",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "testserver",
    "HTTP_USER_AGENT": "bench",
    "HTTP_COOKIE": f"csrftoken={TOKEN}",
    "CONTENT_TYPE": "application/x-www-form-urlencoded",
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
}


class Client(NamedTuple):
    """Who sends a request: nobody else has the address, or the name. `cookies` are what it was given."""

    address: str
    name: str
    cookies: str = ""


clients = (Client(f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", f"user{n}") for n in count(os.getpid() % 200 << 16))


class Door(NamedTuple):
    """What is worn while it is asked: Django's handler with its middleware, and what hooks into django.contrib.auth."""

    handler: Any
    path: str
    backends: list[str]
    load_backend: Any
    receivers: list[list[Any]]


class Site:
    """`guard` is a name among GUARDS; `cache` is CACHES["default"]; `form` is for LoginView in place of a function;
    `backend` verifies."""

    def __init__(self, guard: str, cache: dict[str, Any], form: bool = False, backend: str = BACKEND) -> None:
        from django.contrib import auth
        from django.contrib.auth import signals
        from django.urls import path

        self.auth, self.guard = auth, GUARDS[guard]
        self.signals = [signals.user_login_failed, signals.user_logged_in]
        untouched = auth.load_backend, [list(signal.receivers) for signal in self.signals]
        set_up(self.guard, cache, form, (path("<name>/", self._view),))
        hooked = auth.load_backend, [list(signal.receivers) for signal in self.signals]
        view = login_form() if form else login
        rules = self.guard.rules(view)
        middleware = MIDDLEWARE if form else []
        usual = [backend]
        self.doors = {"bare": self._door("bare", usual, middleware, untouched)}
        for name in ("open", *rules):
            backends = [*self.guard.backends, *usual]
            self.doors[name] = self._door(name, backends, [*middleware, *self.guard.middleware], hooked)
        self.views = {"bare": view, "open": view, **rules}
        self._crowds: dict[str, list[Client]] = {}
        self.clock: Callable[[], int] = time.perf_counter_ns
        for package in [guard.package for guard in GUARDS.values()]:  # what Django itself logs is part of an answer
            logging.getLogger(package).setLevel(logging.CRITICAL)

    def _door(self, name: str, backends: list[str], middleware: list[str], hooks: Any) -> Door:
        from django.conf import settings
        from django.core.handlers.wsgi import WSGIHandler

        settings.MIDDLEWARE = middleware
        return Door(WSGIHandler(), f"/{name}/", backends, *hooks)

    def _view(self, request: Any, name: str) -> Any:
        return self.views[name](request)

    def wear(self, door: Door) -> None:
        from django.conf import settings

        self.auth.load_backend = door.load_backend
        for signal, receivers in zip(self.signals, door.receivers, strict=True):
            signal.receivers = receivers
        settings.AUTHENTICATION_BACKENDS = door.backends
        settings.AUTHENTICATION_BACKENDS  # noqa: B018  # the first look is the slow one

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """As a WSGI application, for a real server; the client is who the headers say."""
        door = self.doors[environ["PATH_INFO"].strip("/")]
        self.wear(door)
        environ["REMOTE_ADDR"] = environ.get("HTTP_X_BENCH", "127.0.0.1")
        return door.handler(environ, start_response)

    def send(self, door: str, client: Client, password: str = "", accept: str = "*/*") -> tuple[int, int]:
        """A POST if there is a password, else a GET. The status, and how many nanoseconds it took."""
        worn = self.doors[door]
        environ = {**ENVIRON, "PATH_INFO": worn.path, "REMOTE_ADDR": client.address, "HTTP_ACCEPT": accept}
        if client.cookies:
            environ["HTTP_COOKIE"] += f"; {client.cookies}"
        fields = {"username": client.name, "password": password, "csrfmiddlewaretoken": TOKEN}
        body = urlencode(fields).encode() if password else b""
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        if password:
            environ["REQUEST_METHOD"] = "POST"
        self.wear(worn)
        began = self.clock()
        response = worn.handler(environ, _start)
        for _ in response:
            pass
        response.close()
        taken, self.given = self.clock() - began, response.cookies
        return response.status_code, taken

    def known(self, door: str, client: Client) -> Client:
        """With the cookie of one that has signed in."""
        self.send(door, client, "right")
        return client._replace(cookies=self.given.output(attrs=[], header="", sep="; ").strip())

    def crowded(self, door: str, client: Client, failures: int, times: int) -> Client:
        """One with so many failures at another name; the same one so many times."""
        left = self._crowds.get(door) or [client] * times
        if len(left) == times:
            for _ in range(failures):
                self.send(door, client._replace(name="somebody else"), "wrong")
        self._crowds[door] = left[1:]
        return left[0]


def _start(*_: Any) -> None:
    """What a server would do with the status and the headers."""

"""A server whose hasher takes its time; run as a module, with the arguments of `main()` as JSON."""

import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.contrib.auth import aauthenticate, authenticate
from django.core.handlers.asgi import ASGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from lockout_decorators import LockoutPolicy, lockout_protect
from tests.crashing import LOCKOUT, MAX, WINDOW, CountingBackend, Record
from tests.servers import Setup, use

VERIFICATION = 0.2  # seconds
POLICY = LockoutPolicy(key="ip", max=MAX, window=WINDOW, lockout=LOCKOUT, scope="hanging")


@lockout_protect(POLICY)
def patient(request: HttpRequest) -> HttpResponse:
    user = authenticate(request, username="bob", password=request.GET["password"])
    return HttpResponse(status=401 if user is None else 200)


@lockout_protect(POLICY)
async def cancellable(request: HttpRequest) -> HttpResponse:
    try:
        user = await aauthenticate(request, username="bob", password=request.GET["password"])
    except asyncio.CancelledError:
        CountingBackend.verified.append(("bob", "cancelled"))
        raise
    return HttpResponse(status=401 if user is None else 200)


urlpatterns = [path("wsgi/", patient), path("asgi/", cancellable)]


def serve_asgi(port: int) -> None:
    import uvicorn

    django.setup()
    uvicorn.run(ASGIHandler(), port=port, log_level="error", lifespan="off", ws="none")


def serve_wsgi(port: int) -> None:
    with ThreadedWSGIServer(("127.0.0.1", port), WSGIRequestHandler) as server:
        server.set_app(get_wsgi_application())
        server.serve_forever()


def main(kind: str, port: int, record: str, setup: Any) -> None:
    """Serve until interrupted, also where whoever began all this ignores that, as shells do in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.ROOT_URLCONF = "tests.hanging"
    CountingBackend.verified, CountingBackend.delay = Record(Path(record)), VERIFICATION
    with use(Setup(*setup)), suppress(KeyboardInterrupt):
        {"asgi": serve_asgi, "wsgi": serve_wsgi}[kind](port)


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))

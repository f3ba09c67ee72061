"""The middleware: guesses of the whole site, whoever makes them, under one policy."""

import asyncio
import threading
from contextlib import suppress

import pytest
from django.core.handlers.asgi import ASGIHandler

from lockout_decorators import LockedOut
from lockout_decorators.policy import site_policies
from tests.sizes import IN_FULL
from tests.whole_site import views
from tests.whole_site.middlewares import OURS, PLACES, QUIETLY, door, within
from tests.whole_site.views import OWN, slow

BOTH = [(place, server) for place in PLACES for server in ("wsgi", "asgi")]


@pytest.mark.parametrize(("place", "guess"), BOTH if IN_FULL else [*BOTH[::4], *BOTH[3::4]], indirect=["guess"])
def test_every_guess_of_the_site_counts(place, guess, verified, settings, caplog):
    """Wherever it is made three are verified, then not even the right one; the client gets the refusal."""
    middlewares, url = PLACES[place]
    within(settings, *middlewares)
    more = {"X-Handled": "yes"} if place == "handler500" else {}
    for _ in range(3):
        guess(url, **more)
    assert (3, {("bob", "wrong")}) == (len(verified), {*verified})
    caplog.clear()
    status, page = guess(url, "right", Accept="text/plain, application/json", **more)
    assert (429, 3) == (status, len(verified))
    assert b"Too many failed attempts" in page and b"welcome" not in page
    assert 540 < int(guess.response["Retry-After"]) <= 600
    assert "no-store" == guess.response["Cache-Control"]
    if place in QUIETLY:
        assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@pytest.mark.parametrize("guess", ["wsgi", "asgi"], indirect=True)
@pytest.mark.parametrize("name", ["streamed", "streamed_apart"])
def test_stream_ends_with_a_refusal(name, guess, verified):
    """Its head is sent by then."""
    assert [(200, b"checking...\nwrong")] * 3 == [guess(name) for _ in range(3)]
    status, page = guess(name, "right")
    assert (200, False, 3) == (status, b"welcome" in page, len(verified))


@pytest.mark.parametrize("place", ["plain", "apart", "rendered", "api", "an async middleware", "process_view"])
def test_cache_is_down(place, guess, verified, settings):
    """No guess passes, and who guesses nothing sees nothing of it."""
    settings.LOCKOUT_CACHE = "away"
    middlewares, url = PLACES[place]
    within(settings, *middlewares)
    assert (503, []) == (guess(url, "right")[0], verified)
    settings.MIDDLEWARE = [OURS]
    assert (200, b"to see here") == guess("nothing")


def test_error_handler_that_fails(guess, settings, rf, verified, monkeypatch):
    """Django asks it once more, outside of any middleware: that is watched too."""
    monkeypatch.setattr(views, "handler500", views.failing_handler)
    settings.MIDDLEWARE, settings.LOCKOUT_SITE = [OURS], {**settings.LOCKOUT_SITE, "calls": 1}
    for _ in range(8):
        with suppress(ZeroDivisionError, LockedOut):
            guess("broken")
    assert (3, 429) == (len(verified), guess("plain", "right")[0])
    assert site_policies()[0].status(rf.get("/")).locked


def test_exceptions_may_be_propagated(guess, verified, settings):
    """Ours are answered all the same."""
    settings.DEBUG_PROPAGATE_EXCEPTIONS = True
    within(settings, door)
    assert ([200] * 3 + [429], 3) == ([guess("nothing")[0] for _ in range(4)], len(verified))


async def hang_up(name):
    """Once the view has begun, and before it guesses."""
    slow.entered = threading.Event()
    scope = {"type": "http", "method": "GET", "path": f"/{name}/", "query_string": b"", "client": ("192.0.2.1", 1)}
    received = [{"type": "http.disconnect"}, {"type": "http.request"}]

    async def receive():
        if len(received) == 1:
            await asyncio.to_thread(slow.entered.wait)
        return received.pop()

    async def send(message): ...

    await ASGIHandler()({**scope, "headers": [(b"x-password", b"wrong")]}, receive, send)


@pytest.mark.parametrize(("name", "most"), [("slow", 3), ("decorated", 5)])
async def test_client_hangs_up(name, most, verified):
    """Under ASGI synchronous code goes on without it, in Django's thread: it is watched until it ends."""
    for _ in range(most + 1):
        await hang_up(name)
    policy = OWN if name == "decorated" else site_policies()[0]
    status = await policy.astatus({"type": "http", "headers": [], "client": ("192.0.2.1", 1)})
    assert (most, most, True) == (len(verified), status.failures, status.locked)


def test_hundreds_of_guesses_in_one_request(guess, verified):
    """Each takes a slot; past the last none is verified."""
    assert ((200, b"297"), 429) == (guess("listed"), guess("plain", "right")[0])
    assert 3 == len(verified)


def test_failures_that_are_signalled(guess, verified):
    """As by views that verify by themselves."""
    for _ in range(3):
        guess("told")
    assert ((429, []), 200) == ((guess("plain", "right")[0], verified), guess("told")[0])


def test_views_share_one_count(guess, verified):
    """That of the site; a success is a success, and forgives its own."""
    assert [(200, b"wrong"), (200, b"welcome")] == [guess("plain"), guess("apart", "right")]
    assert (200, b'"welcome"') == guess("api", "right")
    [guess(name) for name in ("plain", "apart", "api")]
    assert [429, 429, 429] == [guess(name, "right")[0] for name in ("plain", "api", "rendered")]
    assert 6 == len(verified)

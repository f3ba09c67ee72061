"""The recipes with a challenge before the lock: work for the browser, and a service that is asked."""

import json
import re
from contextlib import contextmanager
from hashlib import sha256
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

import pytest
from django.core import signing

from tests.recipes import proof_of_work
from tests.recipes.turnstile import FIELD

FREE, MAX = 3, 10


def guess(visitor, password="wrong", **solution):
    return visitor.post("/login/", {"username": "bob", "password": password, **solution})


# Work


def shown(page):
    """The puzzle on a page, and how hard it is."""
    found = re.search(r'data-puzzle="([^"]+)" data-bits="(\d+)"', page.text)
    return found and (unescape(found[1]), int(found[2]))


def work(puzzle, bits):
    """What the script does."""
    number = 0
    while int.from_bytes(sha256(f"{puzzle} {number}".encode()).digest()[:4]) >> (32 - bits):
        number += 1
    return {"work": f"{puzzle} {number}"}


@pytest.mark.urls("tests.recipes.proof_of_work")
def test_work(visitor, bob, verified):
    """Three guesses are free, seven cost work, then the right one is refused; somebody elsewhere has to do none."""
    guesser = visitor()
    pages = [guess(guesser) for _ in range(FREE)]
    assert [None] * FREE == [shown(page) for page in pages]
    for _ in range(MAX - FREE):
        page = guess(guesser, "right")
        assert (200, len(pages)) == (page.status_code, len(verified))
        pages.append(guess(guesser, **work(*shown(page))))
    assert [200] * MAX == [page.status_code for page in pages]
    assert ["wrong"] * MAX == verified
    assert 429 == guess(guesser, "right").status_code
    assert 302 == guess(visitor("192.0.2.2"), "right").status_code


@pytest.mark.urls("tests.recipes.proof_of_work")
def test_work_signs_in(visitor, bob, verified):
    """The owner, who has forgotten the password for a while."""
    owner = visitor()
    for _ in range(FREE):
        guess(owner)
    page = guess(owner, "right")
    assert shown(page) and "Please sign in once more" in page.text
    assert 302 == guess(owner, "right", **work(*shown(page))).status_code


@pytest.mark.urls("tests.recipes.proof_of_work")
def test_no_work(visitor, bob, verified, time_machine):
    """What was used, forged, not worked out or is too old is shown a new puzzle, and verifies nothing."""
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    guesser = visitor()
    used = work(*shown([guess(guesser) for _ in range(FREE + 1)][-1]))
    guess(guesser, **used)
    puzzle, bits = shown(guess(guesser))
    forged = signing.TimestampSigner(salt="another").sign("puzzle")
    lazy = next(n for n in range(9) if f"{puzzle} {n}" != work(puzzle, bits)["work"])
    for wrong in (used, work(forged, bits), {"work": f"{puzzle} {lazy}"}, {"work": "\ud7ff\0"}, {}):
        assert shown(guess(guesser, "right", **wrong)) not in (None, (puzzle, bits))
    time_machine.shift(proof_of_work.LIFE + 1)
    for _ in range(FREE):
        guess(guesser)  # the window has ended meanwhile
    assert shown(guess(guesser, "right", **work(puzzle, bits)))
    assert ["wrong"] * (2 * FREE + 1) == verified


# A service


class Service(BaseHTTPRequestHandler):
    """Stands in for Turnstile: each token that a visitor has earned is good once."""

    earned, asked, body = set(), [], None

    def do_POST(self):
        said = {
            name: values[0]
            for name, values in parse_qs(self.rfile.read(int(self.headers["content-length"])).decode()).items()
        }
        self.asked.append(said)
        good = said["secret"] == "the site's" and said["response"] in self.earned
        self.earned.discard(said["response"])
        body = self.body or json.dumps({"success": good, "error-codes": [] if good else ["timeout-or-duplicate"]})
        self.send_response(500 if body == "down" else 200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def service(settings):
    @contextmanager
    def serving():
        server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/siteverify"
        server.shutdown()
        server.server_close()

    Service.earned, Service.asked, Service.body = {f"token {n}" for n in range(20)}, [], None
    with serving() as url:
        settings.TURNSTILE_VERIFY, settings.TURNSTILE_SECRET = url, "the site's"
        settings.TURNSTILE_KEY, settings.TURNSTILE_SCRIPT = "key", "https://challenges.example/api.js"
        yield Service


@pytest.mark.urls("tests.recipes.turnstile")
def test_service(visitor, bob, verified, service):
    """Three guesses are free and ask nobody, seven cost a token each, then the right one is refused."""
    guesser = visitor()
    pages = [guess(guesser, **{FIELD: "made up"}) for _ in range(FREE)]
    assert (0, FREE) == (len(service.asked), len(verified))
    assert [False] * FREE == ["data-sitekey" in page.text for page in pages]
    assert "data-sitekey" in guess(guesser, "right").text
    for n in range(MAX):
        guess(guesser, **{FIELD: f"token {n}"})
    assert "token 0" == service.asked[0]["response"]
    assert (MAX - FREE, MAX) == (len(service.asked), len(verified))
    assert 429 == guess(guesser, "right", **{FIELD: "token 15"}).status_code
    assert 302 == guess(visitor("192.0.2.2"), "right").status_code


@pytest.mark.urls("tests.recipes.turnstile")
@pytest.mark.parametrize("body", [None, "down", "{}", '{"success": "no"}', "[]", "<html>"])
def test_service_says_no(body, visitor, bob, verified, service, caplog):
    """What is used, made up, or cannot be verified shows the challenge anew; the right password is not verified."""
    guesser = visitor()
    for _ in range(FREE):
        guess(guesser)
    if body is None:
        guess(guesser, **{FIELD: "token 1"})
    service.body, known = body, len(verified)
    for token in ("token 1", "made up", ""):
        page = guess(guesser, "right", **{FIELD: token})
        assert (200, True) == (page.status_code, "data-sitekey" in page.text)
    assert known == len(verified)
    broken = [one for one in caplog.messages if one.startswith("the challenge broke down")]
    assert len(broken) == (2 if body in ("down", "{}", "[]", "<html>") else 0)

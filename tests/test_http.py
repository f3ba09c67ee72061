"""Many guesses at once over HTTP, at real web servers of several processes: the oracle is how often the hasher ran."""

from collections import Counter

import pytest

from tests.sizes import IN_FULL
from tests.web.servers import Request, serve

ROUNDS = 10 if IN_FULL else 1
MAX = 5
CROWD = 200 if IN_FULL else 50  # guesses at once
LATER = {"gunicorn": CROWD, "uvicorn": 50}  # the same after the first round: uvicorn needs a thread for each, and time
WORKERS = {"gunicorn": 4 if IN_FULL else 2, "uvicorn": 2}
DOORS = {"gunicorn": "form", "uvicorn": "json"}  # a synchronous view, and a coroutine
ANSWERS = {"form": (302, 200), "json": (200, 401), "token": (200, 401)}  # what right and wrong passwords get
EVERYWHERE = [(kind, name) for name in ("valkey", "memcached", "postgresql", "sqlite", "files") for kind in WORKERS]
SITES = EVERYWHERE if IN_FULL else [("gunicorn", "valkey")]  # the other one serves the whole site

pytestmark = pytest.mark.servers


class Door:
    """Guesses at one door of a web server."""

    def __init__(self, kind, server, name):
        self.kind, self.server, self.name = kind, server, name
        self.right, self.wrong = ANSWERS[name]

    def guess(self, address, *passwords):
        return [Request(self.name, address, f"user{n}", password) for n, password in enumerate(passwords)]

    def send(self, guesses):
        """How often right and wrong passwords were verified, and how often each status was answered."""
        before = self.server.runs()
        statuses = Counter(self.server.send(guesses))
        return Counter(self.server.runs().removeprefix(before)), statuses

    def locked(self, address):
        """Whether the right password is refused, unverified."""
        return self.send(self.guess(address, "right")) == ({}, {429: 1})


def started(kind, store, folder, setup, **more):
    """A web server on a store."""
    own = setup._replace(cache={**setup.cache, "KEY_PREFIX": f"{kind}-{store}"})
    return serve(kind, own, folder, WORKERS[kind], verification=0.05, seconds=600, **more)


@pytest.mark.parametrize(("kind", "store"), SITES)
def test_burst(kind, store, set_up, tmp_path):
    """Of many wrong guesses at once exactly five are verified, then the right one is refused; a neighbour signs in."""
    with started(kind, store, tmp_path, set_up(store)) as server:
        door = Door(kind, server, DOORS[kind])
        for number, crowd in enumerate([CROWD] + [LATER[kind]] * (ROUNDS - 1)):
            client, neighbour = f"10.0.{number}.1", f"10.0.{number}.2"
            verified, statuses = door.send(door.guess(client, *["wrong"] * crowd) + door.guess(neighbour, "right"))
            assert ({"-": MAX, "+": 1}, {door.right: 1, door.wrong: MAX, 429: crowd - MAX}) == (verified, statuses)
            assert door.locked(client)


@pytest.mark.parametrize("kind", WORKERS if IN_FULL else ["uvicorn"])
def test_burst_at_the_whole_site(kind, set_up, tmp_path):
    """Without a decorator: exactly five of all that is sent at once to three doors, from several processes."""
    with started(kind, "valkey", tmp_path, set_up("valkey"), decorated=False) as server:
        doors = [Door(kind, server, name) for name in ANSWERS]
        crowd = [guess for door in doors for guess in door.guess("10.3.0.1", *["wrong"] * (LATER[kind] // 3))]
        verified, statuses = doors[0].send([*crowd, *doors[0].guess("10.3.0.2", "right")])
        assert ({"-": MAX, "+": 1}, len(crowd) - MAX) == (verified, statuses[429])
        assert all(door.locked("10.3.0.1") for door in doors)

"""What the pages say of gevent: bursts over HTTP at its workers, whose requests are greenlets of one thread."""

import pytest

from tests.test_http import ANSWERS, MAX, Door
from tests.web.servers import serve

CROWD, HONEST = 100, 40
SITES = [("valkey", 2), ("locmem", 1), ("files", 2), ("sqlite", 2)]  # the last ones lock what is no greenlet's own

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module", params=SITES, ids=lambda site: site[0])
def server(request, set_up, tmp_path_factory):
    store, workers = request.param
    folder, setup = tmp_path_factory.mktemp(store), set_up(store)
    own = setup._replace(cache={**setup.cache, "KEY_PREFIX": "gevent"})
    with serve("gevent", own, folder, workers, verification=0.05, seconds=600) as server:
        yield server


@pytest.mark.parametrize("name", ["form", "token"])
def test_burst(server, name):
    """Of a hundred wrong guesses at once exactly five are verified, then the right one is refused; a neighbour signs
    in."""
    door, wrong = Door("gevent", server, name), ["wrong"] * CROWD
    verified, statuses = door.send(door.guess("10.0.0.1", *wrong) + door.guess("10.0.0.2", "right"))
    assert ({"-": MAX, "+": 1}, {door.right: 1, door.wrong: MAX, 429: CROWD - MAX}) == (verified, statuses)
    assert door.locked("10.0.0.1")


@pytest.mark.parametrize("name", ["form", "token"])
def test_honest_burst(server, name):
    """Forty right passwords at once from one address all sign in: who waits for a slot stops no other greenlet."""
    door = Door("gevent", server, name)
    assert ({"+": HONEST}, {ANSWERS[name][0]: HONEST}) == door.send(door.guess("10.1.0.1", *["right"] * HONEST))
    for _ in range(MAX):
        assert ({"-": 1}, {door.wrong: 1}) == door.send(door.guess("10.1.0.1", "wrong"))
    assert door.locked("10.1.0.1")

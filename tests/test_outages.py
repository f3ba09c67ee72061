"""Stores that fail, for real: no guess passes unseen, no good login is lost, nobody waits long, counting goes on."""

import logging
import shutil
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from threading import Event

import psutil
import pytest
from django.contrib.auth import authenticate
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.http import HttpResponse
from django.test import RequestFactory

from lockout_decorators import lockout_protect
from lockout_decorators.signals import store_failed
from tests.backends import CountingBackend
from tests.guessers import Job, login_view, play
from tests.outages import LOCAL, SERVED, TIMEOUT, session
from tests.processes import all_hang_up
from tests.servers import database, hang_up, stores, use
from tests.sizes import IN_FULL

OUTAGES = SERVED | LOCAL

# At home what another one is like waits for CI; a test that would take long has one of each kind.
ALIKE = {"Memcached frozen, exceptions ignored", "PostgreSQL not writing", "SQLite locked"}
MOST = [name for name in OUTAGES if IN_FULL or name not in ALIKE]
FEW = ["Valkey full", "Memcached killed", "PostgreSQL gone", "SQLite not writing", "files full"]
MANY = OUTAGES if IN_FULL else FEW
MAX = 3
THREADS = 4
ROUNDS = 8 if IN_FULL else 3
MARGIN = 0.65  # seconds that a busy machine adds: less than CI's TIMEOUT, so that nobody waits twice

protect = lockout_protect(key="ip", max=MAX, window=300, lockout=600, scope="outages", patience=0)
REFUSED, PASSED = ["ERROR", False], ["ERROR", True]  # told of one request


def outages(*names):
    return pytest.mark.parametrize(
        "outage", [pytest.param(name, marks=[pytest.mark.servers] * (name in SERVED)) for name in names], indirect=True
    )


@protect
def login(request):
    user = authenticate(request, username="bob", password=request.POST["password"])
    return HttpResponse(status=401 if user is None else 200)


class Failing(CountingBackend):
    """Its store fails while it verifies."""

    begin = None

    def authenticate(self, request, username=None, password=None):
        Failing.begin()
        return super().authenticate(request, username, password)


@pytest.fixture
def outage(request, tmp_path, set_up, django_db_blocker):
    """A store that works until its trouble begins; whatever happens, that ends with the test."""
    with (
        django_db_blocker.unblock(),
        OUTAGES[request.param](tmp_path, set_up) as outage,
        use(outage.setup),
        ExitStack() as trouble,
    ):

        def begin():
            trouble.callback(outage.end)
            outage.begin()

        cache.clear()
        yield outage._replace(begin=begin, end=trouble.close)


@pytest.fixture
def told():
    """What is logged as an error, and signalled, of outages."""
    told, handler = [], logging.Handler(logging.ERROR)
    handler.emit = lambda record: told.append(record.levelname)

    def receive(sender, detail, **kwargs):
        told.append(detail.fail_open)

    logging.getLogger("lockout_decorators").addHandler(handler)
    store_failed.connect(receive)
    yield told
    store_failed.disconnect(receive)
    logging.getLogger("lockout_decorators").removeHandler(handler)


def guess(password, address="10.0.0.1", within=TIMEOUT):
    """A request as a server makes it: what the last one left open and broken is closed."""
    request_started.send(sender=None)
    began = time.monotonic()
    try:
        response = login(RequestFactory().post("/", {"password": password}, REMOTE_ADDR=address))
    finally:
        request_finished.send(sender=None)
    response.seconds = time.monotonic() - began
    assert response.seconds < within + 4 * MARGIN
    return response


def statuses(password, times, **more):
    return [guess(password, **more).status_code for _ in range(times)]


def recover(outage):
    """End the trouble, and wait until the client of the store has seen that it did."""
    outage.end()
    deadline = time.monotonic() + 10
    while not works():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def works():
    request_started.send(sender=None)
    try:
        cache.set("works", "yes")
        return cache.get("works") == "yes"
    except Exception:
        return False
    finally:
        request_finished.send(sender=None)


def count_on(left, verified):
    """Exactly `left` more guesses are verified; then the right password is refused as well."""
    before = len(verified)
    assert [401] * left + [429] == statuses("wrong", left + 1)
    assert [429] == statuses("right", 1)
    assert left == len(verified) - before


@outages(*MOST)
def test_closed(outage, told, verified):
    """No guess is verified: 503 and when to come back, told once per request. Then counting goes on where it was."""
    assert [401] == statuses("wrong", 1)
    outage.begin()
    responses = [guess("wrong"), guess("right")]
    recover(outage)
    assert min(response.seconds for response in responses) < TIMEOUT + MARGIN
    assert [(503, "30")] * 2 == [(response.status_code, response["Retry-After"]) for response in responses]
    assert 1 == len(verified)
    assert REFUSED * 2 == told
    count_on(MAX - outage.keeps, verified)


@outages(*MANY)
def test_open(outage, told, verified, settings):
    """With LOCKOUT_FAIL_OPEN guesses pass and are verified, told just as loudly. Then counting goes on."""
    settings.LOCKOUT_FAIL_OPEN = True
    assert [401] == statuses("wrong", 1)
    outage.begin()
    passed = statuses("wrong", 1) + statuses("right", 1)
    recover(outage)
    assert [401, 200] == passed
    assert 3 == len(verified)
    assert PASSED * 2 == told
    count_on(MAX - outage.keeps, verified)


@pytest.fixture
def failing(outage, settings):
    """The trouble begins within `authenticate()`: after the claim, before the verdict."""
    settings.AUTHENTICATION_BACKENDS = ["tests.test_outages.Failing"]
    Failing.begin = staticmethod(outage.begin)
    return "tests.backends.CountingBackend"


@outages(*[name for name in MANY if name != "SQLite gone"])  # an open connection doesn't notice
def test_between_claim_and_verdict(outage, failing, told, settings, verified):
    """A good login signs in though its slot can't be given back; a bad one whose mark is lost keeps its slot taken."""
    assert [200] == statuses("right", 1, address="10.0.0.2")
    recover(outage)
    assert REFUSED * (not outage.deletes) == told
    told.clear()
    assert [401] == statuses("wrong", 1)
    recover(outage)
    assert REFUSED == told
    settings.AUTHENTICATION_BACKENDS = [failing]
    count_on(MAX - outage.keeps, verified)
    assert MAX - 1 <= statuses("wrong", MAX + 1, address="10.0.0.2").count(401) <= MAX


@contextmanager
def under_fire():
    """Threads that guess, each time as another client, until the block ends; then the statuses they have got."""

    def guess_on(thread):
        try:
            number = 0
            while not over.is_set():
                number += 1
                seen[guess("wrong", f"10.1{thread}.{number // 250}.{number % 250}").status_code] += 1
        finally:
            hang_up()

    over, seen = Event(), Counter()
    with ThreadPoolExecutor(THREADS) as pool:
        done = [pool.submit(guess_on, thread) for thread in range(THREADS)]
        try:
            yield seen
        finally:
            over.set()
    for future in done:
        future.result()


def await_more(seen, status):
    """Until many more have got `status`."""
    enough, deadline = seen[status] + 5 * THREADS, time.monotonic() + 10
    while seen[status] < enough:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@outages("Valkey killed", "Memcached killed", "PostgreSQL gone")
def test_while_requests_run(outage, told, verified):
    """Who guesses while the store dies and comes back is verified and counted, or gets 503 and is not; nothing else."""
    with under_fire() as seen:
        await_more(seen, 401)
        outage.begin()
        await_more(seen, 503)
        recover(outage)
        await_more(seen, 401)
    assert {401, 503} == set(seen)
    assert seen[401] == len(verified)
    count_on(MAX, verified)


@pytest.mark.parametrize("store", stores("files"), indirect=True)
def test_files_deleted_under_way(store, verified):
    """A folder that vanishes again and again under the guesses makes some 503 at worst, and counts on thereafter."""
    with under_fire() as seen:
        for _ in range(ROUNDS):
            await_more(seen, 401)
            shutil.rmtree(cache._dir, ignore_errors=True)
    assert {401} <= set(seen) <= {401, 503}
    assert seen[401] == len(verified)
    count_on(MAX, verified)


@pytest.mark.servers
@pytest.mark.parametrize("store", stores("postgresql"), indirect=True)
def test_postgresql_that_answers_nobody(store, set_up, told, verified):
    """Its driver waits no longer for a connection than it is told to."""
    setup = set_up("postgresql")
    with closing(session(setup, "template1")) as other:
        postmaster = psutil.Process(other.info.backend_pid).parent()
    impatient = setup._replace(database={**setup.database, "OPTIONS": {"connect_timeout": 2}})
    hang_up()
    with use(impatient):
        postmaster.suspend()
        try:
            response = guess("right", within=2)
        finally:
            postmaster.resume()
        assert (503, REFUSED, []) == (response.status_code, told, verified)
        count_on(MAX, verified)


def test_marks_on_a_busy_sqlite(tmp_path, django_db_blocker):
    """With Django's own transactions, which read before they write, no mark gets lost: the lock falls."""
    job, busy = Job("10.0.0.1", [("bob", "wrong")] * 16, 0, max=16), {"NAME": str(tmp_path / "busy")}
    with (
        ThreadPoolExecutor(16) as pool,
        django_db_blocker.unblock(),
        use(database("sqlite3", **busy, OPTIONS={"timeout": 20})),
    ):
        assert 16 == play(pool, job).verified
        request = RequestFactory().post("/", REMOTE_ADDR=job.address)
        assert login_view(job).lockout_policies[0].status(request).locked
        all_hang_up(pool)

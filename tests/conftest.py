import gc
import time
from contextlib import ExitStack, suppress
from contextvars import copy_context
from secrets import token_hex
from types import SimpleNamespace

import hypothesis
import pytest
import time_machine
from _pytest import runner
from django.core.cache import cache
from django.core.signals import request_finished
from django.utils import translation

from lockout_decorators import signals
from lockout_decorators.attempts import driver, waiting
from lockout_decorators.journal import entries, tallies
from lockout_decorators.mail.unlock import connected
from lockout_decorators.signals import locked_out
from lockout_decorators.stores import Store
from lockout_decorators.terms import registry
from lockout_decorators.views import naming
from tests import servers
from tests.backends import CountingBackend
from tests.engines import ENGINES
from tests.sizes import IN_FULL

# The same each time: no gate hangs on chance. `pytest --hypothesis-profile=search` tries what nobody has tried yet.
hypothesis.settings.register_profile("sample", max_examples=100 if IN_FULL else 25, derandomize=True)
hypothesis.settings.register_profile("search", max_examples=1000, print_blob=True)
hypothesis.settings.load_profile("sample")


def pytest_ignore_collect(collection_path, config):
    """These need packages, and so a tox environment and settings of their own."""
    return True if collection_path.name in ("graphene", "recipes") and config.getoption("ds") is None else None


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is collected stays until the end; so nobody need look through it for garbage."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Each test has a context of its own: each `CACHES` of a test leaves a variable in it, and asgiref goes through all
    of them at every hop."""
    return copy_context().run(runner.pytest_runtest_protocol, item, nextitem)


@pytest.fixture(autouse=True)
def clean():
    """Every test begins with an empty cache, no registered policy and a hasher that has not run."""
    registered, receivers = dict(registry.registered), request_finished.receivers[:]
    told, mailing = locked_out.receivers[:], connected[:]
    registry.registered.clear()
    naming.derived.clear()
    entries._seen.clear()
    tallies._unwritten.clear()
    cache.clear()
    CountingBackend.verified.clear()
    CountingBackend.delay = 0.0
    yield
    translation.deactivate()  # what a request's Accept-Language left behind
    cache.clear()
    registry.registered.clear()
    registry.registered.update(registered)
    request_finished.receivers[:] = receivers  # a package's import connects a coroutine, which no async stream can have
    request_finished.sender_receivers_cache.clear()
    locked_out.receivers[:], connected[:] = told, mailing


@pytest.fixture
def frozen(time_machine):
    """No time passes."""
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)


@pytest.fixture
def travel(monkeypatch):
    """Moves this host's clock: so many seconds ahead of the true one."""
    clock = time.time
    return lambda seconds: monkeypatch.setattr(time, "time", lambda: clock() + seconds)


@pytest.fixture
def request_(rf):
    """Of a client who may guess."""
    return rf.post("/", REMOTE_ADDR="192.0.2.7", headers={"user-agent": "curl"})


@pytest.fixture(params=["wsgi", "asgi"])
def send(request):
    """Goes through the handler of each server interface."""
    from tests.doors import over_http  # it decorates the admin's login, which the recipes' tests have bare

    return over_http(request.param)


@pytest.fixture
def verified():
    """The (username, password) pairs that the hasher was run for."""
    return CountingBackend.verified


@pytest.fixture
def receivers():
    """How many receivers each signal has gained; in the end it has lost them."""
    told = {name: signal for name, signal in vars(signals).items() if isinstance(signal, signals.Signal)}
    before = {name: [*signal.receivers] for name, signal in told.items()}
    yield {name: lambda name=name: len(told[name].receivers) - len(before[name]) for name in told}
    for name, signal in told.items():
        signal.receivers = before[name]
        signal.sender_receivers_cache.clear()


@pytest.fixture
def slept(monkeypatch):
    """The pauses of those who wait; it takes them no time."""
    pauses = []
    clock = SimpleNamespace(monotonic=lambda: sum(pauses), sleep=pauses.append)
    monkeypatch.setattr(driver, "time", clock)
    monkeypatch.setattr(waiting, "time", clock)
    return pauses


@pytest.fixture
def clock():
    """Of this host: it stands still until the test shifts it."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        yield clock


@pytest.fixture
def trips(monkeypatch):
    """What stores are asked for records: to read, or to swap, and how many."""
    seen, read, swap = [], Store.read, Store.swap
    monkeypatch.setattr(Store, "read", lambda self, keys: (seen.append(("read", len(keys))), read(self, keys))[1])
    monkeypatch.setattr(Store, "swap", lambda self, *what: (seen.append(("swap", len(what[0]))), swap(self, *what))[1])
    return seen


@pytest.fixture(scope="session")
def set_up(tmp_path_factory, django_db_blocker):
    """Gives a store's Setup; what it needs is started when it is first asked for and runs until the end."""
    started = {}

    def start(name):
        if name not in started:
            with django_db_blocker.unblock():
                started[name] = stack.enter_context(ENGINES[name](tmp_path_factory.mktemp(name)))
        return started[name]

    with ExitStack() as stack:
        yield start


@pytest.fixture
def store(request, set_up, django_db_blocker):
    """The name of the store that is the default cache in this test."""
    setup = set_up(request.param)
    own = {**setup.cache, "KEY_PREFIX": token_hex(4)}  # memcached's flush_all spares entries of the same second
    with django_db_blocker.unblock(), servers.use(setup._replace(cache=own)):
        with suppress(NotImplementedError):  # one that is plain has only the methods that it must have
            cache.clear()
        yield request.param

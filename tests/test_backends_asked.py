"""Backends that a view asks by itself, in any way that a call can be written; what an observed backend looks like."""

import inspect
import pickle
from copy import copy, deepcopy
from functools import cache, wraps
from unittest import mock

import pytest
from django.contrib import auth
from django.contrib.auth import authenticate, get_backends, get_user
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.signals import user_login_failed
from django.views.debug import ExceptionReporter

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.attempts.hook import ObservedBackend
from tests.backends import CountingBackend
from tests.guessing import COUNTING, KEYS, SECOND, by_name, login, post, rule, stops
from tests.test_observing import ONLY_ASYNC

SECRET = "s3cr3t-hunter2"


class Loose(CountingBackend):
    """Takes what it is given."""

    def authenticate(self, request, *args, **credentials):
        return super().authenticate(request, *args, **credentials)


class Last(CountingBackend):
    """Has the request at the end."""

    def authenticate(self, username=None, password=None, request=None):
        return super().authenticate(request, username, password)


class Strict(CountingBackend):
    """Takes nothing by position."""

    def authenticate(self, *, request, username, password):
        return super().authenticate(request, username, password)


def with_tenant(method):
    """Shows the signature of what it calls, which takes more."""

    @wraps(method)
    def wrapper(self, request, username=None, password=None):
        return method(self, request, username, password, "acme")

    return wrapper


class Hiding(CountingBackend):
    @with_tenant
    def authenticate(self, request, username, password, tenant):
        return super().authenticate(request, username, password)


def named(*classes):
    return [f"{__name__}.{cls.__name__}" if isinstance(cls, type) else cls for cls in classes]


def positional(backend, request, password):
    return backend.authenticate(request, "bob", password)


def half(backend, request, password):
    return backend.authenticate(request, "bob", password=password)


def keywords(backend, request, password):
    return backend.authenticate(request=request, username="bob", password=password)


KINDS = {"plain": COUNTING, "loose": Loose, "hiding": Hiding, "last": Last, "strict": Strict}
WAYS = [(kind, way) for kind in ("plain", "loose", "hiding") for way in (positional, half, keywords)]
BY_NAME = [(kind, keywords) for kind in KINDS] + [("plain", positional), ("plain", half)]


@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_a_backend_is_watched_however_it_is_asked(kind, way, verified, settings):
    """Its secrets are told apart, by their names or their places; it may be kept from another request. What is shown
    of the status is true at once: nobody signals a failure here."""
    settings.AUTHENTICATION_BACKENDS, seen = named(KINDS[kind]), []
    kept = cache(lambda: get_backends()[0])

    def asks(request):
        user = way(kept(), request, request.POST["password"])
        seen.append(rule().status(request).remaining)
        return user

    view = lockout_protect(rule())(lambda request: login(request, asks))
    assert b"welcome" == view(post("right")).content
    stops(view, verified)
    assert [3, 2, 1, 0] == seen


@pytest.mark.parametrize(("kind", "way"), BY_NAME)
def test_a_name_that_is_given_is_who_is_tried(kind, way, verified, settings):
    """From whichever address, whatever the signature looks like; another account is another client."""
    settings.AUTHENTICATION_BACKENDS = named(KINDS[kind])

    def asks(request):
        (backend,) = get_backends()
        return way(backend, request, request.POST["password"])

    view, addresses = lockout_protect(by_name())(lambda request: login(request, asks)), iter(range(99))
    stops(lambda request: view(post(request.POST["password"], REMOTE_ADDR=f"192.0.2.{next(addresses)}")), verified)
    assert by_name().status(post(), "bob").locked
    with by_name().observe(request := post()):
        assert get_backends()[0].authenticate(request=request, username="eve", password="eves")
    by_name().reset(post(), "bob")
    assert b"welcome" == view(post("right")).content


def test_secrets_of_one_request(verified):
    """Each password is a guess, however many of them a view tries at a time."""
    with rule().observe(request := post()):
        (backend,) = get_backends()
        assert [None] * 3 == [backend.authenticate(request, "bob", f"wrong{n}") for n in range(3)]
        with pytest.raises(LockedOut):
            backend.authenticate(request, "bob", "right")
    assert 3 == len(verified)


def test_one_secret_at_two_names_is_two_calls(verified, settings):
    """Each backend is asked for another account: with one call a guess that makes two of them."""
    settings.AUTHENTICATION_BACKENDS, one = [SECOND, COUNTING], rule(max=2, calls=1)
    with one.observe(request := post()):
        for backend, name in zip(get_backends(), ("bob", "eve"), strict=True):
            assert backend.authenticate(request, username=name, password="wrong") is None
    with pytest.raises(LockedOut):
        one.observe(post()).__enter__()
    assert 2 == len(verified)


def test_a_call_that_no_backend_takes(verified):
    """Fails as it does without a policy."""
    (backend,) = get_backends()
    with pytest.raises(TypeError), rule().observe(request := post()):
        backend.authenticate(request, "bob", "wrong", "and", "more", "and", "more")
    assert [] == verified


class Asking(CountingBackend):
    def authenticate(self, request, username=None, password=None):
        assert rule().status(post()).failures == 0
        return super().authenticate(request, username, password)


def test_status_decides_nothing_while_a_backend_is_being_asked(settings, verified):
    """The second one may know whom the first does not: then the slot is free again."""
    settings.AUTHENTICATION_BACKENDS = [KEYS, *named(Asking)]
    with rule().observe(post()):
        assert authenticate(username="bob", password="right") is not None
    assert 0 == rule().status(post()).failures


# What an observed backend looks like


def test_an_observed_backend_is_the_backend(settings):
    """It keeps its class, its attributes and what it lacks; it is copied and pickled as what it stands for."""
    with rule().observe(request := post()):
        (found,) = get_backends()
        assert isinstance(found, CountingBackend) and isinstance(found, ObservedBackend)
        assert found.get_user(1).username == "bob"
        assert not hasattr(found, "no_such_thing")
        request.session = {}
        assert get_user(request).is_anonymous
        settings.AUTHENTICATION_BACKENDS = [ONLY_ASYNC]
        assert not hasattr(get_backends()[0], "get_user")
    for other in (copy(found), deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert type(other) is CountingBackend


def test_outside_of_a_block_nothing_is_counted(verified):
    """As without the package."""
    assert [None] * 9 == [authenticate(post(), username="bob", password="wrong") for _ in range(9)]
    assert (9, 0) == (len(verified), rule().status(post()).failures)


def test_a_backend_may_be_patched():
    """The proxy hands on what is set."""
    (backend,) = get_backends()
    backend.note = "kept"
    assert "kept" == backend.__wrapped__.note
    with mock.patch.object(backend, "authenticate", return_value="patched"):
        assert "patched" == backend.authenticate(None)
    assert backend.authenticate(None, "bob", "wrong") is None


class TokenOnly(BaseBackend):
    """Takes a token and nothing else; has no use for an instance."""

    @staticmethod
    def authenticate(request, token):  # pragma: no cover
        raise AssertionError("asked with a user name")


def test_a_static_door_keeps_its_signature(settings, verified):
    """Django passes over a backend that can't take the credentials: it is not asked, and the next one is."""
    settings.AUTHENTICATION_BACKENDS = [*named(TokenOnly), COUNTING]
    stops(lockout_protect(rule())(login), verified)


def test_a_door_is_made_once():
    """Django takes it twice: for its signature, and to call. That takes as long as all else, and is found out once."""
    found, other = (ObservedBackend(CountingBackend(), "path") for _ in range(2))
    assert found.authenticate is found.authenticate
    assert found.aauthenticate is found.aauthenticate is not found.authenticate
    assert inspect.signature(found.authenticate) is inspect.signature(other.authenticate)


# What error reports show


class Unsigned:
    """A door whose signature is the project's own, and broken."""

    @property
    def __signature__(self):
        raise ZeroDivisionError

    async def __call__(self, **credentials):  # pragma: no cover
        raise AssertionError("never asked")


class Odd(BaseBackend):
    aauthenticate = Unsigned()


class Name(str):
    """A credential's name that can't be told."""

    __slots__ = ()

    def __repr__(self):
        raise ZeroDivisionError


def shown(caught):
    """The functions that Django's report of an exception has, and those of them that show the secret."""
    frames = ExceptionReporter(None, caught.type, caught.value, caught.tb).get_traceback_frames()
    told = {frame["function"] for frame in frames if any(SECRET in str(value) for _, value in frame["vars"])}
    return {frame["function"] for frame in frames}, told


def test_a_signal_with_secrets_shows_none():
    """Not all senders clean what they send, as Django does: when the project's code raises, only Django shows it."""
    policy = LockoutPolicy(scope="hook", key="ip", username=lambda request, credentials: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught, policy.observe(request := post()):
        user_login_failed.send("project", credentials={"username": "bob", "password": SECRET}, request=request)
    functions, told = shown(caught)
    assert "_failed" in functions
    assert {"send"} == told


async def test_credentials_that_can_not_be_named_are_not_shown():
    """A signature that breaks down is an error of the project's: its report has the call without its secrets."""
    door = ObservedBackend(Odd(), "path").aauthenticate
    with pytest.raises(ZeroDivisionError) as caught:
        async with rule().observe(request := post()):
            await door(request=request, username="bob", password=SECRET)
    functions, told = shown(caught)
    assert {"_seen", "by_name"} <= functions
    assert set() == told


async def test_credentials_that_can_not_be_compared_are_not_shown():
    """Nor is what was compared until then."""
    door = auth.load_backend(COUNTING).aauthenticate
    with pytest.raises(ZeroDivisionError) as caught:
        async with rule().observe(request := post()):
            await door(request, **{"password": SECRET, Name("code"): "123456"})
    functions, told = shown(caught)
    assert "digest" in functions
    assert set() == told

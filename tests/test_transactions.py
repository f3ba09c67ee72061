"""A view that raises, and a transaction that is rolled back, take no failure back."""

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.exceptions import ValidationError

from lockout_decorators import LockedOut, LockoutPolicy, lockout_protect
from lockout_decorators.exceptions import StoreUnavailable
from tests.backends import CountingBackend
from tests.servers import DATABASE, stores


@lockout_protect(key="ip", max=3, scope="rollback")
def raising(request):
    user = authenticate(request, username="bob", password=request.POST["password"])
    CountingBackend.verified.append("kept")
    if user is None:
        raise RuntimeError("rolls back")
    return HttpResponse()


@lockout_protect(key="ip", max=3, scope="rollback in DRF")
@api_view(["POST"])
def invalid(request):
    if authenticate(request, username="bob", password=request.data["password"]) is None:
        raise ValidationError("rolls back")
    return HttpResponse()


judged = lockout_protect(key="ip", max=3, scope="response", failure=401)(lambda request: HttpResponse(status=401))

urlpatterns = [path("raising/", raising), path("invalid/", invalid), path("judged/", judged)]


@pytest.fixture
def atomic_requests():
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = False


@pytest.fixture
def database_cache(settings):
    """In the database of the requests, each of which is no transaction."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "counts"}}
    call_command("createcachetable", verbosity=0)


def guess(url, password, times):
    client = Client(raise_request_exception=False)
    return [client.post(url, {"password": password}).status_code for _ in range(times)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
@pytest.mark.parametrize("configuration", ["atomic_requests", "database_cache"])
@pytest.mark.parametrize(("url", "status"), [("/raising/", 500), ("/invalid/", 400)], ids=["exception", "DRF"])
def test_failures_stay_on_record(request, configuration, url, status):
    """With ATOMIC_REQUESTS and another cache, and with a database cache without ATOMIC_REQUESTS."""
    request.getfixturevalue(configuration)
    assert guess(url, "right", 1) == [200]
    assert guess(url, "wrong", 5) == [status] * 3 + [429] * 2
    assert guess(url, "right", 1) == [429]
    assert CountingBackend.verified.count(("bob", "wrong")) == 3
    assert CountingBackend.verified.count(("bob", "right")) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
@pytest.mark.parametrize("url", ["/raising/", "/invalid/", "/judged/"])
def test_requests_that_would_be_rolled_back(database_cache, atomic_requests, verified, url):
    """ATOMIC_REQUESTS on the cache's own database, which `manage.py check` refuses: no guess passes."""
    assert [503] * 5 == guess(url, "wrong", 4) + guess(url, "right", 1)
    assert [] == verified


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_transaction_of_a_test_case(database_cache, verified):
    """The transaction that Django's TestCase puts around a test is none: what is counted stays as long as the test."""
    assert [500] * 3 + [429] == guess("/raising/", "wrong", 4)
    assert [429] == guess("/raising/", "right", 1)
    assert 3 == verified.count(("bob", "wrong"))


POLICY = LockoutPolicy(key="ip", max=3, scope="transaction", methods=())


def request_of_a_guesser():
    return RequestFactory().post("/", REMOTE_ADDR="10.0.0.1")


def status():
    return POLICY.status(request_of_a_guesser())


def sign_in(password, database=DATABASE):
    """What a view may do inside its block: a transaction that a wrong password rolls back."""
    with transaction.atomic(database):
        if authenticate(username="bob", password=password) is None:
            raise PermissionError("rolls back")


databases = pytest.mark.parametrize("store", stores("sqlite", "postgresql"), indirect=True)


@databases
@pytest.mark.parametrize("password", ["wrong", "right"])
@pytest.mark.parametrize("door", [POLICY.observe, POLICY.attempt])
def test_guess_inside_a_transaction(store, verified, caplog, door, password):
    """Where a rollback would take the failure back no guess passes, and the log says what to change."""
    for _ in range(5):
        with pytest.raises(StoreUnavailable), transaction.atomic(DATABASE), door(request_of_a_guesser()):
            authenticate(username="bob", password=password)
    assert [] == verified
    assert ["ERROR"] * 5 == [record.levelname for record in caplog.records]
    for words in ("transaction.atomic() on 'store'", "verify outside of it", "LOCKOUT_CACHE"):
        assert words in caplog.text


@databases
@pytest.mark.parametrize("fail_open", [False, True])
def test_transaction_inside_a_block(fail_open, store, verified, caplog, settings):
    """The same if the view begins it: the guess counts. LOCKOUT_FAIL_OPEN lets it pass, and the log tells of each."""
    settings.LOCKOUT_FAIL_OPEN = fail_open
    for _ in range(5):
        with pytest.raises(PermissionError if fail_open else StoreUnavailable), POLICY.observe(request_of_a_guesser()):
            sign_in("wrong")
    assert 5 * fail_open == len(verified) == caplog.text.count("go ahead unguarded")


@databases
def test_transaction_inside_an_attempt(store, verified):
    """A guess that was claimed before the transaction began stays on record when it is rolled back."""
    for _ in range(3):
        with pytest.raises(PermissionError), POLICY.attempt(request_of_a_guesser(), "bob"):
            sign_in("wrong")
    assert (3, True) == (len(verified), status().locked)
    with pytest.raises(LockedOut), POLICY.attempt(request_of_a_guesser(), "bob"):
        sign_in("right")  # pragma: no cover
    assert 3 == len(verified)


@databases
def test_transaction_after_the_guess(store, verified):
    """What is rolled back after the verdict takes nothing back."""
    for _ in range(3):
        with POLICY.observe(request_of_a_guesser()):
            assert authenticate(username="bob", password="wrong") is None
            with transaction.atomic(DATABASE):
                transaction.set_rollback(True, DATABASE)
    assert (3, True) == (len(verified), status().locked)


@databases
def test_status_and_reset_inside_a_transaction(store):
    """They are no guesses: both work there, and a reset stands and falls with the transaction."""
    with POLICY.attempt(request_of_a_guesser()):
        pass
    for rollback, failures in [(True, 1), (False, 0)]:
        with transaction.atomic(DATABASE):
            assert 1 == status().failures
            POLICY.reset(request_of_a_guesser())
            assert 0 == status().failures
            transaction.set_rollback(rollback, DATABASE)
        assert failures == status().failures


@pytest.mark.servers
@pytest.mark.parametrize("store", stores("postgresql"), indirect=True)
def test_transaction_on_an_alias_of_its_own(store, verified):
    """A second alias of the same database is a connection of its own: a rollback there takes no failure back."""
    connections.settings["beside"] = connections.settings[DATABASE]
    try:
        for _ in range(3):
            with pytest.raises(PermissionError), POLICY.observe(request_of_a_guesser()):
                sign_in("wrong", "beside")
        with pytest.raises(LockedOut), POLICY.observe(request_of_a_guesser()):
            sign_in("right", "beside")
    finally:
        connections["beside"].close()
        del connections["beside"], connections.settings["beside"]
    assert [("bob", "wrong")] * 3 == verified

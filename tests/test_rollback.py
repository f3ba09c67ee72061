"""A view that raises, and a transaction that is rolled back, take no failure back."""

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.exceptions import ValidationError

from lockout_decorators import lockout_protect
from tests.backends import CountingBackend


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


urlpatterns = [path("raising/", raising), path("invalid/", invalid)]


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

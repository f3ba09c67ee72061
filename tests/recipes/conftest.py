from functools import partial

import pytest
from django.contrib.auth.models import User

from tests.browser import chromium
from tests.recipes.hashers import CountingHasher
from tests.recipes.visitors import Visitor


@pytest.fixture
def verified():
    """The passwords that the hasher was run for."""
    CountingHasher.verified.clear()
    return CountingHasher.verified


@pytest.fixture
def bob(db):
    return User.objects.create_user("bob", "bob@example.org", "right")


@pytest.fixture(params=["wsgi", "asgi"])
def visitor(request):
    """`visitor(address)` is somebody with cookies, who comes over WSGI or ASGI."""
    return partial(Visitor, request.param)


@pytest.fixture(scope="session")
def browser():
    """A Chromium; see tests/browser.py."""
    with chromium() as started:
        yield started

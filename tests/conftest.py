import pytest
from django.core.cache import cache

from lockout_decorators import policy
from tests.backends import CountingBackend


@pytest.fixture(autouse=True)
def clean():
    """Every test begins with an empty cache, no registered policy and a hasher that has not run."""
    registered = dict(policy.registered)
    policy.registered.clear()
    cache.clear()
    CountingBackend.verified.clear()
    CountingBackend.delay = 0.0
    yield
    cache.clear()
    policy.registered.clear()
    policy.registered.update(registered)


@pytest.fixture
def verified():
    """The (username, password) pairs that the hasher was run for."""
    return CountingBackend.verified

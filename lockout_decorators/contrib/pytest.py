"""A plugin for pytest: every test starts with an empty record, and leaves all else in the cache alone.

Enable it in the `conftest.py` at the root: `pytest_plugins = ["lockout_decorators.contrib.pytest"]`; or by
`-p lockout_decorators.contrib.pytest`. It changes a setting in every test, so it never comes by itself.
"""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from django.conf import settings

from .testing import fresh_record


@pytest.fixture(autouse=True)
def lockout_record() -> Iterator[None]:
    """An empty record. Tests that do without Django's settings have none."""
    with fresh_record() if settings.configured else nullcontext():
        yield

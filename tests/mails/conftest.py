"""An owner's account at a site that mails, and what is told of locks there."""

import pytest

from lockout_decorators import mail
from tests.mailing import URL, Told


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def receiver(told):
    """That tells owners."""
    return mail.tells_owner(base_url=URL, deliver=told.append)

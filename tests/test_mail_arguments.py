"""What could not work is said when the receiver is connected, or by a check."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from lockout_decorators import LockoutPolicy, mail
from lockout_decorators.checks import check_lockout
from tests.mailing import ACCOUNT, POLICIES

URL = "https://example.com"


@pytest.mark.parametrize("wrong", ["example.com", "ftp://example.com", "//example.com", "https://"])
def test_wrong_urls(wrong):
    with pytest.raises(ValueError, match="it must be like"):
        mail.tells_owner(base_url=wrong)


@pytest.mark.parametrize(
    ("setting", "policies", "message"),
    [
        ({"LOCKOUT_JOURNAL": None}, (), "no link would find its lock"),
        ({"INSTALLED_APPS": []}, (), "in INSTALLED_APPS"),
        ({}, (POLICIES["computed"],), "give find="),
        ({}, (LockoutPolicy(scope="phone", username="phone", **ACCOUNT),), "give find="),
    ],
    ids=["no journal", "no app", "computed", "phone"],
)
def test_what_could_not_work_is_said_at_once(setting, policies, message, settings):
    for name, value in setting.items():
        setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=message):
        mail.tells_owner(*policies, base_url=URL)


def test_a_site_that_is_nowhere():
    """The Host header is no answer: the guesser has written it."""
    with pytest.raises(ImproperlyConfigured, match="give base_url="):
        mail.tells_owner()


def test_links_that_lead_nowhere_are_an_error(settings):
    """As long as somebody mails them."""
    settings.ROOT_URLCONF = "tests.urls"
    assert "lockout_decorators.E009" not in [message.id for message in check_lockout(None)]
    mail.tells_owner(base_url=URL)
    assert "lockout_decorators.E009" in [message.id for message in check_lockout(None)]
    settings.ROOT_URLCONF = "tests.mailing"
    assert "lockout_decorators.E009" not in [message.id for message in check_lockout(None)]

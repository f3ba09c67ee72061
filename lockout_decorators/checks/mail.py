"""Mailed links, and whether they lead anywhere."""

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error
from django.urls import NoReverseMatch

from ..mail.links import path_of
from ..mail.unlock import connected


def about_mail() -> Iterator[CheckMessage]:
    """Of the receivers that are connected."""
    try:
        if connected:
            path_of("token")
    except NoReverseMatch:
        yield Error(
            "mail.tells_owner() mails links, and no URL leads to their page.",
            hint='Write path("unlock/", include("lockout_decorators.urls")) in the root URLconf.',
            id="lockout_decorators.E009",
        )

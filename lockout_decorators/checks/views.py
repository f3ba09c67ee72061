"""The views of the URLconf: verdicts that would never be seen there."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.urls import get_resolver

from ..doors.urlconf import routes_of
from ..doors.views import policies_around
from ..policy import LockoutPolicy

NO_CHALLENGE = "BaseAuthentication.authenticate_header"  # which answers None, so that DRF has nothing to challenge with


def about_views() -> Iterator[CheckMessage]:
    for cls, policies in _api_views().items():
        if not _challenges(cls):
            for policy in policies:
                if isinstance(policy.failure, frozenset) and 401 in policy.failure and 403 not in policy.failure:
                    yield Warning(
                        f"{policy.scope}: failure=401, but Django REST framework answers a wrong credential at "
                        f"{cls.__module__}.{cls.__qualname__} with 403.",
                        hint="Write failure=(401, 403), or put first an authentication class that names a challenge.",
                        id="lockout_decorators.W010",
                    )


def _api_views() -> dict[type, set[LockoutPolicy]]:
    """The classes of DRF's views, and what they are decorated with."""
    found: dict[type, set[LockoutPolicy]] = {}
    with suppress(Exception):  # Django's own check of the URLconf tells what is wrong with it
        for _, _, view in routes_of(get_resolver().url_patterns):
            cls: Any = getattr(view, "cls", None)
            if hasattr(cls, "authentication_classes"):
                found.setdefault(cls, set()).update(policies_around(view))
    return found


def _challenges(cls: Any) -> bool:
    """Whether DRF answers 401: if the first authentication class says what is missing."""
    first = next(iter(cls.authentication_classes), None)
    return first is not None and getattr(first.authenticate_header, "__qualname__", "") != NO_CHALLENGE

"""Whose account a name means: one that is active, and whose e-mail address is on file."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldError, ValidationError
from django.db import DataError

from ..clients.identities import fold

Find = Callable[[str], Any]

UNFIT = (FieldError, TypeError, ValueError, ValidationError, DataError)  # what no such field could hold
LENGTH = 254  # characters of a name that somebody may have; of an e-mail address


def owner_of(name: str, find: Find | None = None) -> tuple[Any, str]:
    """The account's owner, and the address to write to; None and nothing if there is nobody to write to.

    A name that several might mean, in whatever letters, is nobody's: they share their locks, and the one could lift
    those of the other. A password that is no password is no obstacle: a directory may verify it.
    """
    user = (find or _one)(name)
    if user is None or not getattr(user, "is_active", True):
        return None, ""
    address = getattr(user, user.get_email_field_name(), None)
    return (user, str(address)) if address else (None, "")


def _one(name: str) -> Any:
    found = {user.pk: user for user in _candidates(name)}
    return next(iter(found.values())) if len(found) == 1 else None


def _candidates(name: str) -> Iterator[Any]:
    """By the name as it was sent, perhaps an address; and as it is counted, or the last guess could hide whose account
    it was."""
    model: Any = get_user_model()
    spellings = [text for text in dict.fromkeys((name, fold(name) or "")) if 0 < len(text) <= LENGTH]
    for field in dict.fromkeys((model.USERNAME_FIELD, model.get_email_field_name())):
        for text in spellings:
            with suppress(*UNFIT):
                yield from model._default_manager.filter(**{f"{field}__iexact": text})[:2]

"""The accounts that a name may mean, in whatever letters: they are counted as one."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldError, ValidationError
from django.db import DataError

from .identities import fold, text_of

UNFIT = (FieldError, TypeError, ValueError, ValidationError, DataError)  # what no such field could hold
LENGTH = 254  # characters of a name that somebody may have; of an e-mail address


def accounts_of(name: Any) -> list[Any]:
    """By the name as it was sent, perhaps an e-mail address; and as it is counted. Two at most of each."""
    return list({user.pk: user for user in _found(name)}.values())


def _found(name: Any) -> Iterator[Any]:
    model: Any = get_user_model()
    spellings = [text for text in dict.fromkeys((text_of(name), fold(name) or "")) if 0 < len(text) <= LENGTH]
    for field in dict.fromkeys((model.USERNAME_FIELD, model.get_email_field_name())):
        for text in spellings:
            with suppress(*UNFIT):
                yield from model._default_manager.filter(**{f"{field}__iexact": text})[:2]

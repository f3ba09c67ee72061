"""Whose account a name means: one that is active, and whose e-mail address is on file."""

from collections.abc import Callable
from typing import Any

from ..clients.accounts import accounts_of

Find = Callable[[str], Any]


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
    found = accounts_of(name)
    return found[0] if len(found) == 1 else None

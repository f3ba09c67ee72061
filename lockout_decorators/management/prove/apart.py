"""While a proof goes on, nothing of the site hears of its guesses, and no setting of the site lets them through."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.conf import UserSettingsHolder, settings
from django.dispatch import Signal

from lockout_decorators import signals
from lockout_decorators.exceptions import StoreError

SETTINGS = {"LOCKOUT_ENABLED": True, "LOCKOUT_FAIL_OPEN": False, "LOCKOUT_CLIENT_IP": None}


@contextmanager
def apart() -> Iterator[list[str]]:
    """Gives a list, to which what the cache raises is added."""
    raised: list[str] = []

    def note(detail: signals.StoreDetail, **kwargs: Any) -> None:
        raised.append(said(detail.error))

    own = UserSettingsHolder(vars(settings)["_wrapped"])
    vars(own).update(SETTINGS)
    with ExitStack() as stack:
        stack.enter_context(replaced(settings, "_wrapped", own))
        stack.enter_context(replaced(logging.getLogger("lockout_decorators"), "disabled", True))
        for signal in [one for one in vars(signals).values() if isinstance(one, Signal)]:
            stack.enter_context(replaced(signal, "receivers", []))
        signals.store_failed.connect(note)
        yield raised


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute, as long as this lasts."""
    own = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


def said(error: Exception) -> str:
    """For people to read."""
    return str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}".removesuffix(": ")

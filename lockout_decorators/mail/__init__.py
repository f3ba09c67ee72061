"""Mails about locks: to the owner of an account, with a link that unlocks it, and to the people who run the site.

In a project's URLconf, where `path("unlock/", include("lockout_decorators.urls"))` is:

    mail.tells_owner(base_url="https://example.com")
    mail.tells_admins()
"""

from collections.abc import Sequence
from typing import TypeVar

from ..policy import LockoutPolicy
from ..signals import locked_out
from .admins import AdminMail
from .notice import Deliver, Notice, Receiver
from .owners import Find
from .unlock import UnlockMail

R = TypeVar("R", bound=Receiver)

__all__ = ["AdminMail", "Notice", "UnlockMail", "tells_admins", "tells_owner"]


def tells_owner(
    *policies: LockoutPolicy,
    base_url: str | None = None,
    find: Find | None = None,
    from_email: str | None = None,
    deliver: Deliver | None = None,
) -> UnlockMail:
    """Mail the owner of an account that is locked a link that lifts this lock: once an hour and account, at most.

    Of the locks of `policies`, or of all: those by user name, alone or with other parts; never an address's.

    Args:
        base_url: Where the site is, as "https://example.com"; without it the current site of `django.contrib.sites`.
            The guesser's Host header is never believed.
        find: `(name) -> user`, or None; without it the one user whose user name or e-mail address that is.
        from_email: The sender; without it `DEFAULT_FROM_EMAIL`.
        deliver: `(notice)`, called in the request, has the returned receiver's `send(notice)` called elsewhere; without
            it a thread of the process does.

    Raises ImproperlyConfigured where the links could not work, and ValueError for a wrong `base_url`.
    """
    return _connected(UnlockMail(policies, deliver, base_url, find, from_email))


def tells_admins(
    *policies: LockoutPolicy, to: Sequence[str] = (), limit: int = 10, deliver: Deliver | None = None
) -> AdminMail:
    """Mail the site's `ADMINS`, or whom `to` names, of the locks of `policies`, or of all: once an hour for one client,
    and `limit` times an hour in all, at most. `deliver` is that of tells_owner().
    """
    return _connected(AdminMail(policies, deliver, tuple(to), limit))


def _connected(receiver: R) -> R:
    locked_out.connect(receiver, weak=False)
    return receiver

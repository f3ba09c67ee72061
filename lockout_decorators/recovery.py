"""The owner frees himself: whoever has reset an account's password by mail has proven to be its owner.

In a project's URLconf, for Django's own view, or one made from it:

    recovery.frees_owner(PasswordResetConfirmView)

For a package that sends a signal with `request` and `user`, as allauth's `password_reset`:

    password_reset.connect(recovery.free_owner)
"""

import logging
from functools import cache, wraps
from typing import Any, TypeVar

from .attempts import desk
from .clients.accounts import accounts_of
from .clients.asgi import Requestlike
from .clients.identities import fold
from .exceptions import StoreError
from .journal import quota
from .logs import extra
from .terms.registry import everyone

logger: logging.Logger = logging.getLogger("lockout_decorators")

View = TypeVar("View", bound=type[Any])


def free_owner(sender: Any, request: Requestlike, user: Any, **kwargs: Any) -> None:
    """A receiver: lift the locks that are about the account of `user` alone: under every policy that counts by user
    name that of the account, and of the pair of account and address that `request` came from; under every policy that
    of a known browser that sent it. Never an address's. Where several accounts have that name, in other letters, they
    share their locks, which none of them lifts: only the failures at exactly that name are forgotten. No database finds
    all that are counted as one, as müller and muller; so of one name locks are lifted once an hour.

    A cache that fails is told in the log, and takes nothing from the new password. Nor does a policy that computes the
    user name from another credential, which is passed over.
    """
    name = user.get_username()
    alone = len(accounts_of(name)) <= 1

    @cache
    def lifts(alias: str) -> bool:
        return alone and bool(quota.take([alias], "reset", fold(name) or ""))

    for policy in everyone():
        try:
            desk.free_owner(policy, request, name, "username" in policy.key.parts and lifts(policy.cache))
        except StoreError as error:
            facts = extra("owner_kept_out", scope=policy.scope, alias=error.alias)
            line = "cache %a failed, the owner stays locked out: scope=%a"
            logger.error(line, error.alias, policy.scope, extra=facts)
        except LookupError:
            continue


def frees_owner(view: View) -> View:
    """Have a class-based view free the owner once its form has set a new password: `PasswordResetConfirmView`, or what
    is made from it. Changes it in place, and gives it back. Raises TypeError for anything else.
    """
    form_valid = getattr(view, "form_valid", None)
    if form_valid is None:
        raise TypeError(f"frees_owner: {view!r} is no PasswordResetConfirmView: it has no form_valid().")

    @wraps(form_valid)
    def freeing(self: Any, form: Any) -> Any:
        response = form_valid(self, form)
        free_owner(type(self), self.request, form.user)
        return response

    setattr(view, "form_valid", freeing)  # noqa: B010
    return view

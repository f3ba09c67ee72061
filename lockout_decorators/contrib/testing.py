"""For the tests of a project: an empty record for each of them, and clients that are locked out. Needs no package;
`contrib.pytest` and `contrib.unittest` give each test its own record."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory, override_settings
from django.urls import resolve
from django.utils.functional import SimpleLazyObject

from ..attempts.challenges import ANSWERS, Answers
from ..attempts.waiting import hop
from ..conf import conf
from ..decorators import policies_of
from ..doors.views import doors_at
from ..exceptions import LockedOut, LockoutStatus
from ..policy import LockoutPolicy, site_policies
from ..terms.terms import Terms

Target = str | LockoutPolicy | Sequence[LockoutPolicy] | Callable[..., Any]
Who = Client | AsyncClient | HttpRequest


def fresh_record() -> override_settings:
    """For `with`, or as a decorator: inside, nothing stands on record, whatever the cache holds.

    All keys begin with a random `LOCKOUT_CACHE_PREFIX`. So nothing is cleared, and parallel test processes may share a
    cache. What was counted inside ends by itself.
    """
    return override_settings(LOCKOUT_CACHE_PREFIX=f"test-{token_hex(8)}")


def lock_out(target: Target, who: Who, username: Any = None, **extra: Any) -> LockoutStatus:
    """Count wrong guesses of a client until its next one is refused; returns the status that it meets then.

    `target` is a view, the path of one, as "/login/", a policy or several. `who` is Django's test client, with its
    address, headers, session and user, or a request. `username` is who is tried; a key with `username` needs it.
    `extra` says how the client's request differs from its defaults, as in `client.post()`: `REMOTE_ADDR="192.0.2.1"`.

    Raises ValueError without a name that is needed, and where no policy is found. Raises AssertionError where the
    client is not refused after all: it is exempt, its browser is known, no policy is enforced, or `LOCKOUT_ENABLED` is
    off.
    """
    request = who if isinstance(who, HttpRequest) else _request(who, target if isinstance(target, str) else "/", extra)
    vars(request)[ANSWERS] = _Solved()
    met = [_guess_at(policy, request, username) for policy in _policies(target) if policy.enforce]
    if not any(map(_refuses, met)):
        raise AssertionError(
            f"lock_out: {target!r} does not refuse this client: it is exempt, its browser is known, no policy is "
            "enforced, or LOCKOUT_ENABLED is off."
        )
    return max(filter(_refuses, met), key=lambda status: status.retry_after or math.inf)


async def alock_out(target: Target, who: Who, username: Any = None, **extra: Any) -> LockoutStatus:
    """See lock_out()."""
    return await hop(lambda: lock_out(target, who, username, **extra))


class _Solved(Answers):
    """Whatever a policy asks for, the request has solved it: or its last slots would never be taken."""

    def of(self, terms: Terms, request: HttpRequest) -> bool:
        return True


def _policies(target: Any) -> Sequence[LockoutPolicy]:
    """Raises ValueError where there are none, and Resolver404."""
    if isinstance(target, LockoutPolicy):
        return [target]
    if isinstance(target, list | tuple):
        return target
    view = resolve(target).func if isinstance(target, str) else target
    with suppress(TypeError):
        return policies_of(view)
    inside = [policy for door in doors_at("", view, frozenset()) for policy in door.policies]
    found = list(dict.fromkeys(inside)) or (site_policies() if conf.watches_site else ())
    if not found:
        raise ValueError(f"lock_out: no policy guards {target!r}; name a decorated view, or the policy.")
    return found


def _request(client: Client | AsyncClient, path: str, extra: dict[str, Any]) -> HttpRequest:
    """What the client would send next; its session and user are looked up if a key asks for them."""
    factory = AsyncRequestFactory() if isinstance(client, AsyncClient) else RequestFactory()
    factory.cookies, factory.defaults = client.cookies, client.defaults
    request = factory.generic("POST", path, **extra)
    if settings.SESSION_COOKIE_NAME in client.cookies:
        session, user = SimpleLazyObject(lambda: client.session), SimpleLazyObject(lambda: get_user(request))
        vars(request).update(session=session, user=user)
    return request


def _guess_at(policy: LockoutPolicy, request: HttpRequest, username: Any) -> LockoutStatus:
    """The status is looked at before each guess: of those before, one may have been enough."""
    status = policy.status(request, username)
    for _ in range(policy.max):
        if not _refuses(status):
            with suppress(LockedOut), policy.attempt(request, username):
                pass
            status = policy.status(request, username)
    return status


def _refuses(status: LockoutStatus) -> bool:
    return status.locked or status.retry_after is not None

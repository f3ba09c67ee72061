"""Made-up clients: each has a scope of its own, so that nothing of the site is touched."""

from functools import lru_cache
from typing import NamedTuple

from django.http import HttpRequest

from lockout_decorators.policy import LockoutPolicy
from lockout_decorators.terms.registry import registered

MAX = 5
ADDRESS = "192.0.2.1"  # of nobody


class Stranger(NamedTuple):
    """One client under one policy.

    Attributes:
        scope: Of the policy; random.
        cache: The alias that is proven.
        keys: How many keys it makes up, in turn; a `ceiling` counts them all together.
    """

    scope: str
    cache: str
    window: float = 60
    lockout: float = 60
    patience: float = 2
    ceiling: int | None = None
    keys: int = 1

    @property
    def policy(self) -> LockoutPolicy:
        return _policy(self)

    def request(self, turn: int = 0) -> HttpRequest:
        request = HttpRequest()
        request.META = {"REMOTE_ADDR": ADDRESS, "HTTP_X_PROVE": f"{self.scope} {turn % self.keys}"}
        return request

    @property
    def requests(self) -> list[HttpRequest]:
        """One with each of its keys."""
        return [self.request(turn) for turn in range(self.keys)]


@lru_cache
def _policy(stranger: Stranger) -> LockoutPolicy:
    terms = stranger._asdict()
    del terms["keys"]
    policy = LockoutPolicy(key="header:X-Prove", max=MAX, **terms)
    registered.pop(stranger.scope, None)  # it is none of the site's
    return policy

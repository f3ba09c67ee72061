"""The terms of a policy: a plain frozen value, below everything that acts on it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import timedelta
from inspect import getattr_static
from operator import attrgetter
from typing import Any, Self

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from ..callables import plainly
from ..clients.addresses import lies_in
from ..clients.credentials import presents
from ..clients.keys import Key, KeyFunction
from ..conf import conf
from . import allowed
from .arguments import UNSET, Argument, Duration, Exempt, Failure, Lockout, Response, Username
from .plan import SLOTS, Kind, Lengths, Plan, lost_spread, planned
from .registry import register

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
IP, IP_UA = Key.parse("ip"), Key.parse("ip+ua")
CEILING = 5  # times `max`, for keys that a client can change
_counted = attrgetter("scope", "key", "rolling", "max", "window", "lockout", "forget", "ceiling", "spread")
DERIVED = "(derived from the view)"  # the scope of a policy whose view is not known yet


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How many failed guesses are one too many, whose, and what happens then.

    Durations are seconds or a `timedelta`. What is not given is read from the settings at the moment of use. A value
    that is not allowed raises ValueError with the argument's name, what came and what is allowed.

    Attributes:
        key: How a client is recognised: "ip", "ua", "username", "user", "session", "header:Name", joined by "+", or a
            callable `(request, identity) -> str`. Default "ip" (LOCKOUT_USE_USER_AGENT: "ip+ua").
        max: Failed guesses that lock, 1 to 1000. Default LOCKOUT_MAX_ATTEMPTS, 5.
        window: Seconds in which they count, from the first guess. Default LOCKOUT_ENFORCEMENT_WINDOW, 300.
        lockout: Seconds that the lock lasts, from the failure that completes `max`; None: until it is reset; several,
            as in `(60, 300, 3600)`: each further lock takes the next, the last one repeats; 0, only with `rolling`:
            no lock. Default LOCKOUT_TIME, 600.
        rolling: Each failure ends `window` after it happened; else all that fall into a window end with it.
        forget: Seconds after the end of a growing lock until the next one is the first again. Default a day.
        scope: The name under which the policy counts; views with the same scope share their counters.
        cache: The cache alias. Default LOCKOUT_CACHE, "default".
        ceiling: One address may fail `ceiling * max` times, whatever it makes up for the rest of its key; None: no
            such limit. Default 5 for keys that a client can change, else None.
        spread: Names that one address may fail at, 2 to 1000: the failure at the last of them locks it, below the
            ceiling or `max`. It needs a ceiling, or the key "ip". Default None: no such limit.
        username: The credential that names the account, or a callable `(request, credentials)` that computes it.
            Default the user model's USERNAME_FIELD, "username" or "email".
        account: Names of further credentials that tell whose account it is, as `("tenant",)`; `()`: none of the others
            does. Default None: a call with more than a name and one secret forgives nothing.
        failure: For views whose verdict shows only in the response: a status, several, or a callable `(request,
            response) -> bool`. At most `max` plus what is in flight are verified.
        credentials: Whether `request` presents credentials, for `failure` and for calls of `authenticate()` without
            any. Default: it has a header or query field that says so: Authorization, an API key, a token and the like.
        calls: Calls of `authenticate()` with the same secrets that are one guess. Default 2.
        response: The answer to a refused guess: a template, or a callable `(request, locked_out)`.
        methods: HTTP methods that are refused before the view runs. Default: those that are not safe.
        enforce: False counts, logs and signals, but refuses nobody.
        exempt: Whom to let through uncounted: networks, as `["192.0.2.0/24"]`, or a callable `(request) -> bool`.
        patience: Seconds that a guess waits for a slot while others are being verified. Default 5.
        challenge: A callable `(request) -> bool`: whether it brings a solved challenge; asked once, where it is needed.
        challenge_after: Slots that guesses without a solved challenge may take, fewer than `max`; of the ceiling
            `ceiling` times as many. A further one raises ChallengeRequired.
        known_browsers: For how long a browser that has signed in is known by a cookie: its guesses at that account are
            counted apart from those of all others, whatever locks those; a `timedelta`. Default None: not at all.
        ratelimit: The name by which RateLimit fields tell of the policy with each answer to a guess; None: they don't.
    """

    key: Argument[str | KeyFunction, Key] = Argument(Key.parse, ask=lambda policy: IP_UA if conf.use_user_agent else IP)
    max: Argument[int, int] = Argument(
        allowed.whole(1, 1000), ask=lambda policy: conf.max_attempts, setting="LOCKOUT_MAX_ATTEMPTS"
    )
    window: Argument[Duration, float] = Argument(
        allowed.duration(1), ask=lambda policy: conf.enforcement_window, setting="LOCKOUT_ENFORCEMENT_WINDOW"
    )
    lockout: Argument[Lockout, Lengths] = Argument(
        allowed.lockout, ask=lambda policy: conf.time, setting="LOCKOUT_TIME"
    )
    rolling: Argument[bool, bool] = Argument(allowed.flag, False)
    forget: Argument[Duration, float] = Argument(allowed.duration(1), 86_400)
    scope: Argument[str, str] = Argument(allowed.name, UNSET)
    cache: Argument[str, str] = Argument(allowed.name, ask=lambda policy: conf.cache, setting="LOCKOUT_CACHE")
    ceiling: Argument[int | None, int | None] = Argument(
        allowed.optional(allowed.whole(1, 1000)), ask=lambda policy: CEILING if policy.key.changeable else None
    )
    spread: Argument[int | None, int | None] = Argument(allowed.optional(allowed.whole(2, 1000)))
    username: Argument[Username | None, Username | None] = Argument(allowed.optional(allowed.name_or_function))
    account: Argument[Iterable[str] | None, tuple[str, ...] | None] = Argument(allowed.optional(allowed.names))
    failure: Argument[Failure | None, Any] = Argument(allowed.optional(allowed.failure))
    credentials: Argument[Callable[[HttpRequest], bool] | None, Any] = Argument(allowed.optional(allowed.function))
    calls: Argument[int, int] = Argument(allowed.whole(1, 10), 2)
    response: Argument[Response | None, Response | None] = Argument(allowed.optional(allowed.template_or_function))
    methods: Argument[Iterable[str] | None, frozenset[str] | None] = Argument(allowed.optional(allowed.methods))
    enforce: Argument[bool, bool] = Argument(allowed.flag, True)
    exempt: Argument[Exempt | None, Any] = Argument(allowed.optional(allowed.networks_or_function))
    patience: Argument[Duration, float] = Argument(allowed.duration(0), 5)
    challenge: Argument[Callable[[HttpRequest], bool] | None, Any] = Argument(allowed.optional(allowed.function))
    challenge_after: Argument[int | None, int | None] = Argument(allowed.optional(allowed.whole(1, 999)))
    known_browsers: Argument[timedelta | None, timedelta | None] = Argument(allowed.optional(allowed.lifetime))
    ratelimit: Argument[str | None, str | None] = Argument(allowed.optional(allowed.label))

    def __post_init__(self) -> None:
        if self.scope is UNSET:
            raise ValueError('LockoutPolicy: a policy made by hand names its scope: LockoutPolicy(scope="login").')
        for argument in fields(self):
            getattr_static(type(self), argument.name).settle(self.__dict__)
        if "key" in self.__dict__:
            self.__dict__.setdefault("ceiling", self.ceiling)
        self._expect_numbers()
        self._expect_company()
        if self.scope != DERIVED:
            register(self)

    def _expect_numbers(self) -> None:
        """Beside each other. Raises ValueError."""
        if self.__dict__.get("lockout") == 0 and not self.rolling:
            raise ValueError("lockout_protect: lockout is 0; that needs rolling=True, where failures end one by one.")
        if (slots := (self.__dict__.get("ceiling") or 1) * self.__dict__.get("max", 1)) > SLOTS:
            raise ValueError(f"lockout_protect: ceiling * max is {slots}; it must be at most {SLOTS}.")
        if (self.challenge_after or 0) >= self.__dict__.get("max", 1000):
            raise ValueError(f"lockout_protect: challenge_after is {self.challenge_after}; it must be less than max.")
        if "key" in self.__dict__ and (
            wrong := lost_spread(self.key, self.__dict__.get("max", SLOTS), self.ceiling, self.spread)
        ):
            raise ValueError(f"lockout_protect: {wrong}")

    def _expect_company(self) -> None:
        """What goes with what. Raises ValueError."""
        if (self.challenge is None) is not (self.challenge_after is None):
            raise ValueError("lockout_protect: challenge= and challenge_after= go together; give both, or neither.")
        if self.failure is None:
            return
        if self.methods == frozenset():
            raise ValueError("lockout_protect: failure= with methods=() would refuse nobody; leave methods= out.")
        if self.known_browsers is not None:
            raise ValueError("lockout_protect: known_browsers= has to know who is tried, which failure= never does.")
        if self.challenge is not None:
            raise ValueError("lockout_protect: challenge= comes before a guess, failure= after it; leave one out.")

    def scoped(self, scope: str) -> Self:
        """These terms under a scope that was derived from a view."""
        policy = object.__new__(type(self))
        policy.__dict__.update(self.__dict__, scope=scope)
        register(policy)
        return policy

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The counters of each client: the ceilings', where there are any, and the key's."""
        if self.scope == DERIVED:
            raise ImproperlyConfigured(
                'The policy of a view under method_decorator(..., name="dispatch") has no scope that could be known '
                'beforehand: write scope="..." to use it by hand.'
            )
        return self.plan.kinds

    @property
    def frames(self) -> frozenset[str]:
        """What is counted: policies with the same are one."""
        return self.plan.frames

    @property
    def plan(self) -> Plan:
        """The same under a scope that is not known yet; kept as long as all that it comes from."""
        terms = (*_counted(self), (self.enforce and self.challenge_after) or 0)
        known: tuple[Any, Plan] | None = self.__dict__.get("_plan")
        if known is None or known[0] != terms:
            self.__dict__["_plan"] = known = terms, planned(*terms)
        return known[1]

    def looks_early(self, request: HttpRequest) -> bool:
        """Whether a lock is looked up before the view runs."""
        safe = self.methods is None and request.method in SAFE_METHODS
        if self.failure is None and (safe or self.key.needs_identity):
            return False
        return self.methods is None or request.method in self.methods

    def exempts(self, request: HttpRequest) -> bool:
        """Whether `request` is let through uncounted. Raises as client_address() does, and what the callable raises."""
        if isinstance(self.exempt, frozenset):
            return lies_in(request, self.exempt)
        return self.exempt is not None and bool(plainly("exempt=", self.exempt(request)))

    def is_failure(self, request: HttpRequest, response: Any) -> bool:
        """The verdict of a view that shows it in its response only."""
        by_status = isinstance(self.failure, frozenset)
        if (by_status or self.credentials) and not self.is_presented(request):
            return False
        said = response.status_code in self.failure if by_status else self.failure(request, response)
        return bool(plainly("failure=", said))

    def is_presented(self, request: HttpRequest) -> bool:
        """Whether a request itself has a secret: a backend or the view may read it there."""
        return bool(plainly("credentials=", (self.credentials or presents)(request)))

"""The settings: typed, with their defaults, read at the moment of use."""

import ipaddress
import re
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any, cast

from django.conf import LazySettings, settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.functional import empty
from django.utils.module_loading import import_string

from .callables import plain

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MIDDLEWARE = "lockout_decorators.middleware.LockoutMiddleware"
UNIX = "unix"  # stands for a peer without an address among the trusted proxies
FOLDS = ("unicode", "unicode_ci", "general_ci")  # families of user stores
PASSWORD = "password"  # noqa: S105  # what seals known browsers
SEALS = '"password", a callable (request, username) -> str, its dotted path, or None'
_inside = object.__getattribute__
PREFIX = re.compile(r"[!-~]{1,100}")  # printable ASCII without spaces: valid on memcached


def refuse(name: str, value: object, allowed: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {value!r}; it must be {allowed}.")


@lru_cache(maxsize=4)
def _networks(entries: tuple[str, ...]) -> tuple[frozenset[Network], bool]:
    return frozenset(ipaddress.ip_network(entry) for entry in entries if entry != UNIX), UNIX in entries


@lru_cache(maxsize=4)
def _prefix(value: Hashable) -> str:
    if not isinstance(value, str) or not PREFIX.fullmatch(value):
        raise refuse("LOCKOUT_CACHE_PREFIX", value, "1 to 100 printable ASCII characters without spaces")
    return value


def _read(name: str, default: object) -> Any:
    """A setting. The front door takes two exceptions to say that there is none, so Django's own object is entered."""
    found = _inside(settings, "_wrapped") if type(settings) is LazySettings else settings
    return getattr(settings if found is empty else found, name, default)


def _unchecked(name: str, default: object) -> property:
    return property(lambda self: _read(name, default))


def _bits(name: str, default: int, further: str = "") -> int:
    """How many of an IPv6 address are one client, or one network."""
    value = _read(name, default)
    if type(value) is not int or not 1 <= value <= 128:
        raise refuse(name, value, f"a whole number from 1 to 128{further}")
    return value


def _function(name: str, value: object, allowed: str) -> Callable[..., Any]:
    """A callable, or what is at its dotted path."""
    try:
        found = import_string(value) if isinstance(value, str) else value
    except ImportError as error:
        raise refuse(name, value, f"{allowed} ({error})") from error
    if not callable(found):
        raise refuse(name, value, allowed)
    return cast("Callable[..., Any]", found)


class LockoutSettings:
    """Each property is one `LOCKOUT_*` setting; ImproperlyConfigured says what came and what is allowed."""

    @property
    def secret_key(self) -> str | bytes:
        return cast("str | bytes", _read("SECRET_KEY", "") or settings.SECRET_KEY)  # Django's own says what is wrong

    @property
    def secret_keys(self) -> Sequence[str | bytes]:
        """The current one, and those before it."""
        return (self.secret_key, *_read("SECRET_KEY_FALLBACKS", ()))

    @property
    def user_model(self) -> str:
        return cast("str", _read("AUTH_USER_MODEL", ""))

    @property
    def use_forwarded_host(self) -> bool:
        return bool(_read("USE_X_FORWARDED_HOST", False))

    @property
    def enabled(self) -> bool:
        return _read("LOCKOUT_ENABLED", True) is True or self._flag("LOCKOUT_ENABLED", True)

    # What policies check themselves.
    max_attempts: property = _unchecked("LOCKOUT_MAX_ATTEMPTS", 5)
    enforcement_window: property = _unchecked("LOCKOUT_ENFORCEMENT_WINDOW", 300)
    time: property = _unchecked("LOCKOUT_TIME", 600)
    cache: property = _unchecked("LOCKOUT_CACHE", "default")
    site: property = _unchecked("LOCKOUT_SITE", {})

    @property
    def use_user_agent(self) -> bool:
        return self._flag("LOCKOUT_USE_USER_AGENT", False)

    @property
    def cache_prefix(self) -> str:
        return _prefix(_read("LOCKOUT_CACHE_PREFIX", "lockout"))

    @property
    def watches_site(self) -> bool:
        return MIDDLEWARE in _read("MIDDLEWARE", ())

    @property
    def guards_site(self) -> bool:
        return self.site != {} or self.watches_site

    @property
    def trusted_proxies(self) -> tuple[frozenset[Network], bool]:
        """The networks, and whether a unix socket's peer is trusted as well."""
        value = _read("LOCKOUT_TRUSTED_PROXIES", ())
        if isinstance(value, (list, tuple, set, frozenset)):
            try:
                return _networks(tuple(map(str, value)))
            except ValueError:
                pass
        raise refuse("LOCKOUT_TRUSTED_PROXIES", value, 'a list of addresses, networks ("10.0.0.0/8") and "unix"')

    @property
    def ipv6_prefix(self) -> int:
        return _bits("LOCKOUT_IPV6_PREFIX", 64)

    @property
    def ipv6_wider_prefix(self) -> int | None:
        value = _read("LOCKOUT_IPV6_WIDER_PREFIX", 48)
        return None if value is None else _bits("LOCKOUT_IPV6_WIDER_PREFIX", 48, ", or None")

    @property
    def client_ip(self) -> Callable[[HttpRequest], str | None] | None:
        if (value := _read("LOCKOUT_CLIENT_IP", None)) is None:
            return None
        allowed = "a callable taking the request, its dotted path, or None"
        found = _function("LOCKOUT_CLIENT_IP", value, allowed)
        if not plain(found):
            raise refuse("LOCKOUT_CLIENT_IP", value, f"{allowed}; a coroutine function does not answer by itself")
        return found

    @property
    def fold(self) -> str:
        value = _read("LOCKOUT_FOLD", "unicode")
        if value not in FOLDS:
            raise refuse("LOCKOUT_FOLD", value, " or ".join(repr(family) for family in FOLDS))
        return cast("str", value)

    @property
    def browser_seal(self) -> Callable[[HttpRequest, Any], str | None] | str | None:
        value = _read("LOCKOUT_BROWSER_SEAL", None)
        return value if value in (None, PASSWORD) else _function("LOCKOUT_BROWSER_SEAL", value, SEALS)

    @property
    def journal(self) -> bool | None:
        value = _read("LOCKOUT_JOURNAL", False)
        if value is not None and not isinstance(value, bool):
            raise refuse("LOCKOUT_JOURNAL", value, "True, False, or None for no journal at all")
        return value

    @property
    def fail_open(self) -> bool:
        return self._flag("LOCKOUT_FAIL_OPEN", False)

    def _flag(self, name: str, default: bool) -> bool:
        value = _read(name, default)
        if not isinstance(value, bool):
            raise refuse(name, value, "True or False")
        return value


conf: LockoutSettings = LockoutSettings()

"""System checks: configurations that can't count, or that surprise. Ids are stable and never used again."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from itertools import combinations
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Info, Warning
from django.core.exceptions import ImproperlyConfigured

from .conf import LockoutSettings, Network, conf
from .policy import LockoutPolicy
from .stores import store_for
from .stores.facts import Facts, facts
from .stores.probe import probe
from .stores.redis_clients import ASYNCHRONOUS
from .terms.registry import registered
from .terms.terms import DERIVED
from .views.naming import derived

DEFAULTS = LockoutPolicy(scope=DERIVED)
EVERY_IPV4, EVERY_IPV6 = IPv4Network("0.0.0.0/0"), IPv6Network("2000::/3")  # public addresses, all of them
IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
RULES = ("max", "lockout", "forget", "ceiling", "cache")  # what policies that count alike have to agree on
ADDRESSES = 100  # that may fill their ceilings at the same time before entries have to go


@checks.register(checks.Tags.security)
def check_lockout(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The settings, the policies of all views that the URLconf imports, and their caches."""
    policies = _known()
    return list(_settings(policies)) or [*_policies(policies), *_caches(policies), *_scopes()]


@checks.register(checks.Tags.security, deploy=True)
def probe_caches(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Whether the caches keep what they are given: their servers are asked."""
    policies = _known()
    aliases = [] if list(_settings(policies)) else sorted({policy.cache for policy in policies})
    sound = [alias for alias in aliases if all(message.level < checks.ERROR for message in about_cache(alias))]
    return [
        Error(
            f"The cache {alias!r} failed a probe: {'; '.join(complaints)}.",
            hint=f"Name another with cache=. `manage.py lockout prove --cache {alias}` tells more.",
            id="lockout_decorators.E008",
        )
        for alias in sound
        if (complaints := probe(alias))
    ]


def _known() -> list[LockoutPolicy]:
    with suppress(Exception):  # Django's own check of the URLconf tells what is wrong with it
        import_module(settings.ROOT_URLCONF)
    return [policy for known in registered.values() for policy in known]


def _settings(policies: Sequence[LockoutPolicy]) -> Iterator[CheckMessage]:
    asked: list[tuple[object, str]] = [
        (conf, name) for name, one in vars(LockoutSettings).items() if type(one) is property
    ]
    asked += [(DEFAULTS, name) for name in ("max", "window", "lockout", "cache")]  # which are checked as arguments
    asked += [(policy, "kinds") for policy in policies]  # what a setting comes to beside a policy's own arguments
    for message in dict.fromkeys(filter(None, [_wrong(owner, name) for owner, name in asked])):
        yield Error(message, hint="Correct or remove the setting.", id="lockout_decorators.E001")
    with suppress(ImproperlyConfigured):
        yield from _proxies(conf.trusted_proxies[0])


def _wrong(owner: object, name: str) -> str:
    try:
        getattr(owner, name)
    except ImproperlyConfigured as error:
        return str(error)
    return ""


def _proxies(networks: Iterable[Network]) -> Iterator[CheckMessage]:
    four = [network for network in networks if isinstance(network, IPv4Network)]
    six = [network for network in networks if isinstance(network, IPv6Network)]
    if any(map(EVERY_IPV4.subnet_of, collapse_addresses(four))) or any(
        map(EVERY_IPV6.subnet_of, collapse_addresses(six))
    ):
        yield Error(
            "LOCKOUT_TRUSTED_PROXIES trusts every address, so anyone can forge X-Forwarded-For.",
            hint="Name the networks of your own proxies.",
            id="lockout_decorators.E002",
        )
    for network in sorted(network for network in six if network.subnet_of(IPV4_MAPPED)):
        meant = f"{network.network_address.ipv4_mapped}/{network.prefixlen - IPV4_MAPPED.prefixlen}"
        yield Warning(
            f"LOCKOUT_TRUSTED_PROXIES has {network}, which matches nothing: IPv4-mapped addresses are read as IPv4.",
            hint=f'Write "{meant}".' if network != IPV4_MAPPED else "Name the IPv4 networks of your own proxies.",
            id="lockout_decorators.W007",
        )


def _disagreements(policies: Sequence[LockoutPolicy]) -> Iterator[CheckMessage]:
    found: dict[str, set[str]] = {}
    for first, second in combinations(policies, 2):
        if first.frames & second.frames:
            differing = {name for name in RULES if getattr(first, name) != getattr(second, name)}
            found.setdefault(first.scope, set()).update(differing)
    for scope, differing in found.items():
        if differing:
            yield Error(
                f"Policies with the scope {scope!r} count alike, and differ in {', '.join(sorted(differing))}.",
                hint="Share one LockoutPolicy, or give each its own scope.",
                id="lockout_decorators.E003",
            )


def _policies(policies: Sequence[LockoutPolicy]) -> Iterator[CheckMessage]:
    yield from _disagreements(policies)
    for policy in policies:
        if (shortest := _shortest_lock(policy)) is not None and shortest < policy.window and not policy.rolling:
            yield Warning(
                f"{policy.scope}: lockout ({shortest:g} s) is shorter than window ({policy.window:g} s).",
                hint="A lock ends with a fresh start, so this allows more guesses than the window suggests.",
                id="lockout_decorators.W001",
            )
        if policy.key.changeable and policy.ceiling is None:
            yield Warning(
                f"{policy.scope}: a client can change its key at will, and there is no ceiling for its address.",
                hint="Remove ceiling=None, unless another policy on the view counts by address.",
                id="lockout_decorators.W002",
            )


def _shortest_lock(policy: LockoutPolicy) -> float | None:
    return min(policy.lockout) if isinstance(policy.lockout, tuple) else policy.lockout


def _scopes() -> Iterator[CheckMessage]:
    for scope, views in derived.items():
        if len(views) > 1:
            yield Warning(
                f"{len(views)} views share the scope {scope!r}, which was derived from their common name.",
                hint='Give each its own scope="...", or all the same one if they are to share their counters.',
                id="lockout_decorators.W003",
            )


def _caches(policies: Sequence[LockoutPolicy]) -> Iterator[CheckMessage]:
    for alias in sorted({policy.cache for policy in policies}):
        yield from about_cache(alias)
        with suppress(Exception):  # which has been told
            yield from _size(alias, facts(alias).max_entries, [policy for policy in policies if policy.cache == alias])


def about_cache(alias: str) -> list[CheckMessage]:
    """What its configuration tells, whatever is counted there: no server is asked."""
    try:
        cache, weakness = facts(alias), store_for(alias).weakness()
    except Exception as error:  # noqa: BLE001  # a backend may raise anything
        return [
            Error(
                f"The cache {alias!r} can't be used: {error}",
                hint=f"Add it to CACHES, which has {', '.join(settings.CACHES)}, or name another with cache=.",
                id="lockout_decorators.E004",
            )
        ]
    return list(_cache(alias, cache, weakness))


def _cache(alias: str, cache: Facts, weakness: str | None) -> Iterator[CheckMessage]:
    if cache.forgets:
        yield Error(
            f"The cache {alias!r} is a DummyCache: nothing would ever be counted.",
            hint="Use any other cache; for tests and development LocMemCache will do.",
            id="lockout_decorators.E005",
        )
    elif weakness == ASYNCHRONOUS:
        yield Error(
            f"The cache {alias!r} can't count: {weakness}.",
            hint="Name a cache with a synchronous client; asynchronous views use that too.",
            id="lockout_decorators.E007",
        )
    elif weakness:
        yield Warning(
            f"The cache {alias!r} can't promise all: {weakness}.",
            hint=f"Use one that swaps by itself; or prove it (`manage.py lockout prove --cache {alias}`) and silence this.",
            id="lockout_decorators.W009",
        )
    if cache.rolled_back:
        yield Error(
            f"The cache {alias!r} lies in a database with ATOMIC_REQUESTS: an exception in the view, and DRF's "
            "rollback, would undo the failure that was counted.",
            hint='Set "ATOMIC_REQUESTS": False there, or keep the cache under another alias, or one of another kind.',
            id="lockout_decorators.E006",
        )
    if not settings.DEBUG:
        yield from _shared(alias, cache)


def _shared(alias: str, cache: Facts) -> Iterator[CheckMessage]:
    if cache.one_process:
        yield Warning(
            f"The cache {alias!r} is a LocMemCache: each worker process counts for itself.",
            hint="Use a cache that all processes share.",
            id="lockout_decorators.W004",
        )
    if cache.one_host:
        yield Info(
            f"The cache {alias!r} is a FileBasedCache: only the processes of one host share it.",
            hint="If the site runs on several hosts, use a cache that they share; on one, silence this.",
            id="lockout_decorators.I001",
        )


def _size(alias: str, holds: int | None, policies: Sequence[LockoutPolicy]) -> Iterator[CheckMessage]:
    entries = {policy.frames: 1 if policy.ceiling is None else 1 + policy.ceiling * policy.max for policy in policies}
    needed = ADDRESSES * sum(entries.values())
    if holds is not None and holds < needed:
        yield Warning(
            f"The cache {alias!r} holds {holds} entries; {ADDRESSES} guessing addresses would evict locks.",
            hint=f'Set OPTIONS = {{"MAX_ENTRIES": {needed}}} or more.',
            id="lockout_decorators.W008",
        )

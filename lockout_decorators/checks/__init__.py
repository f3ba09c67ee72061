"""System checks: configurations that can't count, or that surprise. Ids are stable and never used again."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import ERROR, CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured

from ..conf import conf
from ..doors.door import IN_VAIN, OPEN
from ..journal import tallies
from ..journal.entries import PAGES
from ..policy import LockoutPolicy, known_policies
from ..stores.facts import facts
from ..terms.registry import everyone
from ..views.naming import derived
from .caches import about_cache, about_sharing, probed
from .doors import about_doors
from .mail import about_mail
from .policies import about_policies
from .site import about_site
from .values import about_proxies, about_settings
from .views import about_views

ADDRESSES = 100  # that may fill their ceilings at the same time before entries have to go


@checks.register(checks.Tags.security)
def check_lockout(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The settings, the policies of all views that the URLconf imports, and their caches. No server is asked."""
    policies = _known()
    messages = list(about_settings(policies))
    if _wrong(messages):  # what follows from it would confuse
        return messages
    return [
        *messages,
        *about_policies(policies),
        *_caches(policies),
        *_scopes(),
        *about_views(),
        *about_doors(IN_VAIN),
        *about_site(),
        *about_mail(),
    ]


@checks.register(checks.Tags.security, deploy=True)
def check_deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What is no matter before the site goes live: open doors, proxies, and the caches, whose servers are asked."""
    policies = _known()
    if _wrong(about_settings(policies)):
        return []
    caches = [message for alias in _aliases(policies) for message in (*about_sharing(alias), *probed(alias))]
    return [*about_doors(OPEN), *about_proxies(policies), *caches]


def _wrong(messages: Iterable[CheckMessage]) -> bool:
    return any(message.level >= ERROR for message in messages)


def _known() -> list[LockoutPolicy]:
    with suppress(Exception):  # Django's own check of the URLconf tells what is wrong with it
        import_module(settings.ROOT_URLCONF)
    with suppress(ImproperlyConfigured):  # E001 tells what is wrong with the site's
        known_policies()
    return everyone()


def _aliases(policies: Sequence[LockoutPolicy]) -> list[str]:
    return sorted({policy.cache for policy in policies})


def _scopes() -> Iterator[CheckMessage]:
    for scope, views in derived.items():
        if len(views) > 1:
            yield Warning(
                f"{len(views)} views share the scope {scope!r}, which was derived from their common name.",
                hint='Give each its own scope="...", or all the same one if they are to share their counters.',
                id="lockout_decorators.W003",
            )


def _caches(policies: Sequence[LockoutPolicy]) -> Iterator[CheckMessage]:
    for alias in _aliases(policies):
        messages = about_cache(alias)
        yield from messages
        if "lockout_decorators.E004" not in [message.id for message in messages]:
            cache, own = facts(alias), [policy for policy in policies if policy.cache == alias]
            if not (cache.one_process and settings.DEBUG):  # in development nobody floods it
                yield from _size(alias, cache.max_entries, own)


def _size(alias: str, holds: int | None, policies: Sequence[LockoutPolicy]) -> Iterator[CheckMessage]:
    entries = {policy.frames: _entries(policy) for policy in policies}
    counted = tallies.ENTRIES * len({policy.scope for policy in policies}) if conf.journal else 0
    needed = PAGES + counted + ADDRESSES * sum(entries.values())
    if holds is not None and holds < needed:
        yield Warning(
            f"The cache {alias!r} holds {holds} entries; {ADDRESSES} guessing addresses would evict locks.",
            hint=f'Set OPTIONS = {{"MAX_ENTRIES": {needed}}} or more.',
            id="lockout_decorators.W008",
        )


def _entries(policy: LockoutPolicy) -> int:
    """Of one address: its record, that lock's reference, and the record of the IPv6 network around it; and of each
    client that it makes up, locked or not."""
    network = conf.ipv6_wider_prefix is not None and any(kind.wider for kind in policy.kinds)
    return 2 + network + (policy.ceiling or 0) * policy.max * (2 if policy.max == 1 else 1)

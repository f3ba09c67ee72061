"""The settings: values that are not allowed, and proxies that are trusted by mistake, or forgotten."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from ..clients.addresses import claimed
from ..conf import LockoutSettings, Network, conf
from ..policy import LockoutPolicy, known_policies
from ..terms.terms import DERIVED

ANY = "192.0.2.1"  # stands in each header of a request that nobody has sent
DEFAULTS = LockoutPolicy(scope=DERIVED)
FORWARDED = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")
EVERY_IPV4, EVERY_IPV6 = IPv4Network("0.0.0.0/0"), IPv6Network("2000::/3")  # public addresses, all of them
IPV4_MAPPED = IPv6Network("::ffff:0:0/96")


def about_settings(policies: Sequence[LockoutPolicy]) -> Iterator[CheckMessage]:
    """Beside these policies' own arguments."""
    asked: list[Callable[[], object]] = [
        partial(getattr, conf, name) for name, one in vars(LockoutSettings).items() if type(one) is property
    ]
    asked += [partial(getattr, DEFAULTS, name) for name in ("max", "window", "lockout", "cache")]  # as arguments
    asked += [partial(getattr, policy, "kinds") for policy in policies]  # what a setting comes to beside its arguments
    for message in dict.fromkeys(filter(None, map(_wrong, [*asked, known_policies]))):
        yield Error(message, hint="Correct or remove the setting.", id="lockout_decorators.E001")
    with suppress(ImproperlyConfigured):
        yield from _proxies(conf.trusted_proxies[0])
    with suppress(ImproperlyConfigured):
        yield from _client_ip()


class _Headers(dict[str, str]):
    """All that a proxy may send."""

    def __missing__(self, name: str) -> str:
        return ANY

    def get(self, name: str, default: object = None) -> str:
        return self[name]


def _client_ip() -> Iterator[CheckMessage]:
    """What is wrong for every request is wrong for this one, too. But a header may be of another form, no middleware
    has seen the request, and there may be no database yet."""
    if (custom := conf.client_ip) is None:
        return
    request = HttpRequest()
    vars(request).update(META=_Headers(), headers=_Headers())
    try:
        claimed(custom, request)
    except ImproperlyConfigured as error:
        cause = error.__cause__
        if isinstance(cause, AttributeError) and cause.obj is request:
            return
        if cause and not isinstance(cause, TypeError | NameError):
            yield Warning(
                f"{error}, where each header is {ANY!r}: such a request would be answered 500.",
                hint="Let it return None for what it can't read.",
                id="lockout_decorators.W017",
            )
        else:
            yield Error(str(error), hint="Correct or remove the setting.", id="lockout_decorators.E001")


def about_proxies(policies: Iterable[LockoutPolicy]) -> Iterator[CheckMessage]:
    """Where a proxy is known to stand before the site, and the address that is counted is the proxy's own."""
    told = [name for name in FORWARDED if getattr(settings, name)]
    networks, unix = conf.trusted_proxies
    if told and any(policies) and not (networks or unix or conf.client_ip):
        yield Warning(
            f"{' and '.join(told)} say that the site is behind a proxy, and neither LOCKOUT_TRUSTED_PROXIES nor "
            "LOCKOUT_CLIENT_IP is set: all visitors would be counted as one client, the proxy.",
            hint='Write LOCKOUT_TRUSTED_PROXIES = ["10.0.0.0/8"], with the addresses of your proxies. If your server '
            "sets REMOTE_ADDR to the client's, silence this.",
            id="lockout_decorators.W015",
        )


def _wrong(ask: Callable[[], object]) -> str:
    try:
        ask()
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

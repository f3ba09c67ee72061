"""Before the site goes live: what is no matter in development."""

from collections.abc import Iterable, Iterator

from django.conf import settings
from django.core.checks import CheckMessage, Warning

from ..conf import conf
from ..policy import LockoutPolicy

FORWARDED = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")


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

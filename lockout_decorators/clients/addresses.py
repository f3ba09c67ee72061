"""Whose request is it: the client's address, seen through the proxies that are trusted and no others."""

import ipaddress
import logging
from functools import lru_cache

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from ..conf import UNIX, Network, conf

logger: logging.Logger = logging.getLogger("lockout_decorators")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HOPS = 64  # proxies between a client and this site, at most
LONGEST = 100  # characters of an address with its port, brackets, quotes and zone


def client_address(request: HttpRequest) -> str:
    """The client's address as it is counted: IPv4, or an IPv6 network of `LOCKOUT_IPV6_PREFIX` bits.

    Raises ImproperlyConfigured if the peer has no address (a unix socket) and "unix" is not among the trusted proxies:
    all visitors would be one client.
    """
    if (custom := conf.client_ip) and (claimed := custom(request)):
        if found := parse(claimed):
            return counted(found)
        logger.warning("LOCKOUT_CLIENT_IP returned %.80a, which is no address; REMOTE_ADDR is used", claimed)
    return counted(_forwarded(request))


def parse(said: object) -> Address | None:
    """An address as proxies write it: with a port, brackets or a zone, in any case."""
    text = str(said)
    return _parse(text) if len(text) <= LONGEST else None  # nothing longer is read, or kept


@lru_cache(maxsize=1024)
def _parse(text: str) -> Address | None:
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def counted(address: Address) -> str:
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, conf.ipv6_prefix), strict=False))


def _forwarded(request: HttpRequest) -> Address:
    """Walk X-Forwarded-For from the right, past trusted addresses; what can't be parsed stops the walk."""
    networks, unix = conf.trusted_proxies
    header = request.META.get("HTTP_X_FORWARDED_FOR", "")
    hops = header.rsplit(",", HOPS)[-HOPS:] if header else []
    address = parse(request.META.get("REMOTE_ADDR", ""))
    if address is None:
        if not unix:
            raise ImproperlyConfigured(
                "The server gives no REMOTE_ADDR (a unix socket?), so all visitors would be one client. If a proxy of "
                f'yours sets X-Forwarded-For, write LOCKOUT_TRUSTED_PROXIES = ["{UNIX}"].'
            )
        address = parse(hops.pop()) if hops else None
        if address is None:
            raise ImproperlyConfigured("The proxy behind the unix socket sets no X-Forwarded-For that can be read.")
    elif hops and not _trusted(address, networks):
        _warn_of_untrusted_peer()
    while hops and _trusted(address, networks):
        further = parse(hops.pop())
        if further is None:
            break
        address = further
    return address


def _trusted(address: Address, networks: frozenset[Network]) -> bool:
    return any(address in network for network in networks)


@lru_cache
def _warn_of_untrusted_peer() -> None:
    """Once per process."""
    logger.warning(
        "A request came with X-Forwarded-For from a peer that is not in LOCKOUT_TRUSTED_PROXIES; the header is "
        "ignored. If that peer is your proxy, all visitors are counted as one client: name it there."
    )

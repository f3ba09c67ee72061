"""Whose request is it: the client's address, seen through the proxies that are trusted and no others."""

import ipaddress
import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from socket import AF_INET, inet_ntop, inet_pton

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from ..callables import plainly
from ..conf import UNIX, Network, conf
from ..logs import extra

logger: logging.Logger = logging.getLogger("lockout_decorators")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Networks with an IPv4 address inside, and by how many bits it stands off the right.
EMBEDDING = {
    ipaddress.IPv6Network("::ffff:0:0/96"): 0,
    ipaddress.IPv6Network("::ffff:0:0:0/96"): 0,
    ipaddress.IPv6Network("64:ff9b::/96"): 0,
    ipaddress.IPv6Network("2002::/16"): 80,
}

SOCKET = "unix:"  # how proxies write a peer on a unix socket
HOPS = 64  # proxies between a client and this site, at most
LONGEST = 100  # characters of an address with its port, brackets, quotes and zone


def client_address(request: HttpRequest) -> str:
    """The client's address as it is counted: IPv4, or an IPv6 network of `LOCKOUT_IPV6_PREFIX` bits.

    Raises ImproperlyConfigured if the peer has no address (a unix socket) and "unix" is not among the trusted proxies:
    all visitors would be one client.
    """
    return counted(_address(request))


def lies_in(request: HttpRequest, networks: Iterable[Network]) -> bool:
    """Whether the client's address, whole and not cut to its network, is in one of them. Raises as client_address()."""
    address = _address(request)
    return any(address in network for network in networks)


def network(text: str) -> Network:
    """A network as addresses are read: IPv4 inside IPv6 is IPv4. Raises ValueError, for bits beyond the prefix too."""
    found = ipaddress.ip_network(text)
    for outer, shift in EMBEDDING.items():
        if isinstance(found, ipaddress.IPv6Network) and found.subnet_of(outer):
            bits = int(found.network_address) >> shift & 0xFFFFFFFF
            return ipaddress.IPv4Network((bits, min(found.prefixlen + shift - 96, 32)))
    return found


def _address(request: HttpRequest) -> Address:
    custom = conf.client_ip
    return (claimed(custom, request) if custom else None) or _forwarded(request)


def claimed(custom: Callable[[HttpRequest], object], request: HttpRequest) -> Address | None:
    """What LOCKOUT_CLIENT_IP says; None where it says nothing, or text that is no address."""
    try:
        said = custom(request)
    except Exception as error:
        raise ImproperlyConfigured(f"LOCKOUT_CLIENT_IP raised {type(error).__name__}: {error}") from error
    if not plainly("LOCKOUT_CLIENT_IP", said):
        return None
    if not isinstance(said, str | Address):  # all visitors would be one client
        raise ImproperlyConfigured(
            f"LOCKOUT_CLIENT_IP returned {said!r:.80}; it must return an address as text, or None for the usual way."
        )
    if (found := parse(said)) is None:
        line = "LOCKOUT_CLIENT_IP returned %.80a, which is no address; REMOTE_ADDR is used"
        logger.warning(line, said, extra=extra("client_ip_unreadable"))
    return found


def parse(said: object) -> Address | None:
    """An address as proxies write it: with a port, brackets or a zone, in any case."""
    text = str(said)
    return _parse(text) if len(text) <= LONGEST else None  # nothing longer is read, or kept


@lru_cache(maxsize=2048)
def _parse(text: str) -> Address | None:
    try:
        return ipaddress.IPv4Address(inet_pton(AF_INET, text))  # as almost always; the rest takes many times as long
    except (OSError, ValueError):
        pass
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return _inside(found) if found.version == 6 else found


def _inside(address: ipaddress.IPv6Address) -> Address:
    """The IPv4 address inside an IPv6 one: mapped, compatible (RFC 4291), translated (2765, 6052), 6to4 (3056),
    Teredo (4380)."""
    bits = int(address)
    for network, shift in EMBEDDING.items():
        if address in network:
            return ipaddress.IPv4Address(bits >> shift & 0xFFFFFFFF)
    if 1 << 24 <= bits < 1 << 32:  # not ::1
        return ipaddress.IPv4Address(bits)
    return address.teredo[1] if address.teredo else address


def counted(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return inet_ntop(AF_INET, address.packed)
    return str(ipaddress.IPv6Network((address, conf.ipv6_prefix), strict=False))


def around(address: str) -> str | None:
    """The network around an IPv6 client, by its counted address: of `LOCKOUT_IPV6_WIDER_PREFIX` bits. None for an IPv4
    one, and where the client itself is as wide."""
    prefix = conf.ipv6_wider_prefix if ":" in address else None
    return _around(address, prefix) if prefix else None


@lru_cache(maxsize=1024)
def _around(address: str, prefix: int) -> str | None:
    network = ipaddress.ip_network(address)
    return str(network.supernet(new_prefix=prefix)) if network.prefixlen > prefix else None


def _forwarded(request: HttpRequest) -> Address:
    """Walk X-Forwarded-For from the right, past trusted addresses; what can't be parsed stops the walk."""
    networks, unix = conf.trusted_proxies
    header = request.META.get("HTTP_X_FORWARDED_FOR", "")
    hops = header.rsplit(",", HOPS)[-HOPS:] if header else []
    address = parse(request.META.get("REMOTE_ADDR", ""))
    if address is None and not unix:
        raise ImproperlyConfigured(
            "The server gives no REMOTE_ADDR (a unix socket?), so all visitors would be one client. If a proxy of "
            f'yours sets X-Forwarded-For, write LOCKOUT_TRUSTED_PROXIES = ["{UNIX}"].'
        )
    if hops and address is not None and not _trusted(address, networks):
        _warn_of_untrusted_peer()
    while hops and (address is None or _trusted(address, networks)):
        hop = hops.pop()
        further = parse(hop)
        if further is None and not (unix and hop.strip() == SOCKET):
            break
        address = further or address
    if address is None:
        raise ImproperlyConfigured("The proxy behind the unix socket sets no X-Forwarded-For that can be read.")
    return address


def _trusted(address: Address, networks: frozenset[Network]) -> bool:
    return any(address in network for network in networks)


@lru_cache
def _warn_of_untrusted_peer() -> None:
    """Once per process."""
    logger.warning(
        "A request came with X-Forwarded-For from a peer that is not in LOCKOUT_TRUSTED_PROXIES; the header is "
        "ignored. If that peer is your proxy, all visitors are counted as one client: name it there.",
        extra=extra("proxy_untrusted"),
    )

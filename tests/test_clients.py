"""Whose request is it: trusted proxies are believed, nobody else is, and every spelling of an address is one client."""

import logging
from io import BytesIO
from ipaddress import ip_address, ip_network

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.test import AsyncRequestFactory, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from lockout_decorators import lockout_protect
from lockout_decorators.clients import addresses
from lockout_decorators.clients.addresses import client_address, parse
from tests.doors import FORM, RIGHT, check
from tests.sizes import IN_FULL

PEER, PROXY, VICTIM = "192.0.2.66", "10.0.0.1", "192.0.2.1"
MAX = 3


@pytest.fixture(autouse=True)
def unwarned():
    """The warning that is given once per process is due again."""
    addresses._warn_of_untrusted_peer.cache_clear()
    yield
    addresses._warn_of_untrusted_peer.cache_clear()


@pytest.fixture
def behind_proxies(settings):
    settings.LOCKOUT_TRUSTED_PROXIES = ["10.0.0.0/8", "2001:db8:ffff::/48"]


def ask(peer=PEER, forwarded=None, **meta):
    """A request from `peer`, with that X-Forwarded-For."""
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return RequestFactory().post("/", FORM, REMOTE_ADDR=peer, **headers, **meta)


def found(*args, **kwargs):
    return client_address(ask(*args, **kwargs))


@pytest.fixture
def guess(rf):
    """Try a password from an address, at a view that allows `MAX` wrong ones."""
    view = lockout_protect(scope="login", max=MAX)(check)

    def guess(form=FORM, peer=PEER, forwarded=None, **meta):
        headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
        return view(rf.post("/", form, REMOTE_ADDR=peer, **headers, **meta)).status_code

    return guess


# Who stands behind the peer


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("198.51.100.1, 192.0.2.9", "192.0.2.9"),
        ("192.0.2.9, 10.9.9.9", "192.0.2.9"),
        ("192.0.2.9,10.9.9.9,10.8.8.8", "192.0.2.9"),
        ("198.51.100.1, 192.0.2.9, 10.9.9.9", "192.0.2.9"),
        ("10.1.1.1, 192.0.2.9, 10.9.9.9", "192.0.2.9"),
        ("  192.0.2.9  ", "192.0.2.9"),
        ("192.0.2.9:54321", "192.0.2.9"),
        ('"192.0.2.9:54321"', "192.0.2.9"),
        ("[192.0.2.9]:54321", "192.0.2.9"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("[::FFFF:c000:209]:80", "192.0.2.9"),
        ("192.0.2.9, ::ffff:10.9.9.9", "192.0.2.9"),
        ("192.0.2.9, [2001:db8:ffff::1]:443", "192.0.2.9"),
        ("2001:db8::1", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ('"[2001:db8::1]:4711"', "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("[fe80::1%25eth0]:80", "fe80::/64"),
        ("10.2.2.2", "10.2.2.2"),
        ("10.4.4.4, 10.3.3.3, 10.2.2.2", "10.4.4.4"),
        (None, PROXY),
        ("junk", PROXY),
        ("1" * 1_000_000, PROXY),
        ("", PROXY),
        (",", PROXY),
        ("192.0.2.9,", PROXY),
        ("192.0.2.9, junk", PROXY),
        ("192.0.2.9, unix:", PROXY),
        ("192.0.2.9, , 10.2.2.2", "10.2.2.2"),
        ("192.0.2.9, unknown, 10.2.2.2", "10.2.2.2"),
        ("192.0.2.9, _hidden", PROXY),
        ("192.0.2.9, 1.2.3.4.5", PROXY),
        ("192.0.2.9, 010.0.0.1", PROXY),
        ("192.0.2.9, 3221225993", PROXY),
        ("192.0.2.9, 0xc0000209", PROXY),
        ("192.0.2.9, \u0661.2.3.4", PROXY),
        ("192.0.2.9, \x00", PROXY),
        ("192.0.2.9, 10.0.0.2\r\nevil", PROXY),
        ("192.0.2.9, [::1", "::/64"),
        ("192.0.2.9, :::", PROXY),
    ],
)
def test_header_is_walked_from_the_right(forwarded, client, behind_proxies):
    """Past trusted addresses, up to the first that isn't; what can't be read stops the walk."""
    assert client == found(PROXY, forwarded)


def test_peer_may_be_mapped(behind_proxies):
    """A dual-stack server's spelling of a trusted IPv4 address is trusted as well."""
    assert found(f"::ffff:{PROXY}", "192.0.2.9") == "192.0.2.9"


def test_several_headers_are_one_list(behind_proxies):
    """What a client sends in a header of its own stands to the left of what the proxy adds."""
    lines = [(b"x-forwarded-for", b"198.51.100.1"), (b"X-Forwarded-For".lower(), b"192.0.2.9, 10.9.9.9")]
    scope = {**AsyncRequestFactory()._base_scope(path="/"), "headers": lines, "client": (PROXY, 1)}
    assert client_address(ASGIRequest(scope, BytesIO())) == "192.0.2.9"


@pytest.mark.parametrize(("proxies", "client"), [(63, "192.0.2.9"), (64, "10.9.9.9")])
def test_no_more_than_64_hops_are_walked(proxies, client, behind_proxies):
    """A site may stand behind many proxies; what comes after the last that is looked at is the client."""
    assert client == found(PROXY, ",".join(["192.0.2.9", *(proxies * ["10.9.9.9"])]))


@pytest.mark.parametrize(("length", "address"), [(100, ip_address("192.0.2.9")), (101, None), (1000, None)])
def test_an_address_has_no_more_than_100_characters(length, address):
    """Nothing longer is read, or kept, even if it is an address in a long row of blanks."""
    assert address == parse("192.0.2.9".ljust(length))


def test_two_thousand_addresses_are_remembered():
    """An address is parsed once, and whoever sends ever new ones fills no memory."""
    for number in range(3000):
        parse(f"10.1.{number // 250}.{number % 250}")
    assert addresses._parse.cache_info().currsize == 2048


@given(st.text(), st.text(alphabet='0123456789abcdef.:,[]"% \x00'), st.sampled_from([PEER, PROXY]))
def test_no_header_is_an_error(text, addresses, peer):
    """Whatever the header says, the client is an address or a network."""
    for forwarded in (text, addresses, f"{text},{addresses}", f"192.0.2.9,{text}"):
        assert ip_network(found(peer, forwarded)).version in (4, 6)


@given(st.ip_addresses())
def test_every_spelling_is_one_address(address):
    """Brackets, ports, zones, quotes and case don't tell clients apart."""
    bare, exploded = str(address), address.exploded
    for text in (bare, bare.upper(), exploded, f" {bare} ", f'"{bare}"', f"[{bare}]", f"[{bare}]:80", f"{bare}%zone"):
        assert parse(bare) == parse(text)
    assert address.version == 6 or parse(bare) == address


INSIDE = {
    "192.0.2.9": [
        *["::ffff:192.0.2.9", "::ffff:0:192.0.2.9", "64:ff9b::192.0.2.9", "2002:c000:0209::1", "2002:c000:209:ffff::"],
        *["2001:0:53aa:64c:0:fbfe:3fff:fdf6", "[::FFFF:C000:0209]:443", "::192.0.2.9", "::c000:209"],
    ],
    **{inside: [f"::{inside}"] for inside in ("1.0.0.0", "1.2.3.4", "255.255.255.254")},
    **{plain: [plain] for plain in ("2001:db8::1", "64:ff9b:1::192.0.2.9", "::1", "::", "::ff:ffff", "::1:0:0")},
    "2003::c000:209": ["2003::c000:209"],
}


@pytest.mark.parametrize(("address", "spelled"), [(one, text) for one, texts in INSIDE.items() for text in texts])
def test_an_ipv4_address_inside_of_an_ipv6_one(address, spelled):
    """Mapped, translated (SIIT, NAT64), 6to4, Teredo, or compatible (but `::1` and its like); others are themselves."""
    assert ip_address(address) == parse(spelled)


# Who is not believed


@pytest.mark.parametrize("proxies", [[], ["10.0.0.0/8"], ["unix"]])
def test_untrusted_peer_says_nothing(proxies, settings, caplog):
    """The header of a peer that is no trusted proxy is ignored, with a warning, once per process."""
    settings.LOCKOUT_TRUSTED_PROXIES = proxies
    for number in range(5):
        assert found(forwarded=f"192.0.2.{number}") == PEER
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("lockout_decorators", logging.WARNING)
    assert "LOCKOUT_TRUSTED_PROXIES" in record.getMessage()


def test_trusted_peer_is_no_reason_to_warn(behind_proxies, caplog):
    """Nor is a request without the header."""
    assert found(PROXY, "192.0.2.9") == "192.0.2.9"
    assert found() == PEER
    assert caplog.records == []


@pytest.mark.parametrize("name", ["X_REAL_IP", "FORWARDED", "X_FORWARDED", "CLIENT_IP", "TRUE_CLIENT_IP"])
@pytest.mark.parametrize("peer", [PEER, PROXY])
def test_other_headers_are_ignored(name, peer, behind_proxies):
    """Only X-Forwarded-For is read, whoever sends the others."""
    assert peer == found(peer, **{f"HTTP_{name}": "192.0.2.9"})
    assert peer == found(peer, HTTP_FORWARDED="for=192.0.2.9;proto=https")


@pytest.mark.parametrize(
    ("peer", "proxies", "header"),
    [
        (PEER, [], "HTTP_X_FORWARDED_FOR"),
        (PEER, ["10.0.0.0/8"], "HTTP_X_FORWARDED_FOR"),
        (PROXY, ["10.0.0.0/8"], "HTTP_X_REAL_IP"),
        (PROXY, ["10.0.0.0/8"], "HTTP_FORWARDED"),
    ],
)
def test_forged_addresses_give_no_further_guesses(peer, proxies, header, guess, settings, verified):
    """A header of the client's own making doesn't make it another client."""
    settings.LOCKOUT_TRUSTED_PROXIES = proxies
    statuses = [guess(peer=peer, **{header: f"192.0.2.{number}"}) for number in range(10)]
    assert statuses == MAX * [401] + 7 * [429]
    assert guess(RIGHT, peer, **{header: VICTIM}) == 429
    assert len(verified) == MAX


def test_forged_hops_give_no_further_guesses(guess, behind_proxies, verified):
    """What a client puts to the left of what the proxy adds is not looked at."""
    statuses = [guess(peer=PROXY, forwarded=f"192.0.2.{number}, {PEER}") for number in range(10)]
    assert statuses == MAX * [401] + 7 * [429]
    assert guess(RIGHT, PROXY, f"{VICTIM}, {PEER}") == 429
    assert len(verified) == MAX
    assert guess(RIGHT, PROXY, VICTIM) == 200


@pytest.mark.parametrize("forwarded", [VICTIM, f"{VICTIM}, {VICTIM}", f"{VICTIM}, {PROXY}"])
@pytest.mark.parametrize("proxies", [[], ["10.0.0.0/8"]])
def test_forging_the_address_of_a_victim_does_not_lock_the_victim(forwarded, proxies, guess, settings, verified):
    """The guesser is locked out, and whose address it claimed to have signs in."""
    settings.LOCKOUT_TRUSTED_PROXIES = proxies
    for _ in range(MAX + 1):
        guess(forwarded=forwarded)
    assert guess(RIGHT, VICTIM) == 200
    assert guess(RIGHT) == 429
    assert len(verified) == MAX + 1


# One subscriber, one client


def test_addresses_of_a_network_are_one_client(guess, verified):
    """Very many addresses of one IPv6 /64 get no more guesses than one."""
    for number in range(1000 if IN_FULL else 100):
        guess(peer=str(ip_address("2001:db8::") + number * 0x1234567890ABC))
    assert guess(RIGHT, "2001:db8::ffff:ffff:ffff:ffff") == 429
    assert len(verified) == MAX
    assert guess(RIGHT, "2001:db8:0:1::1") == 200


@pytest.mark.parametrize(
    ("prefix", "client"),
    [(128, "2001:db8:1:2:3:4:5:6/128"), (64, "2001:db8:1:2::/64"), (56, "2001:db8:1::/56"), (1, "::/1")],
)
def test_prefix_is_a_setting(prefix, client, settings):
    """LOCKOUT_IPV6_PREFIX says how many bits are one subscriber."""
    settings.LOCKOUT_IPV6_PREFIX = prefix
    assert client == found("2001:db8:1:2:3:4:5:6")
    assert found() == PEER


@pytest.mark.parametrize(
    ("peer", "other"),
    [
        ("192.0.2.66", "::ffff:192.0.2.66"),
        ("192.0.2.66", "::FFFF:C000:0242"),
        ("192.0.2.66", "0:0:0:0:0:ffff:c000:242"),
        ("2001:db8::a", "2001:DB8::A"),
        ("2001:db8::a", "2001:0db8:0000:0000:0000:0000:0000:000a"),
        ("2001:db8::a", "2001:db8:0:0::a"),
        ("fe80::1%eth0", "fe80::1%eth1"),
        ("fe80::1", "fe80::1%25lo"),
    ],
)
def test_spellings_are_one_client(peer, other, guess, settings, verified):
    """Mapped, upper case, zero runs and zones: the guesses of all spellings are counted together."""
    settings.LOCKOUT_IPV6_PREFIX = 128
    for number in range(2 * MAX):
        guess(peer=(peer, other)[number % 2])
    assert (guess(RIGHT, peer), guess(RIGHT, other)) == (429, 429)
    assert len(verified) == MAX


# Unix sockets


@pytest.mark.parametrize("peer", ["", "unix:", "/run/socket", "@", "\x00"])
@pytest.mark.parametrize("proxies", [[], ["10.0.0.0/8"]])
def test_unix_socket_needs_a_word(peer, proxies, guess, settings, verified):
    """All visitors would be one client: the message has the line to write, and no guess passes."""
    settings.LOCKOUT_TRUSTED_PROXIES = proxies
    with pytest.raises(ImproperlyConfigured, match=r'write LOCKOUT_TRUSTED_PROXIES = \["unix"\]\.$'):
        guess(RIGHT, peer, "192.0.2.9")
    assert verified == []


def test_server_may_give_no_address_at_all(rf):
    """As under ASGI, where REMOTE_ADDR is absent."""
    request = rf.get("/")
    del request.META["REMOTE_ADDR"]
    with pytest.raises(ImproperlyConfigured, match="REMOTE_ADDR"):
        client_address(request)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        (["unix"], "192.0.2.9", "192.0.2.9"),
        (["unix"], "198.51.100.1, 192.0.2.9", "192.0.2.9"),
        (["unix"], "192.0.2.9, 10.2.2.2", "10.2.2.2"),
        (["unix", "10.0.0.0/8"], "192.0.2.9, 10.2.2.2", "192.0.2.9"),
        (["unix", "10.0.0.0/8"], "junk, 10.2.2.2", "10.2.2.2"),
        (["unix", "10.0.0.0/8"], "192.0.2.9, unix:", "192.0.2.9"),
        (["unix", "10.0.0.0/8"], "192.0.2.9, unix:, 10.0.0.1,unix:", "192.0.2.9"),
    ],
)
def test_trusted_unix_socket_hands_the_header_on(proxies, forwarded, client, settings, caplog):
    """With "unix" among the trusted ones the last hop is the peer of the proxy, which writes `unix:` for a socket."""
    settings.LOCKOUT_TRUSTED_PROXIES = proxies
    assert client == found("", forwarded)
    assert caplog.records == []


@pytest.mark.parametrize("forwarded", [None, "", "junk", "192.0.2.9, junk", "192.0.2.9, unix:x"])
def test_proxy_behind_the_socket_has_to_name_the_client(forwarded, settings):
    """A proxy that doesn't would make all visitors one client too."""
    settings.LOCKOUT_TRUSTED_PROXIES = ["unix"]
    with pytest.raises(ImproperlyConfigured, match="sets no X-Forwarded-For that can be read"):
        found("", forwarded)


# LOCKOUT_CLIENT_IP


def from_cdn(request):
    return request.headers.get("Cf-Connecting-Ip")


@pytest.mark.parametrize("named", [from_cdn, f"{__name__}.from_cdn"])
@pytest.mark.parametrize(
    ("said", "client"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("2001:DB8::1", "2001:db8::/64"),
        ("[2001:db8::1]:80", "2001:db8::/64"),
    ],
)
def test_project_may_find_the_address(named, said, client, settings, caplog):
    """A callable, or its dotted path; what it returns is counted as any address is."""
    settings.LOCKOUT_CLIENT_IP = named
    assert client == found(HTTP_CF_CONNECTING_IP=said)
    assert client == found("", HTTP_CF_CONNECTING_IP=said)
    assert caplog.records == []


@pytest.mark.parametrize("nothing", [None, ""])
def test_callable_may_know_nothing(nothing, settings, caplog):
    """Then the request is looked at as usual, and nothing is said."""
    settings.LOCKOUT_CLIENT_IP = lambda request: nothing
    settings.LOCKOUT_TRUSTED_PROXIES = [PROXY]
    assert found() == PEER
    assert found(PROXY, "192.0.2.9") == "192.0.2.9"
    assert caplog.records == []


def test_callable_may_return_an_address_object(settings):
    """What the standard library makes of an address is one."""
    settings.LOCKOUT_CLIENT_IP = lambda request: ip_address("2001:db8::1")
    assert found() == "2001:db8::/64"


@pytest.mark.parametrize("junk", ["unknown", "192.0.2.9, 192.0.2.8", "evil\r\nline", "x" * 10_000])
def test_callable_that_returns_junk_is_reported(junk, guess, settings, caplog, verified):
    """A warning, on one line and cut; the address of the peer is counted."""
    settings.LOCKOUT_CLIENT_IP = lambda request: junk
    assert found() == PEER
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "\n" not in record.getMessage() and len(record.getMessage()) < 200
    for _ in range(MAX):
        assert guess() == 401
    assert guess(RIGHT) == 429
    assert len(verified) == MAX


async def later(request):
    return "192.0.2.9"  # pragma: no cover


@pytest.mark.parametrize(
    "broken",
    [lambda request: ("192.0.2.9", True), lambda request: 5, lambda request: b"192.0.2.9", later, lambda _: 1 / 0],
    ids=["pair", "number", "bytes", "coroutine", "exception"],
)
def test_a_callable_that_is_wrong_is_one_clear_error(broken, settings):
    """A pair as from ipware, a coroutine, an exception: never everybody as one client."""
    settings.LOCKOUT_CLIENT_IP = broken
    with pytest.raises(ImproperlyConfigured, match="LOCKOUT_CLIENT_IP"):
        found()

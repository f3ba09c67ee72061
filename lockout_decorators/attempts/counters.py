"""Who is counted under a policy: the keys of a client's records, and the digests that its slots carry."""

from collections.abc import Mapping, Sequence
from threading import get_ident
from typing import Any, NamedTuple

from django.http import HttpRequest

from ..clients.addresses import around, client_address
from ..clients.credentials import account_in, fields, is_blank
from ..clients.identities import COMPOUND, text_of
from ..clients.keys import Key, Secret, digest
from ..conf import conf
from ..records.record import NOBODY, TAG, UNTAGGED, WHO
from ..records.rule import Rule
from ..terms.terms import Terms

HOME = 4  # hexadecimal digits that the counters of one client share: a cluster keeps together what has the same
DIGEST = 30  # hexadecimal digits of a client that are kept: 120 bits
FORMAT = "2"  # of the record: versions side by side count apart


class Counter(NamedTuple):
    """One client under one rule of a policy."""

    key: str
    rule: Rule
    ceiling: bool
    terms: Terms
    browser: bool = False

    @property
    def kind(self) -> str:
        """Of which kind of a client's counters it is, for people."""
        return "ceiling" if self.ceiling else "browser" if self.browser else "key"


class Client:
    """Whoever sent a request; `address` is theirs if it is known already, as it is counted."""

    def __init__(self, request: HttpRequest, address: str = "") -> None:
        self.request: HttpRequest = getattr(request, "_request", request)  # DRF's must not resolve its user
        self.address: str = address or client_address(self.request)
        self._secret: Secret = conf.secret_key
        self._digest: str = digest(self._secret, self.address)
        wider = around(self.address)
        self._around: str = digest(self._secret, wider) if wider else ""
        self._spelling: set[int] = set()  # the threads that do

    def counters(self, terms: Terms, identity: str | None, browser: str = "") -> list[Counter]:
        """The counters of a guess at `identity`: of the ceilings first, if there are any, then of the key. Of a known
        `browser` its own, and no other."""
        prefix, parts = conf.cache_prefix, terms.key.parts
        if browser:
            kind, counted = terms.kinds[-1], digest(self._secret, "browser", browser)  # no part of a key has that name
            key = f"{prefix}:{FORMAT}:{{{counted[:HOME]}}}:{kind.name}{counted[:DIGEST]}"
            return [Counter(key, kind.rule, False, terms, True)]
        own = self._digest if parts == ("ip",) else digest(self._secret, *self._spell(terms.key, identity))
        place = self._around or self._digest
        counters = []
        for kind in terms.kinds:
            if kind.wider and not self._around:
                continue
            counted = (place if kind.wider else self._digest) if kind.ceiling else own
            home = place if kind.ceiling or "ip" in parts else own  # one account is one counter from all addresses
            key = f"{prefix}:{FORMAT}:{{{home[:HOME]}}}:{kind.name}{counted[:DIGEST]}"
            counters.append(Counter(key, kind.rule, kind.ceiling, terms))
        return counters

    def _spell(self, key: Key, identity: str | None) -> list[str]:
        """Who asks for `request.user` may make a guess by that: there the address takes the place of all parts."""
        if not key.asks_project:
            return key.spell(self.request, identity, self.address)
        if (thread := get_ident()) in self._spelling:
            return key.spell_absent(self.address)
        self._spelling.add(thread)
        try:
            return key.spell(self.request, identity, self.address)
        finally:
            self._spelling.discard(thread)

    def tag(self, username: Any, further: Sequence[Any] | None, field: str | None = None) -> str:
        """What a success at `username` has to repeat to forgive a failure: the exact name in its field, the host as it
        was sent, the address, and `further` credentials that name the account. Of no name, or if it is not known which
        those are (None): none.
        """
        account = self.account(username, further, field)
        return digest(self._secret, "tag", self.address, *account)[:TAG] if account else UNTAGGED

    def account(self, username: Any, further: Sequence[Any] | None, field: str | None = None) -> tuple[str, ...]:
        """What names an account exactly, from wherever; nothing where tag() has none."""
        if further is None or username is None or isinstance(username, COMPOUND) or not (name := text_of(username)):
            return ()
        meta = self.request.META
        host = meta.get("HTTP_HOST", "") or f"{meta.get('SERVER_NAME')}:{meta.get('SERVER_PORT')}"
        if conf.use_forwarded_host:
            host += f" {meta.get('HTTP_X_FORWARDED_HOST', '')}"
        return (host, field or "", type(username).__name__, name, *map(text_of, further))

    def who(self, identity: str | None) -> str:
        """A short digest of who is tried."""
        return NOBODY if identity is None else digest(self._secret, "who", identity)[:WHO]


def named(terms: Terms, request: HttpRequest, username: Any) -> Any:
    """Who is tried, as the policy computes it from a bare name: under each credential that it may be given as."""
    if username is None or not callable(terms.username):
        return username
    own, *others = fields()
    given = [own, *[name for name in others if name != "email" or "@" in text_of(username)]]
    return account_in(dict.fromkeys(given, username), terms.username, request)[1]


def further(terms: Terms, field: str | None, credentials: Mapping[str, Any]) -> Sequence[Any] | None:
    """The credentials besides the name in `field` that tell whose account it is; None if the policy does not say which
    of several do."""
    if terms.account is not None:
        return [credentials.get(name) for name in terms.account]
    if len(credentials) <= 2 and field in credentials:
        return ()
    others = [name for name, value in credentials.items() if name != field and not is_blank({name: value})]
    return () if len(others) <= 1 else None

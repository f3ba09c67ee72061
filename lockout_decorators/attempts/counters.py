"""Who is counted under a policy: the keys of a client's records, and the digests that its slots carry."""

from collections.abc import Mapping, Sequence
from threading import get_ident
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest

from ..clients.addresses import around, client_address
from ..clients.credentials import is_blank
from ..clients.identities import BYTES, CONTAINERS, text_of
from ..clients.keys import Key, digest, frame, home
from ..conf import conf
from ..records.record import NOBODY, TAG, UNTAGGED, WHO
from ..records.rule import Rule
from ..terms.terms import Terms

FORMAT = "2"  # of the record: versions side by side count apart


class Counter(NamedTuple):
    """One client under one rule of a policy."""

    key: str
    rule: Rule
    ceiling: bool
    terms: Terms


class Client:
    """Whoever sent a request."""

    def __init__(self, request: HttpRequest) -> None:
        self.request: HttpRequest = getattr(request, "_request", request)  # DRF's must not resolve its user
        self.address: str = client_address(self.request)
        self._spelling: set[int] = set()  # the threads that do

    def counters(self, terms: Terms, identity: str | None) -> list[Counter]:
        """The counters of a guess at `identity`: of the ceilings first, if there are any, then of the key."""
        address, wider = frame(self.address), around(self.address)
        place = frame(wider) if wider else address
        spelled = frame(*self._spell(terms.key, identity))
        own = home(place if "ip" in terms.key.parts else spelled)  # one account is one counter from all addresses
        counters = []
        for kind in terms.kinds:
            if kind.wider and not wider:
                continue
            counted, shared = (place if kind.wider else address, home(place)) if kind.ceiling else (spelled, own)
            key = f"{conf.cache_prefix}:{FORMAT}:{{{shared}}}:{digest(kind.frame + counted)}"
            counters.append(Counter(key, kind.rule, kind.ceiling, terms))
        return counters

    def _spell(self, key: Key, identity: str | None) -> list[str]:
        """Who asks for `request.user` may make a guess by that: there the address takes the place of all parts."""
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
        if is_blank({"": username}) or further is None or isinstance(username, (*CONTAINERS, *BYTES)):
            return UNTAGGED
        meta = self.request.META
        host = meta.get("HTTP_HOST", "")
        if settings.USE_X_FORWARDED_HOST:
            host += f" {meta.get('HTTP_X_FORWARDED_HOST', '')}"
        named = [field or "", type(username).__name__, text_of(username), *map(text_of, further)]
        return digest("tag" + frame(host, self.address, *named), TAG)


def who(identity: str | None) -> str:
    """A short digest of who is tried."""
    return NOBODY if identity is None else digest("who" + frame(identity), WHO)


def further(terms: Terms, field: str | None, credentials: Mapping[str, Any]) -> Sequence[Any] | None:
    """The credentials besides the name in `field` that tell whose account it is; None if the policy does not say which
    of several do."""
    if terms.account is not None:
        return [credentials.get(name) for name in terms.account]
    others = [name for name, value in credentials.items() if name != field and not is_blank({name: value})]
    return () if len(others) <= 1 else None

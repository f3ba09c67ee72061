"""A client as somebody describes it: by its address, by the name it tries, and whatever else a key is made of."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

from django.http import HttpRequest

from ..attempts.counters import Client, Counter, named
from ..clients.addresses import counted, parse
from ..clients.identities import fold
from ..terms.terms import Terms

NOWHERE = "0.0.0.0"  # noqa: S104  # stands for an address that nobody has asked about


@dataclass(frozen=True, slots=True)
class Described:
    """The parts of a client that are known; `None`: not this one.

    Attributes:
        ip: The address, as text, or the network that an IPv6 one is counted as. ValueError if it is neither.
        username: The name tried, as it was sent.
        user_agent: The User-Agent header, exactly.
        user: The primary key of the account that is signed in.
        session: The session's key.
        headers: Other headers, by their names.
    """

    ip: str | None = None
    username: str | None = None
    user_agent: str | None = None
    user: str | None = None
    session: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.ip is not None:
            address, _, prefix = self.ip.partition("/")
            found = ipaddress.ip_address(address)
            if getattr(found, "scope_id", None):
                raise ValueError(f"{self.ip!r} has a zone, which may hold anything, and is no client's")
            if prefix and self.ip != counted(found):
                raise ValueError(f"{self.ip!r} is no address, nor the network as which an IPv6 one is counted")

    @property
    def parts(self) -> set[str]:
        """The parts of keys that it tells."""
        told = {"ip": self.ip, "username": self.username, "ua": self.user_agent}
        told |= {"user": self.user, "session": self.session}
        return {part for part, value in told.items() if value is not None} | {f"header:{name}" for name in self.headers}

    def lacks(self, policy: Terms) -> list[str] | None:
        """The parts of a policy's key that it does not tell; None where that is code, or the user name is computed from
        more than a description."""
        known = {part.lower() for part in self.parts}
        lacking = [part for part in policy.key.parts if part.lower() not in known]
        return lacking if policy.key.parts and (lacking or self._names(policy)) else None

    def _names(self, policy: Terms) -> bool:
        try:
            named(policy, self._client().request, self.username)
        except Exception:  # noqa: BLE001  # it may look for a host, or for another credential
            return False
        return True

    def counters(self, policy: Terms) -> list[Counter]:
        """Those of the client under a policy, as far as it is described: of its address alone, if that is all."""
        client = self._client()
        complete = self.lacks(policy) == []
        found = client.counters(policy, fold(named(policy, client.request, self.username)) if complete else None)
        return [one for one in found if complete or (one.ceiling and self.ip is not None)]

    def _client(self) -> Client:
        request, where = HttpRequest(), (self.ip or NOWHERE).partition("/")[0]
        request.META = {"REMOTE_ADDR": where}
        request.META |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()}
        if self.user_agent is not None:
            request.META["HTTP_USER_AGENT"] = self.user_agent
        request.user = SimpleNamespace(pk=self.user, is_authenticated=self.user is not None)  # type: ignore[assignment]
        request.session = SimpleNamespace(session_key=self.session)  # type: ignore[assignment]
        address = parse(where)
        return Client(request, counted(address) if address else NOWHERE)

"""What a block knows of the browser that sent its request, and the cookies that it leaves there."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.http import HttpRequest

from ..clients.browsers import Account, Row, new_browser, new_row, put, rows_of, seal_of, take_back
from ..clients.credentials import fields
from ..clients.identities import fold
from ..terms.terms import Terms
from .counters import Client
from .guess import Party


class Browsers:
    """For the policies of a block that ask who is known."""

    def __init__(self, request: HttpRequest) -> None:
        self.request: HttpRequest = request
        self._found: dict[Any, str] = {}
        self.proven: list[Party] = []  # and not yet settled
        self._rows: dict[str, tuple[list[Row], timedelta]] = {}  # of the cookies to set, scope by scope

    def recognise(self, parties: Sequence[Party]) -> Sequence[Party]:
        """Each policy's part in a guess: the browser's, if that is known at the account that is tried. The project may
        be asked, and its database."""
        enforced = self.known([party for party in parties if party.terms.enforce])
        known = self.known(parties)
        return [party._replace(browser=enforced if party.terms.enforce else known) for party in parties]

    def known(self, parties: Sequence[Party]) -> str:
        """The browser's name, if all policies know it that ask; else nothing."""
        names = [self._name(party) for party in parties if party.terms.known_browsers is not None]
        return " ".join(dict.fromkeys(names)) if all(names) else ""

    def prove(self, parties: Sequence[Party]) -> None:
        """Somebody has signed in there."""
        self.proven += [party for party in parties if party.account]

    def settle(self, response: Any, failed: bool) -> None:
        """Make out the cookies, and set them; none, if another guess has failed, as a wrong code after a right
        password."""
        if failed:
            for scope in self._rows if hasattr(response, "cookies") else ():
                take_back(response, self.request, scope)
            self._rows.clear()
        else:
            self._write()
        self.proven.clear()
        self.mark(response)

    def mark(self, response: Any) -> None:
        """What is no response stays as it is."""
        if hasattr(response, "set_cookie"):
            for scope, (rows, lifetime) in self._rows.items():
                put(response, self.request, scope, rows, lifetime)

    def _write(self) -> None:
        browsers: dict[Account, str] = defaultdict(new_browser)  # one account's failures are none of another's
        for party in self.proven:
            account, scope, own = party.account, party.terms.scope, party.terms.known_browsers or timedelta()
            rows, lifetime = self._rows.get(scope) or (rows_of(self.request, scope), own)
            if (seal := seal_of(self.request, party.username)) is not None:
                lifetime = max(own, lifetime)
                others = [row for row in rows if row.is_fresh(lifetime) and not row.is_of(account)]
                self._rows[scope] = [new_row(account, seal, browsers[account]), *others], lifetime

    def _name(self, party: Party) -> str:
        asked = party.terms.scope, party.terms.known_browsers, party.account
        if asked not in self._found:
            self._found[asked] = self._look_up(party)
        return self._found[asked]

    def _look_up(self, party: Party) -> str:
        for row in _fresh(party.terms, self.request) if party.account else ():
            if row.is_of(party.account):
                seal = seal_of(self.request, party.username)
                return row.browser if seal is not None and (not seal or row.is_sealed(seal)) else ""
        return ""


class Parties:
    """Who takes part in the guesses of one block.

    Attributes:
        browsers: Who is known; None until a policy asks.
    """

    client: Client
    browsers: Browsers | None = None

    def party(self, terms: Terms, username: Any, further: Sequence[Any] | None = (), field: str | None = None) -> Party:
        party = Party(terms, username, fold(username), self.client.tag(username, further, field))
        if terms.known_browsers is None:
            return party
        vars(self).setdefault("browsers", Browsers(self.client.request))  # one, whatever threads ask at once
        return party._replace(account=self.client.account(username, further, field))


def may_be_known(policies: Sequence[Terms], request: HttpRequest) -> bool:
    """Whether a request may be a known browser's, at whatever account: by a cookie of each policy that asks, or of each
    that is enforced too."""
    asking = [(terms.enforce, bool(_fresh(terms, request))) for terms in policies if terms.known_browsers is not None]
    enforced = [fresh for enforce, fresh in asking if enforce]
    return all([fresh for _, fresh in asking]) or (bool(enforced) and all(enforced))


def browser_of(named: Sequence[tuple[Terms, Any]], client: Client) -> str:
    """What the browser is called that is known at an account, whichever credential named that, by each policy beside
    its own word for the account; empty if it is not known."""
    browsers = Browsers(client.request)
    parties = [
        [Party(terms, name, account=client.account(name, (), field)) for terms, name in named]
        for field in (None, *fields())
    ]
    return next(filter(None, map(browsers.known, parties)), "")


def _fresh(terms: Terms, request: HttpRequest) -> list[Row]:
    lifetime = terms.known_browsers or timedelta()
    return [row for row in rows_of(request, terms.scope) if row.is_fresh(lifetime)]

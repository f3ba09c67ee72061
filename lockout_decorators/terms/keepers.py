"""Who can keep out whom, in the reader's language; `str()` says it in English."""

from collections.abc import Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, override, pgettext

from .plan import Kind
from .terms import Terms

ACCOUNT = ("username", "user")  # parts of a key that are one for all guesses at an account
TOGETHER = {
    "ip": gettext_lazy("behind the same address"),
    "ua": gettext_lazy("with the same user agent"),
    "session": gettext_lazy("in the same session"),
    "callable": gettext_lazy("with the same key"),
}


class Keeper(NamedTuple):
    """Who can keep out whom.

    Attributes:
        whom: A part of `ACCOUNT`: who has that account; else all.
        shared: What is the same for both, by parts of keys, or "callable".
        guesses: How many wrong ones it takes.
        spares: Whether known browsers are spared.
    """

    whom: str
    shared: tuple[str, ...]
    guesses: int
    spares: bool

    def __str__(self) -> str:
        with override(None):
            return self.told()

    def told(self) -> str:
        """A sentence; what is shared stands where the language has it."""
        told = {"who": self._who(), "count": self.guesses, "whom": self._whom()}
        said = ngettext(
            "%(who)s, by %(count)d wrong guess: %(whom)s", "%(who)s, by %(count)d wrong guesses: %(whom)s", self.guesses
        )
        return _("%(sentence)s, save known browsers") % {"sentence": said % told} if self.spares else said % told

    def _who(self) -> str:
        who = _("whoever is signed in") if self.whom == "user" else pgettext("lockouts", "anybody")
        for part in self.shared:
            who = _("%(who)s %(shared)s") % {"who": who, "shared": TOGETHER.get(part) or _("with the same %s") % part}
        return who

    def _whom(self) -> str:
        if self.whom == "user":
            return _("that account's user there") if self.shared else _("that account's user anywhere")
        if self.whom == "username":
            return _("the owner of the account there") if self.shared else _("the owner of the account anywhere")
        return _("all there")


def keepers(policies: Sequence[Terms]) -> tuple[Keeper, ...]:
    """Who can keep out whom at a door with these policies; where one asks who is known, all spare known browsers."""
    spares = any([one.known_browsers for one in policies if one.enforce])
    return tuple(dict.fromkeys([_keeper(terms, kind, spares) for terms in policies for kind in refusing(terms)]))


def refusing(terms: Terms) -> list[Kind]:
    """The kinds of counters that refuse; of a network no more than of an address."""
    return [kind for kind in terms.plan.kinds if not kind.wider] if terms.enforce else []


def _keeper(terms: Terms, kind: Kind, spares: bool) -> Keeper:
    parts = ("ip",) if kind.ceiling else terms.key.parts or ("callable",)
    shared = tuple([part for part in parts if part not in ACCOUNT])
    whom = next((part for part in ("user", "username") if part in parts), "")
    return Keeper(whom, shared, min(kind.rule.max, kind.rule.spread or kind.rule.max), spares)

"""Who can keep out whom, in the reader's language; `str()` of a Keeper says the same in English."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from ...terms.bounds import Keeper

TOGETHER = {
    "ip": gettext_lazy("behind the same address"),
    "ua": gettext_lazy("with the same user agent"),
    "session": gettext_lazy("in the same session"),
    "callable": gettext_lazy("with the same key"),
}


def keeps_out(keeper: Keeper) -> str:
    """A sentence; what is shared stands where the language has it."""
    told = {"who": _who(keeper), "count": keeper.guesses, "whom": _whom(keeper)}
    said = ngettext(
        "%(who)s, by %(count)d wrong guess: %(whom)s", "%(who)s, by %(count)d wrong guesses: %(whom)s", keeper.guesses
    )
    return _("%(sentence)s, save known browsers") % {"sentence": said % told} if keeper.spares else said % told


def _who(keeper: Keeper) -> str:
    who = _("whoever is signed in") if keeper.whom == "user" else pgettext("lockouts", "anybody")
    for part in keeper.shared:
        who = _("%(who)s %(shared)s") % {"who": who, "shared": TOGETHER.get(part) or _("with the same %s") % part}
    return who


def _whom(keeper: Keeper) -> str:
    if keeper.whom == "user":
        return _("that account's user there") if keeper.shared else _("that account's user anywhere")
    if keeper.whom == "username":
        return _("the owner of the account there") if keeper.shared else _("the owner of the account anywhere")
    return _("all there")

"""What the page says of locks and policies, in words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext, pgettext_lazy

from ...policy import LockoutPolicy
from ...support.policies import in_short
from ...support.standing import Standing
from ...terms.keepers import keepers

COUNTERS = {
    "key": pgettext_lazy("lockouts", "client"),
    "ceiling": _("address or network"),
    "browser": _("known browser"),
}
DAY, HOUR, MINUTE = 86_400, 3_600, 60


class Row(NamedTuple):
    """A counter, as the page shows it."""

    standing: Standing
    counter: object
    state: str
    name: str


class Rule(NamedTuple):
    """A policy, as the page shows it: the guesses at one account, a day in the long run and in the worst one, from as
    many addresses as its column says."""

    told: dict[str, Any]
    window: str
    lockout: str
    interval: int
    account: Sequence[tuple[str, str]]
    keeps_out: Sequence[str]


def row(standing: Standing) -> Row:
    return Row(standing, COUNTERS[standing.status.counter], _state(standing), readable(standing.username))


def rule(policy: LockoutPolicy) -> Rule:
    told, bounds = in_short(policy), policy.bounds()
    lengths = told["lockout"] if isinstance(told["lockout"], tuple) else (told["lockout"],)
    account = [(_number(one.per_day), _number(one.day)) for one in bounds.account]
    kept_out = [keeper.told() for keeper in keepers([policy])]
    return Rule(told, duration(told["window"]), _locks(lengths), bounds.interval, account, kept_out)


def readable(name: str | None) -> str:
    """A user name as people read it: what can't be seen, or turns the direction of what follows, is spelled out."""
    return "".join([one if one.isprintable() else ascii(one)[1:-1] for one in name or ""])


def duration(seconds: float) -> str:
    """In the largest unit that makes a whole number."""
    days, hours, minutes = [int(seconds // length) for length in (DAY, HOUR, MINUTE)]
    if days and seconds % DAY == 0:
        return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
    if hours and seconds % HOUR == 0:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    if minutes and seconds % MINUTE == 0:
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    return ngettext("%(count)s second", "%(count)s seconds", int(seconds)) % {"count": f"{seconds:g}"}


def _state(standing: Standing) -> str:
    told = standing.status
    if told.locked:
        return str(_("locked, not enforced")) if standing.passes else pgettext("lockouts", "locked")
    if told.failures:
        counted = {"failures": told.failures, "maximum": told.maximum}
        return _("%(failures)d of %(maximum)d failures") % counted
    return pgettext("of a client", "free")


def _locks(lengths: Sequence[float | None]) -> str:
    if None in lengths:
        return str(_("until it is lifted"))
    return ", ".join([duration(length) for length in lengths if length]) or pgettext("lockouts", "none")


def _number(number: float | None) -> str:
    if number is None:
        return str(_("no bound"))
    if number < 10:
        return number_format(f"{number:.3g}")
    return number_format(round(number), force_grouping=True)

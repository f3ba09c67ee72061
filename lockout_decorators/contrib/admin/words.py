"""What the page says of locks and policies, in words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

from ...policy import LockoutPolicy
from ...support.policies import in_short
from ...support.standing import Standing

COUNTERS = {"key": _("client"), "ceiling": _("address or network"), "browser": _("known browser")}
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
    return Rule(told, duration(told["window"]), _locks(lengths), bounds.interval, account, bounds.keeps_out)


def readable(name: str | None) -> str:
    """A user name as people read it: what can't be seen, or turns the direction of what follows, is spelled out."""
    return "".join([one if one.isprintable() else ascii(one)[1:-1] for one in name or ""])


def duration(seconds: float) -> str:
    """In the largest unit that makes a whole number."""
    if seconds >= DAY and seconds % DAY == 0:
        return ngettext_lazy("%d day", "%d days", int(seconds // DAY)) % (seconds // DAY)
    if seconds >= HOUR and seconds % HOUR == 0:
        return ngettext_lazy("%d hour", "%d hours", int(seconds // HOUR)) % (seconds // HOUR)
    if seconds >= MINUTE and seconds % MINUTE == 0:
        return ngettext_lazy("%d minute", "%d minutes", int(seconds // MINUTE)) % (seconds // MINUTE)
    return ngettext_lazy("%s second", "%s seconds", int(seconds)) % f"{seconds:g}"


def _state(standing: Standing) -> str:
    told = standing.status
    if told.locked:
        return str(_("locked, not enforced") if standing.passes else _("locked"))
    if told.failures:
        counted = {"failures": told.failures, "maximum": told.maximum}
        return _("%(failures)d of %(maximum)d failures") % counted
    return str(pgettext_lazy("of a client", "free"))


def _locks(lengths: Sequence[float | None]) -> str:
    if None in lengths:
        return str(_("until it is lifted"))
    return ", ".join([duration(length) for length in lengths if length]) or str(_("none"))


def _number(number: float | None) -> str:
    if number is None:
        return str(_("no bound"))
    return f"{number:,.0f}" if number >= 10 else f"{number:.3g}"

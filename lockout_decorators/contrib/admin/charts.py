"""Charts as paths of SVG: one small row of bars for each kind of event, with its numbers beside it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.timezone import localtime
from django.utils.translation import pgettext_lazy

from ...journal.tally import Tally
from ...support.numbers import LONG, Numbers, total

KINDS = (
    ("failures", pgettext_lazy("lockouts", "Failures")),
    ("locks", pgettext_lazy("lockouts", "Locks")),
    ("refusals", pgettext_lazy("lockouts", "Refusals")),
)
WIDTH, HEIGHT = 240, 24  # of a row of bars
HOUR = '<tr><th scope="row"><time datetime="{}">{}</time></th><td>{}</td><td>{}</td><td>{}</td></tr>'


BEGAN = attrgetter("began")


class Bars(NamedTuple):
    """A row of bars: its kind, the sum, the highest one, and the path that draws them."""

    kind: str
    label: object
    total: int
    most: int
    path: str


class Chart(NamedTuple):
    """Of one scope: three rows for the hour and for the day; and the hours of the day in which there was something, as
    rows of a table."""

    scope: str
    hour: Sequence[Bars]
    day: Sequence[Bars]
    hours: str


def charts(numbers: Sequence[Numbers]) -> list[Chart]:
    """Of the scopes in which there was something in the last day."""
    starts = {began: [_told(began + timedelta(hours=hour)) for hour in range(LONG)] for began in {*map(BEGAN, numbers)}}
    return [_chart(one, starts[one.began]) for one in numbers if any(total(one.day))]


def _chart(numbers: Numbers, starts: Sequence[tuple[str, str]]) -> Chart:
    hours = [(*start, *tally) for start, tally in zip(starts, numbers.day, strict=True) if any(tally)]
    return Chart(numbers.scope, _bars(numbers.hour), _bars(numbers.day), format_html_join("\n", HOUR, hours))


def _told(time: datetime) -> tuple[str, str]:
    """As machines read it, and as people do."""
    here = localtime(time)
    return here.isoformat(), date_format(here, "SHORT_DATETIME_FORMAT")


def _bars(tallies: Sequence[Tally]) -> list[Bars]:
    rows = zip(KINDS, zip(*tallies, strict=True), strict=True)
    return [Bars(kind, label, sum(row), max(row), _path(row)) for (kind, label), row in rows]


def _path(values: Sequence[int]) -> str:
    """A bar for each value but 0, the highest one as high as there is room; none so low that nobody sees it."""
    step, most = WIDTH // len(values), max(*values, 1)
    heights = [value and max(2, round(value * HEIGHT / most)) for value in values]
    bars = [
        f"M{number * step} {HEIGHT}v-{height}h{step - 2}v{height}z" for number, height in enumerate(heights) if height
    ]
    return "".join(bars)

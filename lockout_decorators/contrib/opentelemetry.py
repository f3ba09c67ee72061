"""For OpenTelemetry's API: counters of what is told. Write `opentelemetry.connect()` in the `ready()` of an app of
yours; what exports them, and where to, is the SDK's business."""

from collections.abc import Mapping
from functools import cache

from opentelemetry.metrics import MeterProvider, get_meter

from .metrics import METRICS
from .metrics import connect as connect_metrics

METER = "lockout_decorators"


def connect(provider: MeterProvider | None = None) -> None:
    """Count by meters of `provider`, or of the global one, as `lockout.failures` and the like. Once more with the same
    one changes nothing."""
    _connect(provider)


@cache
def _connect(provider: MeterProvider | None) -> None:
    meter = get_meter(METER, meter_provider=provider)
    counters = {
        name: meter.create_counter(f"lockout.{name}", unit="{event}", description=metric.help)
        for name, metric in METRICS.items()
    }

    def add(name: str, amount: int, labels: Mapping[str, str]) -> None:
        counters[name].add(amount, dict(labels))

    connect_metrics(add)

"""For prometheus_client: counters of what is told. Write `prometheus.connect()` in the `ready()` of an app of yours.

With several worker processes its own multiprocess mode adds them up: counters need nothing more.
"""

from collections.abc import Mapping
from functools import cache

from prometheus_client import REGISTRY, CollectorRegistry, Counter

from .metrics import METRICS
from .metrics import connect as connect_metrics


def connect(registry: CollectorRegistry = REGISTRY) -> None:
    """Count in `registry`, as `lockout_failures_total` and the like. Once more with the same one changes nothing."""
    _connect(registry)


@cache
def _connect(registry: CollectorRegistry) -> None:
    counters = {
        name: Counter(f"lockout_{name}", metric.help, metric.labels, registry=registry)
        for name, metric in METRICS.items()
    }

    def add(name: str, amount: int, labels: Mapping[str, str]) -> None:
        counters[name].labels(**labels).inc(amount)

    connect_metrics(add)

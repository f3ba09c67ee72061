"""The counters for Prometheus and OpenTelemetry, by their real packages: how much of what, never whose."""

from datetime import timedelta

import pytest
from django.test import RequestFactory
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry

from lockout_decorators import LockedOut, LockoutPolicy, LockoutStatus, lockout_protect, signals
from lockout_decorators.contrib import opentelemetry, prometheus
from tests.doors import FORM, RIGHT, check

HERE = "192.0.2.1"


def request_for(form=FORM, address=HERE):
    return RequestFactory().post("/", form, REMOTE_ADDR=address)


@pytest.fixture
def counted_by_prometheus(receivers):
    registry = CollectorRegistry()
    prometheus.connect(registry)
    prometheus.connect(registry)

    def counted():
        samples = [sample for family in registry.collect() for sample in family.samples]
        return {
            (sample.name.removeprefix("lockout_").removesuffix("_total"), *sorted(sample.labels.items())): sample.value
            for sample in samples
            if sample.name.endswith("_total")
        }

    return counted


@pytest.fixture
def counted_by_opentelemetry(receivers):
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    opentelemetry.connect(provider)
    opentelemetry.connect(provider)

    def counted():
        found = {}
        for resource in reader.get_metrics_data().resource_metrics:
            for metric in resource.scope_metrics[0].metrics:
                for point in metric.data.data_points:
                    found[(metric.name.removeprefix("lockout."), *sorted(point.attributes.items()))] = point.value
        return found

    yield counted
    provider.shutdown()


@pytest.fixture(params=["prometheus", "opentelemetry"])
def counted(request):
    """What is not 0, as {(name, scope, counter, enforced): value}; both count once, though connected twice."""
    everything = request.getfixturevalue(f"counted_by_{request.param}")

    def counted(zeros=False):
        found = {}
        for (name, *pairs), value in everything().items():
            if value or zeros:
                labels = dict(pairs)
                assert "true" in labels.values() or "false" in labels.values()
                found[name, labels["scope"], *[labels[key] for key in sorted(labels) if key != "scope"]] = value
        return found

    return counted


def test_every_event_is_counted_once(counted):
    """By scope, by kind of counter, and whether it is enforced."""
    policy = LockoutPolicy(scope="s", max=2)
    trial = LockoutPolicy(scope="trial", key="ip", max=1, enforce=False)
    view = lockout_protect(policy, trial)(check)
    for form in (FORM, RIGHT, FORM, FORM, FORM):
        view(request_for(form))
    policy.reset(request_for())
    assert {
        ("failures", "s", "key", "true"): 3,
        ("successes_after_failures", "s", "key", "true"): 1,
        ("locks", "s", "key", "true"): 1,
        ("refusals", "s", "key", "true"): 1,
        ("resets", "s", "key", "true"): 1,
        ("failures", "trial", "key", "false"): 1,
        ("locks", "trial", "key", "false"): 1,
        ("successes_after_failures", "trial", "key", "false"): 1,
        ("refusals", "trial", "key", "false"): 3,
    } == counted()


def test_the_address_alone_is_counted_apart(counted):
    """A sprayer's lock is the ceiling's."""
    view = lockout_protect(scope="s", key="ip+username", max=1, ceiling=2)(check)
    for name in ("ann", "joe", "kim"):
        view(request_for({**FORM, "username": name}))
    found = counted()
    assert (2, 2) == (found["failures", "s", "key", "true"], found["locks", "s", "key", "true"])
    assert (1, 1) == (found["locks", "s", "ceiling", "true"], found["refusals", "s", "ceiling", "true"])


def test_a_missing_challenge_is_no_refusal(counted):
    """Nothing was locked."""
    policy = LockoutPolicy(scope="s", max=3, challenge_after=1, challenge=lambda request: False)
    with policy.attempt(request_for()):
        pass
    with pytest.raises(LockedOut):
        policy.attempt(request_for()).__enter__()
    assert {("failures", "s", "key", "true"): 1, ("challenges", "s", "key", "true"): 1} == counted()


def test_an_outage_is_counted_by_its_cache(counted):
    """And whether guesses go ahead."""
    with pytest.raises(LockedOut):
        LockoutPolicy(scope="s", cache="gone").attempt(request_for()).__enter__()
    with LockoutPolicy(scope="trial", cache="gone", enforce=False).attempt(request_for()):
        pass
    assert {("outages", "s", "gone", "false"): 1, ("outages", "trial", "gone", "true"): 1} == counted()


def test_a_lock_that_is_lifted_by_its_reference_is_a_reset(counted):
    """Also where its policy is gone by now."""
    status = LockoutStatus("gone", False, 0, 5, counter="ceiling")
    signals.lockout_reset.send(None, request=request_for(), detail=signals.AttemptDetail(status, HERE, ceiling=True))
    assert {("resets", "gone", "ceiling", "true"): 1} == counted()


def test_counters_begin_at_nothing_with_the_first_event(counted):
    """So that the first lock is an increase; and however many clients there are, no series is added."""
    view = lockout_protect(scope="s", key="username", known_browsers=timedelta(days=1))(check)
    view(request_for())
    begun = counted(zeros=True)
    assert {"key", "ceiling", "browser"} == {name[2] for name in begun if name[0] == "locks"}
    for number in range(20):
        view(request_for({**FORM, "username": f"user{number}"}, f"198.51.100.{number}"))
    assert begun.keys() == counted(zeros=True).keys()

"""Metrics as tables, and the text that Prometheus reads of them; which metrics there are is not known here.

A ``Family`` says what a metric is called, what it tells, and where its value stands in whatever it is about: a view, a
pool, a device, a snapshot. To add one is a line in the table of its program.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Generic, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from stratum_miner.work.durations import DurationCounts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Subject_contra = TypeVar("Subject_contra", contravariant=True)
Samples = Iterable[tuple[Sequence[str], Any]]
"""Values of the labels, and the value; None for one that is not known now, which is left out."""


@dataclass(frozen=True, slots=True)
class Family(Generic[Subject_contra]):
    """A metric of a kind of subject; made by the functions below, one for each type that Prometheus has."""

    make: Callable[..., Any]
    name: str
    """The name without the prefix of the program, and without the ``_total`` of a counter."""
    text: str
    samples: Callable[[Subject_contra], Samples]
    labels: tuple[str, ...] = ()


def gauge(name: str, text: str, value: Callable[[Subject_contra], float | None]) -> Family[Subject_contra]:
    """A number that rises and falls."""
    return Family(GaugeMetricFamily, name, text, lambda subject: [((), value(subject))])


def gauges(name: str, text: str, samples: Callable[[Subject_contra], Samples], *labels: str) -> Family[Subject_contra]:
    """Several of them, told apart by labels."""
    return Family(GaugeMetricFamily, name, text, samples, labels)


def counter(name: str, text: str, value: Callable[[Subject_contra], float | None]) -> Family[Subject_contra]:
    """A total that only grows."""
    return Family(CounterMetricFamily, name, text, lambda subject: [((), value(subject))])


def counters(
    name: str, text: str, samples: Callable[[Subject_contra], Samples], *labels: str
) -> Family[Subject_contra]:
    """Several of them, told apart by labels."""
    return Family(CounterMetricFamily, name, text, samples, labels)


def info(name: str, text: str, values: Callable[[Subject_contra], Mapping[str, str]]) -> Family[Subject_contra]:
    """What does not change while the program runs."""
    return Family(InfoMetricFamily, name, text, lambda subject: [((), values(subject))])


def histogram(name: str, text: str, value: Callable[[Subject_contra], DurationCounts]) -> Family[Subject_contra]:
    """Durations, counted by their lengths in seconds."""
    return Family(HistogramMetricFamily, name, text, lambda subject: [((), value(subject))])


def metrics_of(prefix: str, table: Iterable[Family[Subject_contra]], subject: Subject_contra) -> Iterator[Metric]:
    """The metrics of one subject; without one that has nothing to tell now."""
    return metrics_of_each(prefix, table, [((), subject)])


def metrics_of_each(
    prefix: str,
    table: Iterable[Family[Subject_contra]],
    subjects: Iterable[tuple[Sequence[str], Subject_contra]],
    *labels: str,
) -> Iterator[Metric]:
    """The metrics of several subjects, told apart by labels whose values stand before each."""
    told = list(subjects)
    for family in table:
        metric = family.make(prefix + family.name, family.text, labels=[*labels, *family.labels])
        for key, subject in told:
            for more, value in family.samples(subject):
                if value is not None:
                    metric.add_metric([*key, *more], *_arguments(value))
        if metric.samples or labels:
            yield metric


def _arguments(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, DurationCounts):
        return (value,)
    bounds = (*map(str, value.bounds_s), "+Inf")
    return list(zip(bounds, accumulate(value.counts), strict=True)), value.total_s


class Exposition(Collector):
    """``metrics`` is asked at each scrape."""

    def __init__(self, metrics: Callable[[], Iterable[Metric]]) -> None:
        self._metrics = metrics
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """The metrics in the text format 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Everything of this moment."""
        yield from self._metrics()

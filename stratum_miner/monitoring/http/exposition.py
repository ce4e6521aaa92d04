"""Turns tables of metrics into the text that Prometheus reads. The tables of metrics are in other modules.

A ``Family`` describes one metric: its name, its help text, and how to read its value from a subject. A subject is an
object that holds the measured values, such as a view of the miner, a pool or a device. To add a metric, add a
``Family`` to a table.
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
"""The samples of a metric. Each sample is a pair: the values of its labels, and the measured value. If the measured
value is None, the sample is left out of the text."""


@dataclass(frozen=True, slots=True)
class Family(Generic[Subject_contra]):
    """Describes one metric, which is read from one kind of subject, such as a pool. To create a ``Family``, call the
    function below that is named after the Prometheus type of the metric, such as ``gauge``."""

    make: Callable[..., Any]
    name: str
    """Name of the metric, without the prefix of the program and without the suffix ``_total`` of counters."""
    text: str
    """Help text of the metric."""
    samples: Callable[[Subject_contra], Samples]
    labels: tuple[str, ...] = ()


def gauge(name: str, text: str, value: Callable[[Subject_contra], float | None]) -> Family[Subject_contra]:
    """Return a metric for a number that rises and falls."""
    return Family(GaugeMetricFamily, name, text, lambda subject: [((), value(subject))])


def gauges(name: str, text: str, samples: Callable[[Subject_contra], Samples], *labels: str) -> Family[Subject_contra]:
    """Return a metric with several numbers that rise and fall. ``labels`` are the names of the labels that tell the
    numbers apart."""
    return Family(GaugeMetricFamily, name, text, samples, labels)


def counter(name: str, text: str, value: Callable[[Subject_contra], float | None]) -> Family[Subject_contra]:
    """Return a metric for a total that never falls."""
    return Family(CounterMetricFamily, name, text, lambda subject: [((), value(subject))])


def counters(
    name: str, text: str, samples: Callable[[Subject_contra], Samples], *labels: str
) -> Family[Subject_contra]:
    """Return a metric with several totals that never fall. ``labels`` are the names of the labels that tell the totals
    apart."""
    return Family(CounterMetricFamily, name, text, samples, labels)


def info(name: str, text: str, values: Callable[[Subject_contra], Mapping[str, str]]) -> Family[Subject_contra]:
    """Return a metric for texts that do not change while the program runs."""
    return Family(InfoMetricFamily, name, text, lambda subject: [((), values(subject))])


def histogram(name: str, text: str, value: Callable[[Subject_contra], DurationCounts]) -> Family[Subject_contra]:
    """Return a metric for durations in seconds, counted in buckets."""
    return Family(HistogramMetricFamily, name, text, lambda subject: [((), value(subject))])


def metrics_of(prefix: str, table: Iterable[Family[Subject_contra]], subject: Subject_contra) -> Iterator[Metric]:
    """Yield the metrics of one subject. A metric whose value is not known is left out."""
    return metrics_of_each(prefix, table, [((), subject)])


def metrics_of_each(
    prefix: str,
    table: Iterable[Family[Subject_contra]],
    subjects: Iterable[tuple[Sequence[str], Subject_contra]],
    *labels: str,
) -> Iterator[Metric]:
    """Yield the metrics of several subjects, such as all pools. Each item of ``subjects`` is a pair: the values of
    ``labels`` for this subject, and the subject."""
    labelled = list(subjects)
    for family in table:
        metric = family.make(prefix + family.name, family.text, labels=[*labels, *family.labels])
        for key, subject in labelled:
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
    """Writes all metrics as text. At each scrape, it calls ``metrics`` to get their present values."""

    def __init__(self, metrics: Callable[[], Iterable[Metric]]) -> None:
        self._metrics = metrics
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return the metrics in the Prometheus text format 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the present metrics; prometheus_client calls this."""
        yield from self._metrics()

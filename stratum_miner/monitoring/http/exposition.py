"""Families of metrics as the text that Prometheus reads; which families there are is not known here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from stratum_miner.work.durations import DurationCounts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition(Collector):
    """``families`` is asked at each scrape."""

    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """In the text format 0.0.4."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing in advance: it depends on what there is."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Everything of this moment."""
        yield from self._families()


def histogram(
    name: str, text: str, durations: Iterable[tuple[Sequence[str], DurationCounts]], labels: Sequence[str] = ()
) -> Metric:
    """A histogram with one series for each set of label values."""
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, counted in durations:
        bounds = (*map(str, counted.bounds_s), "+Inf")
        family.add_metric(values, list(zip(bounds, accumulate(counted.counts), strict=True)), counted.total_s)
    return family

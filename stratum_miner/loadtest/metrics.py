"""What a run is counted in, while it runs: histograms per phase, fates of shares, reasons of endings, a time line.

Every latency comes with ``own``: how much of it the generator itself may have caused, an upper bound. A sample of
which that is the greater part is marked. Metrics of shards add up; as plain values they travel.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stratum_miner.loadtest.histogram import Histogram

PHASES = ("connect", "subscribe", "authorize", "first_job", "submit", "notify")
"""Latencies in the order of a miner's life. ``first_job`` runs from the moment at which the connection was due;
``notify`` from the first miner that got a job to each other one."""
UNRELIABLE_FROM = 0.5
"""A sample is marked when more than this part of it may be the generator's,"""
UNRELIABLE_ABOVE = 0.001
"""and more than so many seconds: below, nothing is decided by it, and a loop takes that long to look around."""
LAG_TICK = 0.01
"""Seconds between two looks at the loop's own lag."""
MAX_ROWS = 300
"""Rows of the time line; longer runs have longer rows."""
MAX_ERRORS = 100
"""Kinds of errors told apart, so that a hostile pool makes no endless list of them."""
MAX_NOTIFIES = 256
"""Jobs of which the spread is kept one by one, the newest."""


class LatencyStatistics:
    """Latencies of one kind."""

    __slots__ = ("latency", "overhead", "unreliable")

    def __init__(self) -> None:
        self.latency = Histogram()
        self.overhead = Histogram()
        """The part of each that may be the generator's."""
        self.unreliable = 0

    def add(self, latency: float, overhead: float) -> None:
        """One sample; ``own`` is at most all of it."""
        overhead = min(overhead, latency)
        self.latency.add(latency)
        self.overhead.add(overhead)
        if overhead > latency * UNRELIABLE_FROM and overhead > UNRELIABLE_ABOVE:
            self.unreliable += 1

    def merge(self, other: "LatencyStatistics") -> None:
        """Add another shard's."""
        self.latency.merge(other.latency)
        self.overhead.merge(other.overhead)
        self.unreliable += other.unreliable


@dataclass(slots=True)
class BadCount:
    """What came of the bad submits of one kind."""

    sent: int = 0
    refused: int = 0
    accepted: int = 0


@dataclass(slots=True)
class Spread:
    """One job on its way to the miners; times of the loop's clock."""

    job_id: str
    clean: bool
    first: float
    last: float
    miners: int = 1

    @property
    def seconds(self) -> float:
        """From the first miner to the last."""
        return self.last - self.first


@dataclass(slots=True)
class Row:
    """One stretch of the time line."""

    sent: int = 0
    accepted: int = 0
    refused: int = 0
    mining: int = 0
    """Miners with a job at its end."""
    lag: float = 0.0
    """The loop's longest, seconds."""
    submit: Counter[int] = field(default_factory=Counter)
    """Latencies of shares, in microseconds rounded to two digits."""

    def merge(self, other: "Row") -> None:
        """Add the same stretch of another shard."""
        self.sent += other.sent
        self.accepted += other.accepted
        self.refused += other.refused
        self.mining += other.mining
        self.lag = max(self.lag, other.lag)
        self.submit.update(other.submit)


class Metrics:
    """Everything that one run, or one shard of it, counts."""

    def __init__(self, duration: float) -> None:
        self.phases = {name: LatencyStatistics() for name in PHASES}
        self.loop_lag = Histogram()
        self.sent = 0
        self.accepted = 0
        self.lost = 0
        """Shares whose connection ended before their answer."""
        self.unanswered = 0
        """Shares without an answer when the run ended."""
        self.refused: Counter[str] = Counter()
        """Good shares by the pool's reason."""
        self.bad: dict[str, BadCount] = {}
        self.connections = 0
        self.endings: Counter[str] = Counter()
        """Connections that ended before the run did, by reason."""
        self.errors: Counter[str] = Counter()
        """What should not have happened, by what it was."""
        self.most_mining = 0
        self.late = 0
        """Shares that were not found in time to be sent when they were due."""
        self.doubt = ""
        """Why this machine may find shares late: what is asked of it beside what is known of it."""
        self.notifies: OrderedDict[str, Spread] = OrderedDict()
        self.row_seconds = max(1.0, duration / MAX_ROWS)
        self.rows: list[Row] = [Row()]

    def note_error(self, what: str) -> None:
        """Something went wrong."""
        self.errors[what if what in self.errors or len(self.errors) < MAX_ERRORS else "other"] += 1

    def note_job(self, job_id: str, clean: bool, now: float, overhead: float) -> None:
        """A miner that had a job before got this one."""
        spread = self.notifies.get(job_id)
        if spread is None:
            self.notifies[job_id] = Spread(job_id, clean, now, now)
            if len(self.notifies) > MAX_NOTIFIES:
                self.notifies.popitem(last=False)
            return
        spread.last = now
        spread.miners += 1
        self.phases["notify"].add(now - spread.first, overhead)

    def note_submit(self, latency: float, overhead: float) -> None:
        """A good share was answered."""
        self.phases["submit"].add(latency, overhead)
        micros = int(latency * 1e6)
        digits = 10 ** max(0, len(str(micros)) - 2)
        self.rows[-1].submit[micros // digits * digits] += 1

    def row_at(self, elapsed: float) -> Row:
        """The stretch of the time line at so many seconds; those between are filled in."""
        index = int(elapsed / self.row_seconds)
        while len(self.rows) <= index:
            self.rows.append(Row())
        return self.rows[-1]

    def merge(self, other: "Metrics") -> None:
        """Add another shard's: same plan, same start."""
        for name, phase in self.phases.items():
            phase.merge(other.phases[name])
        self.loop_lag.merge(other.loop_lag)
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in _COUNTERS:
            getattr(self, name).update(getattr(other, name))
        self.doubt = self.doubt or other.doubt
        for kind, count in other.bad.items():
            mine = self.bad.setdefault(kind, BadCount())
            mine.sent += count.sent
            mine.refused += count.refused
            mine.accepted += count.accepted
        for job_id, spread in other.notifies.items():  # clocks differ: of one job, the widest shard's
            mine_of_job = self.notifies.get(job_id)
            if mine_of_job is None:
                self.notifies[job_id] = Spread(job_id, spread.clean, spread.first, spread.last, spread.miners)
                continue
            mine_of_job.miners += spread.miners
            mine_of_job.last = max(mine_of_job.last, mine_of_job.first + spread.seconds)
        for index, row in enumerate(other.rows):
            if index == len(self.rows):
                self.rows.append(Row())
            self.rows[index].merge(row)

    def to_builtins(self) -> dict[str, Any]:
        """Plain values for another process; from another thread, too, while the figures grow."""
        return {
            "phases": {
                name: [_numbers(phase.latency), _numbers(phase.overhead), phase.unreliable]
                for name, phase in self.phases.items()
            },
            "loop_lag": _numbers(self.loop_lag),
            **{name: getattr(self, name) for name in _COUNTS},
            **{name: dict(getattr(self, name)) for name in _COUNTERS},
            "bad": {kind: [count.sent, count.refused, count.accepted] for kind, count in list(self.bad.items())},
            "notifies": [
                [item.job_id, item.clean, item.first, item.last, item.miners] for item in list(self.notifies.values())
            ],
            "doubt": self.doubt,
            "row_seconds": self.row_seconds,
            "rows": [[row.sent, row.accepted, row.refused, row.mining, row.lag, dict(row.submit)] for row in self.rows],
        }

    @classmethod
    def from_builtins(cls, value: Mapping[str, Any]) -> "Metrics":
        """The counterpart of ``to_builtins``."""
        metrics = cls(0.0)
        for name, (latency, overhead, unreliable) in value["phases"].items():
            phase = metrics.phases[name]
            phase.latency, phase.overhead = _histogram(latency), _histogram(overhead)
            phase.unreliable = unreliable
        metrics.loop_lag = _histogram(value["loop_lag"])
        for name in _COUNTS:
            setattr(metrics, name, value[name])
        for name in _COUNTERS:
            setattr(metrics, name, Counter(value[name]))
        metrics.bad = {kind: BadCount(*counts) for kind, counts in value["bad"].items()}
        metrics.notifies = OrderedDict((item[0], Spread(*item)) for item in value["notifies"])
        metrics.doubt = value["doubt"]
        metrics.row_seconds = value["row_seconds"]
        metrics.rows = [
            Row(sent, accepted, refused, mining, lag, Counter(submit))
            for sent, accepted, refused, mining, lag, submit in value["rows"]
        ]
        return metrics


_COUNTS = ("sent", "accepted", "lost", "unanswered", "connections", "most_mining", "late")
_COUNTERS = ("refused", "endings", "errors")


def _numbers(histogram: Histogram) -> dict[str, Any]:
    return {
        "cells": histogram.cells(),
        "total": histogram.total,
        "minimum": histogram.minimum if histogram.count else 0.0,  # which JSON has no infinity for
        "maximum": histogram.maximum,
    }


def _histogram(value: Mapping[str, Any]) -> Histogram:
    return Histogram.restore(value["cells"], total=value["total"], minimum=value["minimum"], maximum=value["maximum"])

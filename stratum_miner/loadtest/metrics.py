"""The figures of a run: latencies, counts of shares, ended connections and errors, and a time line.

Latencies are measured in each phase of a connection (see ``PHASES``).

Each latency has an ``overhead``: the largest part of it that the load generator itself may have caused. If the overhead
is more than 1 ms and more than half of the latency, the sample is unreliable.

A run can be divided into shards, which different processes execute. Their metrics can be converted to plain values,
sent to one process, and added.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

from stratum_miner.loadtest.histogram import Histogram

PHASES = ("connect", "subscribe", "authorize", "first_job", "submit", "notify")
"""Names of the phases whose latencies are measured, in the order in which a connection reaches them.

The latencies of ``connect`` and ``first_job`` are measured from the time at which the connection was due, those of
``subscribe`` and ``authorize`` from the time at which the request was sent, and that of ``submit`` from the time at
which the share was due. The latency of ``notify`` is measured for each miner except the first that received a job: it
is the time from the arrival of the job at the first miner to its arrival at the other miner.
"""
UNRELIABLE_FROM = 0.5
"""A measured latency is unreliable if its overhead (the part that the load generator itself may have caused) exceeds
this fraction of the latency, and also exceeds ``UNRELIABLE_ABOVE``."""
UNRELIABLE_ABOVE = 0.001
"""A measured latency is never unreliable if its overhead (the part that the load generator itself may have caused) is
at most this many seconds. One run through the load generator's event loop takes about this time."""
LAG_TICK = 0.01
"""Seconds between two measurements of the loop lag: how late the event loop of the load generator handles an event."""
MAX_ROWS = 300
"""Maximum number of rows of the time line. In a longer run, each row covers a longer interval."""
MAX_ERRORS = 100
"""Maximum number of different errors that are counted separately, so that a hostile pool cannot fill the memory."""
MAX_NOTIFIES = 256
"""Maximum number of jobs for which ``Metrics.notifies`` keeps the times of arrival. The oldest job is dropped."""


class LatencyStatistics:
    """The latencies of one phase, and how much of them the load generator may have caused."""

    __slots__ = ("latency", "overhead", "unreliable")

    def __init__(self) -> None:
        self.latency = Histogram()
        self.overhead = Histogram()
        """Upper bounds of the generator overhead (the part of a latency that the load generator itself may have
        caused), one for each latency."""
        self.unreliable = 0
        """Number of unreliable latencies: those that the load generator itself may largely have caused."""

    def add(self, latency: float, overhead: float) -> None:
        """Add a measured latency, and its overhead: the part of it that the load generator itself may have caused. Both
        values are in seconds. An overhead above the latency is reduced to the latency."""
        overhead = min(overhead, latency)
        self.latency.add(latency)
        self.overhead.add(overhead)
        if overhead > latency * UNRELIABLE_FROM and overhead > UNRELIABLE_ABOVE:
            self.unreliable += 1

    def merge(self, other: "LatencyStatistics") -> None:
        """Add the latencies of another shard (a part of the run that a process of its own executes)."""
        self.latency.merge(other.latency)
        self.overhead.merge(other.overhead)
        self.unreliable += other.unreliable


@dataclass(slots=True)
class BadCount:
    """Number of shares that were sent with one kind of fault, and the pool's answers to them."""

    sent: int = 0
    refused: int = 0
    accepted: int = 0
    not_possible: int = 0
    """Number of shares that were due with this fault, and were sent without it, because it was not possible."""
    reason: str = ""
    """Why the fault was not possible the last time; empty if it was always possible."""


@dataclass(slots=True)
class Spread:
    """The times, on the loop's clock in seconds, at which the first and the last miner received one job."""

    job_id: str
    clean: bool
    first: float
    last: float
    miners: int = 1

    @property
    def seconds(self) -> float:
        """Seconds that passed after the first miner received the job until the last one received it."""
        return self.last - self.first


@dataclass(slots=True)
class Row:
    """One interval of the time line. The counts are those of this interval alone."""

    sent: int = 0
    accepted: int = 0
    refused: int = 0
    mining: int = 0
    """Number of miners with a job at the end of the interval."""
    lag: float = 0.0
    """The longest loop lag of the interval in seconds (see ``LAG_TICK``)."""
    submit: Counter[int] = field(default_factory=Counter)
    """A histogram of the share latencies. Each key is a latency in µs, rounded down to two significant digits; its
    value is the number of shares with this latency."""

    def merge(self, other: "Row") -> None:
        """Add the counts that another shard (a part of the run that a process of its own executes) made in the same
        interval."""
        self.sent += other.sent
        self.accepted += other.accepted
        self.refused += other.refused
        self.mining += other.mining
        self.lag = max(self.lag, other.lag)
        self.submit.update(other.submit)


class Metrics:
    """All figures of one run, or of one shard (a part of a run that a process of its own executes). ``duration`` is the
    planned duration of the run in seconds."""

    def __init__(self, duration: float) -> None:
        self.phases = {name: LatencyStatistics() for name in PHASES}
        self.loop_lag = Histogram()
        self.sent = 0
        """Number of valid shares sent."""
        self.accepted = 0
        """Number of valid shares that the pool accepted."""
        self.lost = 0
        """Number of valid shares without an answer when their connection ended."""
        self.unanswered = 0
        """Number of valid shares without an answer when the run ended."""
        self.refused: Counter[str] = Counter()
        """Number of valid shares that the pool rejected, by reason."""
        self.bad: dict[str, BadCount] = {}
        """Counts of faulty shares, by the name of the fault."""
        self.connections = 0
        """Number of connections that were made."""
        self.endings: Counter[str] = Counter()
        """Number of connections that ended before the run did, by reason."""
        self.errors: Counter[str] = Counter()
        """Number of errors, by their text."""
        self.most_mining = 0
        """Highest number of miners that had a job at the same time; for merged shards (parts of the run), the sum of
        their highest numbers."""
        self.late = 0
        """Number of shares that the load generator had not found yet at the time at which they were due to be sent."""
        self.doubt = ""
        """A warning that this computer may be too slow to find all shares in time. It contains the required and the
        measured hash rate. Empty if the computer is fast enough."""
        self.notifies: OrderedDict[str, Spread] = OrderedDict()
        """The times at which the most recent jobs arrived, by job id."""
        self.row_seconds = max(1.0, duration / MAX_ROWS)
        self.rows: list[Row] = [Row()]

    def note_error(self, what: str) -> None:
        """Count an error with the text ``what``, or as "other" if there are too many different errors."""
        self.errors[what if what in self.errors or len(self.errors) < MAX_ERRORS else "other"] += 1

    def note_job(self, job_id: str, clean: bool, now: float, overhead: float) -> None:
        """Record that a miner received the job ``job_id`` at ``now``, a time on the loop's clock in seconds. ``clean``
        is the clean flag of the job. ``overhead`` is the number of seconds that the load generator itself may have
        delayed the receipt.

        Do not call this for the first job of a connection, because the pool does not send that job to all miners at
        once."""
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
        """Add the latency of a valid share that the pool answered, and the overhead: the part of the latency that the
        load generator itself may have caused. Both are in seconds."""
        self.phases["submit"].add(latency, overhead)
        micros = int(latency * 1e6)
        digits = 10 ** max(0, len(str(micros)) - 2)
        self.rows[-1].submit[micros // digits * digits] += 1

    def row_at(self, elapsed: float) -> Row:
        """Return the row of the time line that contains the time ``elapsed``, in seconds since the start. The time must
        not be before the beginning of the last row. If rows up to this time do not exist yet, they are added."""
        index = int(elapsed / self.row_seconds)
        while len(self.rows) <= index:
            self.rows.append(Row())
        return self.rows[-1]

    def merge(self, other: "Metrics") -> None:
        """Add the metrics of another shard (a part of the same run that a process of its own executed)."""
        for name, phase in self.phases.items():
            phase.merge(other.phases[name])
        self.loop_lag.merge(other.loop_lag)
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in _COUNTERS:
            getattr(self, name).update(getattr(other, name))
        self.doubt = self.doubt or other.doubt
        for kind, count in other.bad.items():
            merged = self.bad.setdefault(kind, BadCount())
            merged.sent += count.sent
            merged.refused += count.refused
            merged.accepted += count.accepted
            merged.not_possible += count.not_possible
            merged.reason = merged.reason or count.reason
        # If both shards received a job, keep the longer of their two spreads. (The spread is the time between the
        # arrival of the job at the first and at the last miner of a shard.) A spread across both shards is unknown,
        # because their clocks cannot be compared.
        for job_id, spread in other.notifies.items():
            known = self.notifies.get(job_id)
            if known is None:
                self.notifies[job_id] = Spread(job_id, spread.clean, spread.first, spread.last, spread.miners)
                continue
            known.miners += spread.miners
            known.last = max(known.last, known.first + spread.seconds)
        for index, row in enumerate(other.rows):
            if index == len(self.rows):
                self.rows.append(Row())
            self.rows[index].merge(row)

    def to_builtins(self) -> dict[str, Any]:
        """Return plain values that can be sent to another process, which turns them into metrics again with
        ``from_builtins``. A thread may call ``to_builtins`` while another thread adds figures."""
        return {
            "phases": {
                name: [_numbers(phase.latency), _numbers(phase.overhead), phase.unreliable]
                for name, phase in self.phases.items()
            },
            "loop_lag": _numbers(self.loop_lag),
            **{name: getattr(self, name) for name in _COUNTS},
            **{name: dict(getattr(self, name)) for name in _COUNTERS},
            "bad": {kind: list(astuple(count)) for kind, count in list(self.bad.items())},
            "notifies": [
                [item.job_id, item.clean, item.first, item.last, item.miners] for item in list(self.notifies.values())
            ],
            "doubt": self.doubt,
            "row_seconds": self.row_seconds,
            "rows": [[row.sent, row.accepted, row.refused, row.mining, row.lag, dict(row.submit)] for row in self.rows],
        }

    @classmethod
    def from_builtins(cls, value: Mapping[str, Any]) -> "Metrics":
        """Return metrics from the plain values that ``to_builtins`` returned."""
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
        "minimum": histogram.minimum if histogram.count else 0.0,  # JSON cannot represent infinity
        "maximum": histogram.maximum,
    }


def _histogram(value: Mapping[str, Any]) -> Histogram:
    return Histogram.restore(value["cells"], total=value["total"], minimum=value["minimum"], maximum=value["maximum"])

"""The figures of a run: latencies, counts of shares, ended connections and errors, and a time line.

Latencies are measured in each phase of a connection (see ``PHASES``).

Each latency has an ``overhead``: the largest part of it that the load generator itself may have caused. If the overhead
is more than 1 ms and more than half of the latency, the sample is unreliable.

A run can be divided into shards, which different processes execute. Their metrics can be converted to plain values,
sent to one process, and added.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from stratum_miner.loadtest.histogram import Histogram
from stratum_miner.stratum.pool_messages import Notify

PHASES = ("connect", "subscribe", "authorize", "first_job", "submit", "notify")
"""Names of the phases whose latencies are measured, in the order in which a connection reaches them.

The latencies of ``connect`` and ``first_job`` are measured from the time at which the connection was due, those of
``subscribe`` and ``authorize`` from the time at which the request was sent, and that of ``submit`` from the time at
which the share was due. The latency of ``notify`` is measured for each miner except the first that received a job on a
new block: it is the time from the arrival of that first job to the arrival of the first job on the same block at the
other miner.
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
"""Maximum number of blocks for which ``Metrics.notifies`` keeps the times of arrival. The oldest block is dropped."""


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
    """The times, on the loop's clock in seconds, at which the first and the last miner received a job on a new block.

    The jobs of different miners belong together if they build on the same previous block. Their job ids say nothing,
    because some pools number the jobs of each connection separately.
    """

    previous_block: str
    """Hash of the block that the jobs build on, as block explorers show it."""
    job_id: str
    """The id of the job that arrived first."""
    clean: bool
    first: float
    last: float
    miners: int = 1
    compared: int = 0
    """Number of miners whose time of arrival was compared with that of the first miner on the same clock."""

    @property
    def seconds(self) -> float | None:
        """Seconds that passed after the first miner received its job until the last one received its own; None if the
        times of no two miners could be compared."""
        return self.last - self.first if self.compared else None

    def merge(self, other: "Spread", *, same_clock: bool) -> None:
        """Add the times of another shard (a part of the run that a process of its own executes).

        If the two shards do not have the same clock (``same_clock``), their times cannot be compared, and the longer of
        the two spreads counts.
        """
        self.miners += other.miners
        if same_clock:
            self.first, self.last = min(self.first, other.first), max(self.last, other.last)
            self.compared += other.compared + 1
        elif other.seconds is not None and (self.seconds is None or other.seconds > self.seconds):
            self.first, self.last, self.compared = other.first, other.last, other.compared


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
        """The times at which the jobs on the most recent blocks arrived, by the hash of the previous block."""
        self.processor_s = 0.0
        """Seconds of processor time that the load generator took from the first connection to the end of the run."""
        self.needed_hash_rate = 0.0
        """Hash rate in H/s that the miners needed for the rate of shares that the plan asks for, at its highest."""
        self.hash_rate = 0.0
        """Hash rate in H/s that the miners simulated, at its highest. It is lower than ``needed_hash_rate`` if the plan
        left the choice of the rate to the load generator and this computer cannot search that many hashes."""
        self.hashes = 0
        """Number of hashes that the load generator searched for shares."""
        self.row_seconds = max(1.0, duration / MAX_ROWS)
        self.rows: list[Row] = [Row()]

    def note_error(self, what: str) -> None:
        """Count an error with the text ``what``, or as "other" if there are too many different errors."""
        self.errors[what if what in self.errors or len(self.errors) < MAX_ERRORS else "other"] += 1

    def note_block(self, notify: Notify, now: float, overhead: float) -> None:
        """Record that a miner received its first job on a new block at ``now``, a time on the loop's clock in seconds.
        ``overhead`` is the number of seconds that the load generator itself may have delayed the receipt.

        Do not call this for the first job of a connection, because the pool does not send that job to all miners at
        once."""
        block = notify.previous_hash[::-1].hex()
        spread = self.notifies.get(block)
        if spread is None:
            self.notifies[block] = Spread(block, notify.job_id, notify.clean_jobs, now, now)
            if len(self.notifies) > MAX_NOTIFIES:
                self.notifies.popitem(last=False)
            return
        spread.last = now
        spread.miners += 1
        spread.compared += 1
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

    def merge(self, other: "Metrics", *, same_clock: bool = False) -> None:
        """Add the metrics of another shard (a part of the same run that a process of its own executed). ``same_clock``
        says whether the times of both shards are times on the same clock, because both ran on the same computer."""
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
        for block, spread in other.notifies.items():
            known = self.notifies.get(block)
            if known is None:
                self.notifies[block] = replace(spread)
            else:
                known.merge(spread, same_clock=same_clock)
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
            "notifies": [list(astuple(item)) for item in list(self.notifies.values())],
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


_COUNTS = (
    "sent",
    "accepted",
    "lost",
    "unanswered",
    "connections",
    "most_mining",
    "late",
    "processor_s",
    "needed_hash_rate",
    "hash_rate",
    "hashes",
)
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

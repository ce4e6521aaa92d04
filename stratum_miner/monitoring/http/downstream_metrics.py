"""Metrics about connected miners. Both the pool and the proxy export these metrics.

No label contains text from a miner, such as a worker name, a user agent or an IP address.
"""

from collections.abc import Iterable
from enum import Enum

from stratum_miner.downstream.endings import DisconnectReason
from stratum_miner.downstream.snapshot import ServerSnapshot
from stratum_miner.monitoring.http.exposition import Family, Samples, counter, counters, gauge
from stratum_miner.work.share_result import RejectReason


def _by_ending(it: ServerSnapshot) -> Samples:
    return [((ending.value,), it.connections_ended.get(ending, 0)) for ending in DisconnectReason]


def by_reason(outcome: str, counts: Iterable[tuple[Enum, int]]) -> Samples:
    """Return the samples (labels and a value) of a metric that counts shares by outcome and reason. All samples have
    the outcome ``outcome``, such as rejected. There is one for each reason, and its value is the number of shares with
    this reason.

    The sample of a reason that has not occurred has the value 0, because Prometheus can compute the rate of a metric
    only if the metric exists before its first increase."""
    named = {reason.value: count for reason, count in counts}
    return [((outcome, reason.value), named.get(reason.value, 0)) for reason in RejectReason]


CONNECTIONS: tuple[Family[ServerSnapshot], ...] = (
    counter("connections", "Connections that were accepted", lambda it: it.connections_total),
    counter("connections_refused", "Connections that were closed at once because a limit was reached",
            lambda it: it.connections_refused),
    counters("connections_ended", "Connections that have ended, by reason", _by_ending, "ending"),
    counter("received_bytes", "Bytes received from miners", lambda it: it.bytes_received),
    counter("sent_bytes", "Bytes sent to miners", lambda it: it.bytes_sent),
    gauge("hash_rate", "Hashes per second of all miners, estimated from their shares of the last 5 min",
          lambda it: it.hash_rate),
)  # fmt: skip

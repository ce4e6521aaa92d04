"""Metrics that every program has that serves miners: our own pool, and the proxy.

No label is anything that a miner says: names of workers, user agents and addresses are in none.
"""

from collections.abc import Iterable
from enum import Enum

from stratum_miner.downstream.endings import DisconnectReason
from stratum_miner.downstream.snapshot import ServerSnapshot
from stratum_miner.monitoring.http.exposition import Family, Samples, counter, counters, gauge
from stratum_miner.work.share_result import RejectReason


def _by_ending(it: ServerSnapshot) -> Samples:
    return [((ending.value,), it.connections_ended.get(ending, 0)) for ending in DisconnectReason]


def by_reason(fate: str, counts: Iterable[tuple[Enum, int]]) -> Samples:
    """Every reason is there from the start, so that its first share shows."""
    named = {reason.value: count for reason, count in counts}
    return [((fate, reason.value), named.get(reason.value, 0)) for reason in RejectReason]


CONNECTIONS: tuple[Family[ServerSnapshot], ...] = (
    counter("connections", "Connections that were accepted", lambda it: it.connections_total),
    counter("connections_refused", "Connections that were closed at once because of a limit",
            lambda it: it.connections_refused),
    counters("connections_ended", "Connections that are over, by why", _by_ending, "ending"),
    counter("received_bytes", "Bytes received from miners", lambda it: it.bytes_received),
    counter("sent_bytes", "Bytes sent to miners", lambda it: it.bytes_sent),
    gauge("hash_rate", "Hashes per second of all miners, by their shares of five minutes", lambda it: it.hash_rate),
)  # fmt: skip

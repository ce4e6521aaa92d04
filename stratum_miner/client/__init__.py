"""The pool client: one pool kept connected, jobs in, shares out; what becomes of each share is told exactly once."""

from stratum_miner.client.dialing.url import PoolUnreachable, PoolUrl, PoolUrlError
from stratum_miner.client.endings import ConnectionEnded, WorkerRefused
from stratum_miner.client.events import (
    ClientEvent,
    ConnectionState,
    JobArrived,
    MessageShown,
    ShareAnswered,
    StateChanged,
    Tell,
    WorkLost,
)
from stratum_miner.client.options import ClientOptions
from stratum_miner.client.reconnecting import PoolClient
from stratum_miner.client.settings import PoolSettings, Timeouts

__all__ = [
    "ClientEvent",
    "ClientOptions",
    "ConnectionEnded",
    "ConnectionState",
    "JobArrived",
    "MessageShown",
    "PoolClient",
    "PoolSettings",
    "PoolUnreachable",
    "PoolUrl",
    "PoolUrlError",
    "ShareAnswered",
    "StateChanged",
    "Tell",
    "Timeouts",
    "WorkLost",
    "WorkerRefused",
]

"""The pool client: one pool kept connected, jobs in, shares out; what becomes of each share is told exactly once."""

from stratum_miner.client.dialing.url import PoolUnreachable, PoolUrl, PoolUrlError
from stratum_miner.client.endings import WorkerRefused
from stratum_miner.client.options import ClientOptions
from stratum_miner.client.reconnecting import PoolClient
from stratum_miner.client.settings import PoolSettings

__all__ = [
    "ClientOptions",
    "PoolClient",
    "PoolSettings",
    "PoolUnreachable",
    "PoolUrl",
    "PoolUrlError",
    "WorkerRefused",
]

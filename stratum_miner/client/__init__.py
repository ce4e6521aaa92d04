"""The pool client: one pool kept connected, jobs in, shares out, every share's fate told exactly once."""

from stratum_miner.client.connect import PoolUnreachable, PoolUrl, PoolUrlError
from stratum_miner.client.fate import Fate, ShareOutcome
from stratum_miner.client.pool_client import ClientListener, PoolClient
from stratum_miner.client.session import SessionEnded, WorkerRefused
from stratum_miner.client.settings import PoolSettings, Timeouts

__all__ = [
    "ClientListener",
    "Fate",
    "PoolClient",
    "PoolSettings",
    "PoolUnreachable",
    "PoolUrl",
    "PoolUrlError",
    "SessionEnded",
    "ShareOutcome",
    "Timeouts",
    "WorkerRefused",
]

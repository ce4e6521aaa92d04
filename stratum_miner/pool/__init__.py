"""A Stratum pool in its own right: jobs from a node, shares judged exactly, blocks handed back.

``validator``, ``jobs``, ``extranonces``, ``session`` and ``vardiff`` are sans-IO; ``server`` moves the bytes; ``nodes``
are where templates come from. It shares no code with the client above ``stratum``, ``work`` and ``bitcoin``: each is
the other's independent witness.
"""

from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.events import BlockFound, PoolEvent
from stratum_miner.pool.server import Pool, open_pool
from stratum_miner.pool.snapshot import PoolSnapshot, SessionSnapshot, WorkerSnapshot

__all__ = [
    "BlockFound",
    "Pool",
    "PoolConfig",
    "PoolEvent",
    "PoolSnapshot",
    "SessionSnapshot",
    "WorkerSnapshot",
    "open_pool",
]

"""A Stratum pool in its own right: jobs from a node, shares judged exactly, blocks handed back.

``job_factory``, ``template`` and ``judging`` are sans-IO; ``pool`` moves the bytes, with what ``downstream`` has for
whoever serves miners; ``nodes`` are where templates come from. It shares no code with the client above ``stratum``,
``work`` and ``bitcoin``: each is the other's independent witness.
"""

from stratum_miner.downstream.snapshot import SessionSnapshot
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.events import BlockFound, PoolEvent
from stratum_miner.pool.pool import Pool, open_pool
from stratum_miner.pool.snapshot import PoolSnapshot

__all__ = [
    "BlockFound",
    "Pool",
    "PoolConfig",
    "PoolEvent",
    "PoolSnapshot",
    "SessionSnapshot",
    "open_pool",
]

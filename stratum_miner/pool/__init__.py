"""A Stratum pool: it takes block templates from a Bitcoin node, judges shares, and submits blocks to the node.

``open_pool`` runs a pool on trio. The modules ``job_factory``, ``template`` and ``judging`` are sans-IO. The module
``pool`` exchanges bytes with miners through the package ``downstream``. The package ``nodes`` communicates with Bitcoin
nodes.

The pool and the miner's package ``client`` share only basic packages, such as ``stratum``, ``work`` and ``bitcoin``. So
the pool and the client seldom have the same mistake, and tests in which one communicates with the other find the
mistakes of both.
"""

from stratum_miner.bitcoin.address import Network
from stratum_miner.downstream.endings import DisconnectReason
from stratum_miner.downstream.server_events import MinerAuthorized, MinerConnected, MinerDisconnected
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.snapshot import SessionSnapshot
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.network.accepting import ListenerError
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.events import (
    BlockFound,
    DifficultyChanged,
    JobPublished,
    NodeFailed,
    NodeRecovered,
    PoolEvent,
    ShareAccepted,
    ShareRejected,
)
from stratum_miner.pool.nodes import Node, NodeError, SubmitResult, Tip, open_node
from stratum_miner.pool.nodes.base import ChainState
from stratum_miner.pool.nodes.memory import MemoryNode
from stratum_miner.pool.pool import Pool, open_pool
from stratum_miner.pool.snapshot import PoolSnapshot
from stratum_miner.pool.template import BlockTemplate, TemplateTransaction
from stratum_miner.work.durations import DurationCounts

__all__ = [
    "BlockFound",
    "BlockTemplate",
    "ChainState",
    "DifficultyChanged",
    "DisconnectReason",
    "DownstreamShareCounts",
    "DurationCounts",
    "JobPublished",
    "ListenerError",
    "MemoryNode",
    "MinerAuthorized",
    "MinerConnected",
    "MinerDisconnected",
    "Network",
    "Node",
    "NodeError",
    "NodeFailed",
    "NodeRecovered",
    "Pool",
    "PoolConfig",
    "PoolEvent",
    "PoolSnapshot",
    "SessionSnapshot",
    "ShareAccepted",
    "ShareRejected",
    "SubmitResult",
    "TemplateTransaction",
    "Tip",
    "VardiffConfig",
    "open_node",
    "open_pool",
]

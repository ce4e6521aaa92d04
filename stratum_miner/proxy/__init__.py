"""A Stratum proxy: many miners share one connection to a pool. ``open_proxy`` runs one on trio.

The proxy acts as a Stratum client towards the pool (``client``), and as a pool towards its miners (``downstream``).
"""

from stratum_miner.downstream.endings import DisconnectReason
from stratum_miner.downstream.server_events import MinerAuthorized, MinerConnected, MinerDisconnected
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.snapshot import SessionSnapshot
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.network.accepting import ListenerError
from stratum_miner.proxy.config import ProxyConfig, WorkerNames
from stratum_miner.proxy.events import (
    ProxyEvent,
    ShareForwarded,
    ShareKept,
    ShareRefused,
    ShareResolved,
    UpstreamAdded,
    UpstreamRemoved,
)
from stratum_miner.proxy.proxy import Proxy, open_proxy
from stratum_miner.proxy.snapshot import ProxySnapshot
from stratum_miner.work.durations import DurationCounts

__all__ = [
    "DisconnectReason",
    "DownstreamShareCounts",
    "DurationCounts",
    "ListenerError",
    "MinerAuthorized",
    "MinerConnected",
    "MinerDisconnected",
    "Proxy",
    "ProxyConfig",
    "ProxyEvent",
    "ProxySnapshot",
    "SessionSnapshot",
    "ShareForwarded",
    "ShareKept",
    "ShareRefused",
    "ShareResolved",
    "UpstreamAdded",
    "UpstreamRemoved",
    "VardiffConfig",
    "WorkerNames",
    "open_proxy",
]

"""One connection to a pool for many miners that speak Stratum: where client and pool meet."""

from stratum_miner.proxy.config import ProxyConfig, WorkerNames
from stratum_miner.proxy.proxy import Proxy, open_proxy
from stratum_miner.proxy.snapshot import MinerStatus, ProxySnapshot

__all__ = ["MinerStatus", "Proxy", "ProxyConfig", "ProxySnapshot", "WorkerNames", "open_proxy"]

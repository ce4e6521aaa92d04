"""One connection to a pool for many miners that speak Stratum: where client and pool meet."""

from stratum_miner.downstream.snapshot import SessionSnapshot
from stratum_miner.proxy.config import ProxyConfig, WorkerNames
from stratum_miner.proxy.proxy import Proxy, open_proxy
from stratum_miner.proxy.snapshot import ProxySnapshot

__all__ = ["Proxy", "ProxyConfig", "ProxySnapshot", "SessionSnapshot", "WorkerNames", "open_proxy"]

"""A miner that stands still, with two pools that it does not connect to: what requests are answered from and steer."""

from stratum_miner.app.daemon.control import MinerControl
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.monitor import Monitor


def still_miner() -> tuple[Monitor, MinerControl]:
    """What shows it, and what steers it."""
    pools = [PoolSettings(url=PoolUrl.parse(f"{host}.example:3333"), worker_name="w") for host in ("one", "two")]
    miner = Miner(pools, [])
    monitor = Monitor(miner.snapshot, EventLog())
    return monitor, MinerControl(miner, monitor.numbers)

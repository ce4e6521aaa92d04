"""The miner: client, scheduler and backends put together, with goals, statistics and a graceful end."""

from stratum_miner.miner.counts import ShareCounts
from stratum_miner.miner.events import (
    ConnectionChanged,
    EventListener,
    HardwareError,
    JobStarted,
    MinerEvent,
    PoolMessage,
)
from stratum_miner.miner.journal import Journal, JournalError
from stratum_miner.miner.lane import Assignment
from stratum_miner.miner.miner import (
    Ending,
    Goals,
    Miner,
)
from stratum_miner.miner.scheduler import Scheduler
from stratum_miner.miner.statistics import MinerSnapshot, ShareSource

__all__ = [
    "Assignment",
    "ConnectionChanged",
    "Ending",
    "EventListener",
    "Goals",
    "HardwareError",
    "JobStarted",
    "Journal",
    "JournalError",
    "Miner",
    "MinerEvent",
    "MinerSnapshot",
    "PoolMessage",
    "Scheduler",
    "ShareCounts",
    "ShareSource",
]

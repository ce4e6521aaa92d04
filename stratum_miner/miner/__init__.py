"""The miner: client, scheduler and backends put together, with goals, statistics and a graceful end."""

from stratum_miner.miner.events import (
    EventListener,
    HardwareError,
    JobStarted,
    MinerEvent,
)
from stratum_miner.miner.goals import Goals, StopReason
from stratum_miner.miner.journal import Journal, JournalError
from stratum_miner.miner.miner import Miner
from stratum_miner.miner.mining_group import Assignment
from stratum_miner.miner.scheduler import Scheduler
from stratum_miner.miner.share_counts import ShareCounts
from stratum_miner.miner.snapshot import MinerSnapshot
from stratum_miner.work.share_result import ShareResult

__all__ = [
    "Assignment",
    "EventListener",
    "Goals",
    "HardwareError",
    "JobStarted",
    "Journal",
    "JournalError",
    "Miner",
    "MinerEvent",
    "MinerSnapshot",
    "Scheduler",
    "ShareCounts",
    "ShareResult",
    "StopReason",
]

"""The miner: it gives the jobs of its pools to backends, submits their shares, stops at goals, and keeps statistics.

``open_miner`` runs a miner while an ``async with`` block runs. ``on_event`` is called with each event.
``Miner.snapshot`` returns all figures.
"""

from stratum_miner.miner.events import EventListener, HardwareError, JobStarted, MinerEvent
from stratum_miner.miner.goals import UNTIL_STOPPED, Goals, StopReason
from stratum_miner.miner.journal import Journal, JournalError, Recovered
from stratum_miner.miner.miner import Miner, open_miner
from stratum_miner.miner.mining_group import Assignment
from stratum_miner.miner.scheduler import Scheduler
from stratum_miner.miner.share_counts import ShareCounts
from stratum_miner.miner.shared_visited import SharedVisited
from stratum_miner.miner.snapshot import BackendSnapshot, JobSnapshot, MinerSnapshot
from stratum_miner.miner.standstill import Standstill
from stratum_miner.work.share_result import ShareResult

__all__ = [
    "UNTIL_STOPPED",
    "Assignment",
    "BackendSnapshot",
    "EventListener",
    "Goals",
    "HardwareError",
    "JobSnapshot",
    "JobStarted",
    "Journal",
    "JournalError",
    "Miner",
    "MinerEvent",
    "MinerSnapshot",
    "Recovered",
    "Scheduler",
    "ShareCounts",
    "ShareResult",
    "SharedVisited",
    "Standstill",
    "StopReason",
    "open_miner",
]

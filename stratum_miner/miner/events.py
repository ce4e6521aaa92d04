"""The events that a miner reports to ``on_event`` while it runs, as frozen values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from stratum_miner.client.events import MessageShown, StateChanged
from stratum_miner.work.job import Job
from stratum_miner.work.share_result import ShareResult


@dataclass(frozen=True, slots=True)
class JobStarted:
    """The miner has begun to search a job.

    ``height``: the height of the block that the job builds, or None if the job's coinbase does not contain it.
    ``new_block``: whether this job builds on another previous block than the job that was searched before it.
    """

    job: Job
    height: int | None
    new_block: bool


@dataclass(frozen=True, slots=True)
class HardwareError:
    """A device reported a wrong nonce. ``reason`` says what the miner found when it hashed the nonce again."""

    device: str
    reason: str


MinerEvent: TypeAlias = JobStarted | StateChanged | HardwareError | ShareResult | MessageShown
"""Any event of a miner. A ``ShareResult`` is the result of a share."""
EventListener: TypeAlias = Callable[[MinerEvent], None]
"""A function that is called in the trio thread with each event, in the order of the events. It must not block."""

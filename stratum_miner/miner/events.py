"""What a miner tells while it runs, as frozen values: the events that listeners take, in the order they happen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from stratum_miner.client.events import MessageShown, StateChanged
from stratum_miner.work.job import Job
from stratum_miner.work.share_result import ShareResult


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job is being searched; ``new_block`` when its previous hash differs from the job before."""

    job: Job
    height: int | None
    new_block: bool


@dataclass(frozen=True, slots=True)
class HardwareError:
    """A claimed nonce failed re-hashing."""

    device: str
    reason: str


MinerEvent: TypeAlias = JobStarted | StateChanged | HardwareError | ShareResult | MessageShown
EventListener: TypeAlias = Callable[[MinerEvent], None]

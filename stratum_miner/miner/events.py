"""What a miner tells while it runs, as frozen values: the events that listeners take, in the order they happen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from stratum_miner.client.events import ConnectionState
from stratum_miner.work.job import Job
from stratum_miner.work.share_result import ShareResult


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job is being searched; ``new_block`` when its previous hash differs from the job before."""

    job: Job
    height: int | None
    new_block: bool


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The client's connection went on to another state."""

    state: ConnectionState
    detail: str


@dataclass(frozen=True, slots=True)
class HardwareError:
    """A claimed nonce failed re-hashing."""

    device: str
    reason: str


@dataclass(frozen=True, slots=True)
class PoolMessage:
    """The pool has a message for the user."""

    text: str


MinerEvent: TypeAlias = JobStarted | ConnectionChanged | HardwareError | ShareResult | PoolMessage
EventListener: TypeAlias = Callable[[MinerEvent], None]

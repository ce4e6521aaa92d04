"""What happens on a miner's session, for whoever moves it: frozen values, one class per kind."""

from dataclasses import dataclass
from typing import TypeAlias

from stratum_miner.downstream.share_memory import SeenShares
from stratum_miner.stratum import client_messages as requests
from stratum_miner.stratum.envelope import Id
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.share import Share


@dataclass(frozen=True, slots=True)
class SubscribeHeld:
    """A miner wants a place: call ``subscribe`` once a connection up has one."""

    request_id: Id
    message: requests.Subscribe


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker was authorized for the first time on this session."""

    worker_name: str


@dataclass(frozen=True, slots=True)
class SharePassed:
    """A share for the pool: call ``settle`` with its answer."""

    request_id: Id
    worker_name: str
    share: Share
    seen: SeenShares
    """Where it is remembered, so that it goes up once."""


@dataclass(frozen=True, slots=True)
class ShareRepeated:
    """A share that went up before came again: its answer may still be on the way, else call ``refuse_repeated``."""

    request_id: Id
    worker_name: str
    pool_session: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class ShareRefused:
    """A share was refused here and answered; ``worker_name`` is empty when it could not be read."""

    worker_name: str
    reason: ErrorReason
    message: str


SessionEvent: TypeAlias = SubscribeHeld | WorkerJoined | SharePassed | ShareRepeated | ShareRefused

"""What happens on a miner's session, for whoever moves it: frozen values, one class per kind."""

from dataclasses import dataclass
from typing import Generic, TypeAlias

from stratum_miner.downstream.jobs import J
from stratum_miner.downstream.validator import Refused, Solution
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.envelope import Id
from stratum_miner.stratum.errors import ErrorReason


@dataclass(frozen=True, slots=True)
class SubscribeHeld:
    """A miner wants a place: call ``subscribe`` with the policy of one. ``resume`` names a session of before."""

    request_id: Id
    user_agent: str
    resume: str | None


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker was authorized for the first time on this session."""

    worker_name: str


@dataclass(frozen=True, slots=True)
class DifficultySet:
    """The miner was told a new difficulty."""

    difficulty: float


@dataclass(frozen=True, slots=True)
class SharePassed(Generic[J]):
    """A share for whoever stands behind, now: a node, or a pool. If it ``waits``, call ``answer`` with what they say.

    ``refusal`` is our own word on it, if it is a bad one: a late or weak share that would be a block nevertheless, or
    one that came before.
    """

    request_id: Id
    submit: Submit
    solution: Solution[J]
    refusal: Refused[J] | None
    waits: bool

    @property
    def stale(self) -> bool:
        """Whether the job was outdated when the share came."""
        return self.refusal is not None and self.refusal.reason is ErrorReason.JOB_NOT_FOUND


@dataclass(frozen=True, slots=True)
class ShareTaken(Generic[J]):
    """A share was answered with true. It counts as ``difficulty``, and its hash is worth ``share_difficulty``."""

    worker_name: str
    solution: Solution[J]
    difficulty: float
    share_difficulty: float
    is_block: bool


@dataclass(frozen=True, slots=True)
class ShareRefused:
    """A share was answered with an error; ``worker_name`` and ``job_id`` are empty when it could not be read."""

    worker_name: str
    job_id: str
    reason: ErrorReason
    message: str


SessionEvent: TypeAlias = SubscribeHeld | WorkerJoined | DifficultySet | SharePassed[J] | ShareTaken[J] | ShareRefused

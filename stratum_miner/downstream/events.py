"""What happens on a miner's session, for whoever moves it: frozen values, one class per kind."""

from typing import Generic, TypeAlias

import msgspec

from stratum_miner.downstream.jobs import J
from stratum_miner.downstream.validator import Refused, Solution
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.envelope import Id
from stratum_miner.stratum.errors import ErrorReason


class SubscribePending(msgspec.Struct, frozen=True):
    """A miner subscribes: call ``subscribe`` with the policy to put it under. ``resume`` names a session of before."""

    request_id: Id
    user_agent: str
    resume: str | None


class WorkerAdded(msgspec.Struct, frozen=True):
    """A worker was authorized for the first time on this session."""

    worker_name: str


class DifficultySet(msgspec.Struct, frozen=True):
    """The miner was told a new difficulty."""

    difficulty: float


class ShareToForward(msgspec.Struct, Generic[J], frozen=True):
    """A share for the node or for the pool above, now. If it ``waits``, call ``answer`` with what they say.

    ``refusal`` is our own verdict, if it is a bad one: the share is late or weak and would be a block nevertheless, or
    it came before.
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


class AnsweredWithTrue(msgspec.Struct, Generic[J], frozen=True):
    """A share was answered with true. It counts as ``difficulty``, and its hash is worth ``share_difficulty``."""

    worker_name: str
    solution: Solution[J]
    difficulty: float
    share_difficulty: float
    is_block: bool


class AnsweredWithError(msgspec.Struct, frozen=True):
    """A share was answered with an error; ``worker_name`` and ``job_id`` are empty when it could not be read."""

    worker_name: str
    job_id: str
    reason: ErrorReason
    message: str


SessionEvent: TypeAlias = (
    SubscribePending | WorkerAdded | DifficultySet | ShareToForward[J] | AnsweredWithTrue[J] | AnsweredWithError
)

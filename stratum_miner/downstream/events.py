"""The events that a miner's session reports to its pool or proxy: one frozen class for each kind of event."""

from typing import Generic, TypeAlias

import msgspec

from stratum_miner.downstream.jobs import J
from stratum_miner.downstream.validator import Refused, Solution
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.envelope import Id
from stratum_miner.stratum.errors import ErrorReason


class SubscribePending(msgspec.Struct, frozen=True):
    """The miner sent mining.subscribe. Call ``subscribe`` of the session to answer it.

    ``resume`` is the id of an earlier session that the miner wants to resume, or None.
    """

    request_id: Id
    user_agent: str
    resume: str | None


class WorkerAdded(msgspec.Struct, frozen=True):
    """The session authorized a worker name for the first time, at the miner's request."""

    worker_name: str


class DifficultySet(msgspec.Struct, frozen=True):
    """The session sent the miner a new difficulty."""

    difficulty: float


class ShareToForward(msgspec.Struct, Generic[J], frozen=True):
    """A share that must be forwarded now: by a pool to its node as a block, by a proxy to its pool. In a proxy, this
    event also reports each duplicate share, which the proxy does not forward again, but only answers.

    ``waits``: whether the miner has no answer yet. If so, call ``answer`` of the session when the result of the share
    is known, or ``answer_lost`` if it will never be known.

    ``refusal``: why the share is not valid; None if it is valid. A share that is neither valid nor a duplicate is
    forwarded only if its hash meets the network target, because it may then solve a block even if its job is stale.
    """

    request_id: Id
    submit: Submit
    solution: Solution[J]
    refusal: Refused[J] | None
    waits: bool

    @property
    def stale(self) -> bool:
        """Whether the job was outdated when the share arrived."""
        return self.refusal is not None and self.refusal.reason is ErrorReason.JOB_NOT_FOUND


class AnsweredWithTrue(msgspec.Struct, Generic[J], frozen=True):
    """The session answered a share with true.

    ``difficulty`` is the difficulty that the share is credited with, ``share_difficulty`` the highest difficulty that
    its hash meets.
    """

    worker_name: str
    solution: Solution[J]
    difficulty: float
    share_difficulty: float
    is_block: bool


class AnsweredWithError(msgspec.Struct, frozen=True):
    """The session answered a share with an error.

    ``worker_name`` and ``job_id`` are empty if the request could not be parsed.
    """

    worker_name: str
    job_id: str
    reason: ErrorReason
    message: str


SessionEvent: TypeAlias = (
    SubscribePending | WorkerAdded | DifficultySet | ShareToForward[J] | AnsweredWithTrue[J] | AnsweredWithError
)

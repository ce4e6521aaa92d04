"""The interface through which a miner's session asks its server for everything that a pool and a proxy decide in
different ways: which job and difficulty the miner gets, and what happens to its shares.

A pool decides itself whether a share is accepted; a proxy leaves the decision to its pool. All sessions that work on
the same jobs have one policy.
"""

from typing import Generic, Protocol

import msgspec

from stratum_miner.downstream.extranonces import ExtranonceRegistry, Lease
from stratum_miner.downstream.jobs import J, JobTable
from stratum_miner.downstream.validator import Refused, ShareVerdict, Solution
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.stratum.client_messages import Submit


class ForwardVerdict(msgspec.Struct, Generic[J], frozen=True):
    """The verdict on a share that must be forwarded. A pool forwards a block to its node, a proxy a share to its pool.
    In a proxy, duplicate shares also get this verdict. The proxy does not forward them again, but answers them."""

    verdict: ShareVerdict[J]
    solution: Solution[J]
    waits: bool
    """Whether the miner is answered only after the node or the proxy's pool has answered. If false, the miner gets
    ``verdict`` at once."""


class SessionPolicy(Protocol[J]):
    """What a miner's session gets from its server: jobs, difficulties, and verdicts on shares. The server is a pool or
    a proxy."""

    decides_shares: bool
    """Whether ``judge`` decides if a share is accepted. True in a pool. False in a proxy, where ``judge`` decides only
    whether to forward the share: the proxy's pool then accepts or rejects it. A share that is not forwarded is counted
    as kept if the proxy itself accepts it, and otherwise as refused."""
    max_refused_shares: int
    """Maximum number of shares in a row that may be answered with an error. After one more, the miner is
    disconnected."""
    change_interval: float | None
    """Minimum number of seconds between two changes of a miner's difficulty. The miner gets an extra job with each
    change. None: there are no extra jobs, and a change waits for the next job."""
    vardiff: VardiffConfig | None
    """Settings by which the difficulty follows the share rate. None: the share rate does not change the difficulty."""

    @property
    def leases(self) -> ExtranonceRegistry[J]:
        """The registry that assigns an extranonce1 to each session."""
        ...

    @property
    def latest(self) -> J | None:
        """The newest job, even if it is outdated by now; None before the first job."""
        ...

    @property
    def rollable_mask(self) -> int:
        """The version bits to grant to a miner that asks for version rolling now. They apply until the miner gets its
        next job, which has a ``rollable_mask`` of its own.
        """
        ...

    @property
    def start_difficulty(self) -> float | None:
        """The difficulty of a new miner. None: the difficulty of each job applies."""
        ...

    @property
    def ceiling(self) -> float:
        """The highest value that a miner may ask for as its minimum difficulty."""
        ...

    def job_for(self, lease: Lease[J], now: float) -> J | None:
        """Return the current job, or None if there is none.

        ``lease`` holds the extranonce1 of the session. If a miner with this extranonce1 has already got the current
        job, make and return a new job with other content instead. With the current job, the miner might begin again
        with the same extranonce2 values, and so repeat earlier work.
        """
        ...

    def difficulty(self, job: J | None, wanted: float | None, minimum: float) -> float | None:
        """Return the difficulty to send to a miner for ``job``, or None if no difficulty is to be sent yet.

        ``job`` is None before the first job. ``wanted`` is the difficulty that the session wants to use: at first
        ``start_difficulty``, later the result of ``bounded``. ``minimum`` is the minimum difficulty that the miner
        asked for.
        """
        ...

    def bounded(self, difficulty: float, *, asked: bool) -> float:
        """Return ``difficulty``, or the nearest one inside the allowed range. ``asked``: whether the miner asked for
        this difficulty (if not, vardiff chose it).
        """
        ...

    def judge(self, submit: Submit, jobs: JobTable[J], unix_time: float) -> ShareVerdict[J] | ForwardVerdict[J]:
        """Return the verdict on ``submit``, a share of the session whose jobs are in ``jobs``. The result is a
        ``ForwardVerdict`` if the share must be forwarded."""
        ...

    def transactions(self, job: J | None) -> list[str] | Refused[J]:
        """Return the answer to mining.get_transactions: the job's transactions in hex, without the coinbase.

        ``job`` is None if the miner asked for an unknown job.
        """
        ...

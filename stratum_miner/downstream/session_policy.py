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
    """The verdict on a share that must be forwarded: by a pool to its node, or by a proxy to its pool."""

    verdict: ShareVerdict[J]
    solution: Solution[J]
    waits: bool
    """Whether the answer to the miner waits for the answer of the node or of the proxy's pool. If false, the miner gets
    ``verdict`` at once."""


class SessionPolicy(Protocol[J]):
    """Where a miner's session gets its jobs from, and the rules that it follows (see the module)."""

    decides_shares: bool
    """Whether the verdict of ``judge`` accepts or rejects a share. This is true in a pool. In a proxy it is false: the
    verdict says whether to forward the share, and the proxy's pool accepts or rejects a forwarded share. A share that
    is not forwarded is counted as kept or refused."""
    max_refused_shares: int
    """Maximum number of shares in a row that may be answered with an error. After one more, the miner is
    disconnected."""
    change_interval: float | None
    """Minimum number of seconds between two changes of difficulty. Each change is sent at once, with an extra job.
    None: no extra job is sent, and a change waits for the next job."""
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
        """The version bits that are granted to a miner that asks for version rolling now. When the miner is then sent a
        job, the ``rollable_mask`` of that job applies instead.
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

        If a miner with the extranonce1 of this lease has already got the current job, make and return a new job with
        other content. On the same job, the miner might begin again with the same extranonce2 values and repeat its
        work.
        """
        ...

    def difficulty(self, job: J | None, wanted: float | None, minimum: float) -> float | None:
        """Return the difficulty to send to a miner for ``job``, or None to send none yet.

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
        """Return the verdict on a share of the session that owns ``jobs``; as a ``ForwardVerdict`` if the share must be
        forwarded."""
        ...

    def transactions(self, job: J | None) -> list[str] | Refused[J]:
        """Return the answer to mining.get_transactions: the job's transactions in hex, without the coinbase.

        ``job`` is None if the miner asked for an unknown job.
        """
        ...

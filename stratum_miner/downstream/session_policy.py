"""What a pool and a proxy decide differently about the miners that they serve.

A pool judges a share itself; a proxy leaves the last word to the pool above it. A policy knows nothing of a protocol
but what a submit says. All sessions that work on the same jobs have one policy.
"""

from typing import Generic, Protocol

import msgspec

from stratum_miner.downstream.extranonces import ExtranonceRegistry, Lease
from stratum_miner.downstream.jobs import J, JobTable
from stratum_miner.downstream.validator import Refused, ShareVerdict, Solution
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.stratum.client_messages import Submit


class ForwardVerdict(msgspec.Struct, Generic[J], frozen=True):
    """A verdict on a share that the node or the pool above has to hear of; ``waits``: the miner gets their answer."""

    verdict: ShareVerdict[J]
    solution: Solution[J]
    waits: bool


class SessionPolicy(Protocol[J]):
    """Where jobs come from, and the rules for the miners that work on them."""

    has_last_word: bool
    """Whether a share that is judged here is accepted or rejected by that, and not only kept or refused."""
    max_refused_shares: int
    """Refused shares in a row that end a connection."""
    change_interval: float | None
    """Seconds between two changes of difficulty, each with a job of its own; None: a change waits for the next job."""
    vardiff: VardiffConfig | None
    """How difficulty follows the share rate; None leaves it alone."""

    @property
    def leases(self) -> ExtranonceRegistry[J]:
        """The registry that says which session has which extranonce1."""
        ...

    @property
    def latest(self) -> J | None:
        """The last job there was."""
        ...

    @property
    def rollable_mask(self) -> int:
        """Version bits that a miner may roll if it asks for them now; the first job comes with the truth."""
        ...

    @property
    def start_difficulty(self) -> float | None:
        """What a new miner's jobs are to have; None: what they ask for themselves."""
        ...

    @property
    def ceiling(self) -> float:
        """The highest minimum difficulty that a miner may ask for."""
        ...

    def job_for(self, lease: Lease[J], now: float) -> J | None:
        """The current job, made anew if somebody had it under this lease; None while there is none."""
        ...

    def difficulty(self, job: J | None, wanted: float | None, minimum: float) -> float | None:
        """What a miner is told before a job, or before there is one; None: nothing yet.

        ``wanted`` is what ``start_difficulty`` or ``bounded`` gave last.
        """
        ...

    def bounded(self, difficulty: float, *, asked: bool) -> float:
        """What is wanted of a difficulty that the miner asked for, or that its share rate suggests."""
        ...

    def judge(self, submit: Submit, jobs: JobTable[J], unix_time: float) -> ShareVerdict[J] | ForwardVerdict[J]:
        """The verdict on a share of the session that owns ``jobs``, and whether it goes further."""
        ...

    def transactions(self, job: J | None) -> list[str] | Refused[J]:
        """The answer to mining.get_transactions: in hex, without the coinbase. ``job``: None if it is not known."""
        ...

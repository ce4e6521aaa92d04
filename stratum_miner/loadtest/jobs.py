"""The jobs of the simulated miners. All miners that received the same mining.notify share one parsed object.

Most pools send the same line to all miners, so the line is the key of a cache. If a pool sends a different line to each
miner, for example with the miner's payout address, each line is parsed and each miner holds its own object.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.stratum.pool_messages import Notify
from stratum_miner.stratum_job import job_of
from stratum_miner.work.job import Job, Origin, PoolKey

MAX_LINES = 64
"""Maximum number of different lines in the cache."""

NO_ORIGIN = Origin(PoolKey(""), "", 0)
"""An empty origin. The origin of a job is the pool and the worker name that the job belongs to. A simulated miner knows
both, so its jobs have this empty origin instead."""

target_of = lru_cache(maxsize=4096)(target_from_difficulty)
"""Function that returns the share target of a difficulty. It caches its results, because pools set few different
difficulties."""


class NotifyCache:
    """A cache of parsed mining.notify messages. The key is the line as received."""

    def __init__(self) -> None:
        self._notifies: OrderedDict[bytes, Notify] = OrderedDict()
        self._last_line = b""
        self._last: Notify | None = None

    def get(self, line: bytes) -> Notify | None:
        """Return the parsed message of a line; None if the line is not in the cache."""
        if line == self._last_line:
            return self._last
        notify = self._notifies.get(line)
        if notify is not None:
            self._last_line, self._last = line, notify
        return notify

    def put(self, line: bytes, notify: Notify) -> None:
        """Store the parsed message of a line. The oldest message is dropped if there are more than ``MAX_LINES``."""
        self._notifies[line] = notify
        if len(self._notifies) > MAX_LINES:
            self._notifies.popitem(last=False)
        self._last_line, self._last = line, notify


@dataclass(frozen=True, slots=True)
class MinerJob:
    """A job of one simulated miner: the shared mining.notify, and the values that differ between miners. ``target`` is
    the share target that belongs to ``difficulty``."""

    notify: Notify
    extranonce1: bytes
    extranonce2_size: int
    difficulty: float
    target: int
    version_mask: int
    version_rolling: bool

    def job(self) -> Job:
        """Return the job as a ``work.job.Job``."""
        return job_of(
            self.notify,
            NO_ORIGIN,
            extranonce1=self.extranonce1,
            extranonce2_size=self.extranonce2_size,
            share_target=self.target,
            version_mask=self.version_mask,
            version_rolling=self.version_rolling,
        )

"""Jobs as ten thousand miners hold them: one object for all who got the same line, parsed once.

A pool tells everybody the same notify, byte for byte; so the line itself is the key. Where each miner is told
something else (a pool that pays out per address), each line is parsed, and each miner holds its own.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.stratum.pool_messages import Notify
from stratum_miner.stratum_job import job_of
from stratum_miner.work.job import Job, Origin, PoolKey

MAX_LINES = 64
"""Distinct notifies remembered: those of the last tips, however many kinds of miners there are."""

NOWHERE = Origin(PoolKey(""), "", 0)
"""What a job's origin would tell, the miner that holds the job knows."""

target_of = lru_cache(maxsize=4096)(target_from_difficulty)
"""The share target of a difficulty; pools give the same few to all."""


class NotifyCache:
    """Notifies by their lines."""

    def __init__(self) -> None:
        self._notifies: OrderedDict[bytes, Notify] = OrderedDict()
        self._last_line = b""
        self._last: Notify | None = None

    def known(self, line: bytes) -> Notify | None:
        """The notify that this line was parsed to before."""
        if line == self._last_line:
            return self._last
        notify = self._notifies.get(line)
        if notify is not None:
            self._last_line, self._last = line, notify
        return notify

    def note(self, line: bytes, notify: Notify) -> None:
        """Remember what a line means."""
        self._notifies[line] = notify
        if len(self._notifies) > MAX_LINES:
            self._notifies.popitem(last=False)
        self._last_line, self._last = line, notify


@dataclass(frozen=True, slots=True)
class MinerJob:
    """A job as one miner got it: shared with all of equal settings but for ``extranonce1``."""

    notify: Notify
    extranonce1: bytes
    extranonce2_size: int
    difficulty: float
    target: int
    version_mask: int
    version_rolling: bool

    def job(self) -> Job:
        """The same in the terms of the rest of the program."""
        return job_of(
            self.notify,
            NOWHERE,
            extranonce1=self.extranonce1,
            extranonce2_size=self.extranonce2_size,
            share_target=self.target,
            version_mask=self.version_mask,
            version_rolling=self.version_rolling,
        )

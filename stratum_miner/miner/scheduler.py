"""``Scheduler``: takes jobs from the pool client, and hands out work units to the backends as their ``WorkSource``.

Search threads call ``next_unit``; the trio thread calls everything else. ``set_job`` itself reports the new job to the
backends, so that the search changes jobs within a millisecond.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

from stratum_miner.backends.base import ChangeCallback
from stratum_miner.bitcoin.target import TRIVIAL_TARGET
from stratum_miner.miner.shared_visited import SharedVisited
from stratum_miner.work.job import Job, PoolKey
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import WorkUnit

MAX_PREVIOUS_HASHES = 16
"""A weak block is a hash that solves a block but misses the share target. ``Scheduler.seek_weak_blocks`` can end the
search for weak blocks in all jobs with a certain previous hash. This is the maximum number of such previous hashes that
the scheduler remembers. It can forget older ones, because jobs with them are stale."""
MAX_SWITCHES = 1000
"""Maximum number of job changes that are kept for ``take_switches``, which the miner calls twice a second."""


class Scheduler:
    """Hands out work units of the current job, and implements ``WorkSource``. A work unit is a header for which a
    backend tries the nonces.

    ``weak_blocks``: whether to search for hashes that meet the network target but miss the share target. Such weak
    blocks exist on test chains only. None: search for them if the network target is below 2^240. This is the case on
    testnet, but not on plain regtest, where half of all hashes solve a block. ``seek_weak_blocks`` changes the choice
    for a single previous hash.

    ``clock``: returns the time in seconds. It must be the clock with which the arrival times of jobs were measured.

    ``visited``: the record of the work that was handed out, which several schedulers may share. None: this scheduler
    has a record of its own.
    """

    def __init__(
        self,
        *,
        weak_blocks: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
        visited: SharedVisited | None = None,
    ) -> None:
        self._clock = clock
        self._weak_blocks = weak_blocks
        self._lock = threading.Lock()
        self._callbacks: list[ChangeCallback] = []
        self._space = SearchSpace(visited)
        self._job: Job | None = None
        self._untouched_since: float | None = None
        """Time at which the current job came; None once a unit of the job was taken."""
        self._switches: deque[tuple[PoolKey, float]] = deque(maxlen=MAX_SWITCHES)
        self._units: Counter[PoolKey] = Counter()
        """For each pool, the number of work units of its jobs that were handed out since the last ``take_units``."""
        self._full_shares_on: deque[bytes] = deque(maxlen=MAX_PREVIOUS_HASHES)
        """Previous hashes whose jobs are searched only for hashes that meet the share target, and not for weak
        blocks."""
        self._paused = False

    @property
    def job(self) -> Job | None:
        """The job that is being searched; None if there is none."""
        return self._job

    @property
    def paused(self) -> bool:
        """Whether the search is paused."""
        return self._paused

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        """Return the next work unit of the current job, or None if there is no work; see ``WorkSource``."""
        with self._lock:
            job = self._job
            if job is None or self._paused:
                return None
            unit = self._space.next_unit(self._clock(), rollable, at_once)
            if unit is None:
                return None
            self._units[job.origin.pool] += 1
            if self._untouched_since is not None:
                self._switches.append((job.origin.pool, self._clock() - self._untouched_since))
                self._untouched_since = None
            if self.wants_weak_block(job):
                return unit
        return replace(unit, target=job.share_target)

    def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
        """Register a function that is called at each change of work; see ``WorkSource``."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def set_job(self, job: Job) -> None:
        """Search this job from now on. The backends must drop work units of the previous job if the new job is clean,
        has another previous hash, or belongs to another session."""
        with self._lock:
            before = self._job
            void = (
                before is None
                or job.clean_jobs
                or job.origin.session != before.origin.session
                or job.previous_hash != before.previous_hash
            )
            self._space.set_job(job)
            self._job = job
            self._untouched_since = self._clock()
        self._announce(void)

    def clear(self) -> None:
        """Stop the search, because no job is valid any more."""
        with self._lock:
            had_job, self._job = self._job is not None, None
        if had_job:
            self._announce(True)

    def take_switches(self) -> list[tuple[PoolKey, float]]:
        """Return the job changes since the last call: for each job, its pool and the seconds from its arrival until a
        backend took the first work unit of the job."""
        with self._lock:
            taken = list(self._switches)
            self._switches.clear()
        return taken

    def take_units(self) -> Counter[PoolKey]:
        """Return, for each pool, the number of work units of its jobs that were handed out since the last call."""
        with self._lock:
            taken, self._units = self._units, Counter()
        return taken

    def pause(self, paused: bool) -> None:
        """Pause or resume the search. While it is paused, new jobs are kept but not searched."""
        if paused != self._paused:
            self._paused = paused
            self._announce(paused)

    def seek_weak_blocks(self, previous_hash: bytes, *, wanted: bool) -> None:
        """Choose what is searched in jobs with this previous hash: if ``wanted``, also weak blocks (hashes that meet
        the network target but miss the share target), otherwise only hashes that meet the share target."""
        with self._lock:
            before = self._job is not None and self.wants_weak_block(self._job)
            if not wanted and previous_hash not in self._full_shares_on:
                self._full_shares_on.append(previous_hash)
            elif wanted and previous_hash in self._full_shares_on:
                self._full_shares_on.remove(previous_hash)
            changed = self._job is not None and self.wants_weak_block(self._job) is not before
        if changed:
            self._announce(False)

    def wants_weak_block(self, job: Job) -> bool:
        """Return whether the search of this job also seeks weak blocks: hashes that meet the network target but miss
        the share target."""
        wanted = job.network_target < TRIVIAL_TARGET if self._weak_blocks is None else self._weak_blocks
        return wanted and job.previous_hash not in self._full_shares_on

    def _announce(self, void: bool) -> None:
        for callback in tuple(self._callbacks):
            callback(void)

"""Between the pool client, which has jobs, and the backends, which want units: the one WorkSource of a miner.

``next_unit`` is called from search threads, everything else from the trio thread. A change is announced to the
backends synchronously, inside the call that brought the job, so that the search turns within a millisecond.
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
"""Previous hashes remembered; shares and jobs of an older one are stale."""
MAX_SWITCHES = 1000
"""Kept until somebody asks; a sampler does so twice a second."""


class Scheduler:
    """Hands out the current job's units; implements ``WorkSource``.

    ``weak_blocks``: whether to look for hashes that meet the network target but not the share target, which exist
    on test chains only. None: where a block takes work at all, so on testnet but not on plain regtest, where every
    second hash is one. ``seek_weak_blocks`` decides for one previous hash.
    ``visited``: what was handed out, by this scheduler and by others that share it.
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
        """When the current job came, until work of it is taken."""
        self._switches: deque[tuple[PoolKey, float]] = deque(maxlen=MAX_SWITCHES)
        self._units: Counter[PoolKey] = Counter()
        """Handed out since ``take_units``, by the pool of their job."""
        self._full_shares_on: deque[bytes] = deque(maxlen=MAX_PREVIOUS_HASHES)
        """Previous hashes on which no weak block is looked for any more."""
        self._paused = False

    @property
    def job(self) -> Job | None:
        """The job being searched; None when there is none."""
        return self._job

    @property
    def paused(self) -> bool:
        """Whether no work is handed out."""
        return self._paused

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        """The next unit of the current job; see ``WorkSource``."""
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
        """Register for changes; see ``WorkSource``."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def set_job(self, job: Job) -> None:
        """Search this job from now on. Old work is void when the job says so or when its chain tip differs."""
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
        """There is no valid work any more."""
        with self._lock:
            had_job, self._job = self._job is not None, None
        if had_job:
            self._announce(True)

    def take_switches(self) -> list[tuple[PoolKey, float]]:
        """The pool of each job that work was taken of since the last call, and the seconds until that happened."""
        with self._lock:
            taken = list(self._switches)
            self._switches.clear()
        return taken

    def take_units(self) -> Counter[PoolKey]:
        """How many units were handed out since the last call, by the pool of their job."""
        with self._lock:
            taken, self._units = self._units, Counter()
        return taken

    def pause(self, paused: bool) -> None:
        """Stop or continue handing out work, whatever jobs come."""
        if paused != self._paused:
            self._paused = paused
            self._announce(paused)

    def seek_weak_blocks(self, previous_hash: bytes, *, wanted: bool) -> None:
        """Look for weak blocks on top of this previous hash, or no longer: then for full shares only."""
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
        """Whether a block below the share target is still worth something on top of this job's previous hash."""
        wanted = job.network_target < TRIVIAL_TARGET if self._weak_blocks is None else self._weak_blocks
        return wanted and job.previous_hash not in self._full_shares_on

    def _announce(self, void: bool) -> None:
        for callback in tuple(self._callbacks):
            callback(void)

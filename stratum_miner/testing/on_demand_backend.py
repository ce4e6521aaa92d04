"""A backend that finds a share only when a test asks for one. The same seed gives the same shares.

The backend uses no processor time between requests. At the low difficulty that tests use, finding a share takes some
thousands of hashes. The backend calls a C kernel in its trio task, for about a millisecond at a time.
"""

import random
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

import trio

from stratum_miner.backends import options as option
from stratum_miner.backends.base import ASK_AGAIN_SECONDS, Backend, WorkSource
from stratum_miner.backends.cpu import kernels
from stratum_miner.backends.cpu.choice import Choice, choose
from stratum_miner.backends.statistics import BackendStatistics, DeviceStatistics
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share, verify
from stratum_miner.work.unit import NONCE_SPACE, NonceFound, WorkUnit

SLICE_SECONDS = 0.001
"""Duration of one search in the trio task, in seconds."""


class ShareKind(Enum):
    """What kind of share a test asks for. The values are texts for people."""

    ANY = "a share"
    """A share. It is no block, unless every share of its job is a block."""
    NON_BLOCK = "a share that is no block"
    """A share whose hash misses the network target. The backend computes the hash, so this is certain."""
    BLOCK = "a block"
    """A share whose hash meets the network target, too."""


def why_impossible(job: Job, kind: ShareKind) -> str:
    """Return why the job has no share of this kind; "" if it has such shares."""
    if kind is not ShareKind.NON_BLOCK or job.network_target < job.share_target:
        return ""
    return (
        f"every share of this job is a block, because its network difficulty, {job.network_difficulty:g}, is not above "
        f"its share difficulty, {job.share_difficulty:g}"
    )


class OnDemandBackend(Backend):
    """Finds one share for each call of ``find_one``; ``seed`` decides which nonces are tried first."""

    name: ClassVar[str] = "ordered"
    exhaustive: ClassVar[bool] = False

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        self._requests: deque[ShareKind] = deque()
        self._changed = trio.Event()
        self._hashes = self._found = 0
        self._unit: WorkUnit | None = None
        self._position = 0
        self._stale = False
        self._kernel = ""
        self._problem = ""

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "OnDemandBackend":
        """Make a backend from the option ``seed``, an integer. Raises BackendOptionError if an option is invalid."""
        option.check_known(cls.name, options, ("seed",))
        return cls(seed=option.integer(options, "seed", 0, 2**63) or 0)

    def find_one(self, kind: ShareKind = ShareKind.ANY) -> None:
        """Ask for one more share of this kind. Call this method in the trio thread only.

        If the present job has no share of this kind, the request waits for another job. Until then, ``problem`` of the
        statistics says why.
        """
        self._requests.append(kind)
        self._wake()

    def statistics(self) -> BackendStatistics:
        """Return the number of hashes computed and of shares found."""
        device = DeviceStatistics("ordered0", self._hashes, self._found)
        return BackendStatistics(self.name, "finds shares on request", (device,), self._kernel, self._problem)

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Carry out the requests of ``find_one`` until cancelled. A request waits while there is no work.
        If the work is replaced during a search, the search begins again with the new work."""
        # choose() runs in a thread, because it blocks while it tests and measures the kernels
        choice = await trio.to_thread.run_sync(choose)
        self._kernel = choice.kernel.name
        unregister = source.on_change(self._note_change)
        try:
            async with found:
                while True:
                    changed = self._changed
                    if not self._requests:
                        await changed.wait()
                        continue
                    if not self._take_unit(source, self._requests[0]):
                        with trio.move_on_after(ASK_AGAIN_SECONDS):
                            await changed.wait()
                        continue
                    hit = await self._search(choice, self._requests[0])
                    if hit is not None:
                        self._requests.popleft()
                        self._found += 1
                        await found.send(hit)
        finally:
            unregister()

    def _take_unit(self, source: WorkSource, kind: ShareKind) -> bool:
        """Return whether there is a work unit with shares of this kind. Take a new unit if the last one is used up."""
        if self._unit is None or self._stale or self._position >= NONCE_SPACE:
            self._unit, self._position, self._stale = source.next_unit(), 0, False
        self._problem = "" if self._unit is None else why_impossible(self._unit.job, kind)
        return self._unit is not None and not self._problem

    async def _search(self, choice: Choice, kind: ShareKind) -> NonceFound | None:
        """Search the current work unit for the requested share, and return the share. The search begins at the nonce at
        which the previous search of this work unit stopped. Return None if no nonce of the work unit is left, or if the
        work has changed."""
        unit = self._unit
        assert unit is not None
        job = unit.job
        target = min(job.share_target, job.network_target) if kind is ShareKind.BLOCK else job.share_target
        first = random.Random(f"{self._seed}/{unit.header.hex()}").getrandbits(32)
        search = kernels.Search(choice.kernel, capacity=1)
        search.load(unit.header, target, first_nonce=first)
        step = max(1, int(choice.hash_rate * SLICE_SECONDS))
        while self._position < NONCE_SPACE and not self._stale:
            result = search.run(self._position, min(step, NONCE_SPACE - self._position))
            self._position += result.done
            self._hashes += result.done
            for hit in result.hits:
                found = NonceFound(unit, hit.nonce, unit.version, "ordered0")
                if kind is ShareKind.BLOCK or not _is_rare_block(found):
                    return found
            await trio.lowlevel.checkpoint()
        return None

    def _note_change(self, void: bool) -> None:
        # The requested share must be for the current job, so a work unit of an earlier job is replaced even if it is
        # still valid.
        del void
        self._stale = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _is_rare_block(found: NonceFound) -> bool:
    """Return whether the share is a block although the network target of its job is harder than the share target.

    Such a share is used only if the test asks for a block. If such shares were used for every test, one of them would
    now and then bring all miners a job for the next block and make their shares stale. A test of shares would then
    fail.
    """
    share = verify(found)
    return isinstance(share, Share) and share.is_block and share.job.network_target < share.job.share_target

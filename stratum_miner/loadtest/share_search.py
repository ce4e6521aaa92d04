"""Finds valid shares with the C kernel. At the difficulties of a load test, a share takes few hashes.

If a share takes less than a millisecond on average, the event loop of the load generator searches for it when it is
due. Otherwise a thread searches for it in advance. Of all requested shares, the thread searches first for the one that
is due first. The kernel releases the GIL while it searches.
"""

import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from heapq import heappop, heappush
from os import nice

from stratum_miner.backends.cpu import kernels
from stratum_miner.backends.cpu.choice import Choice, choose
from stratum_miner.bitcoin.merkle import fold_branch
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import expected_hashes
from stratum_miner.loadtest.jobs import MinerJob
from stratum_miner.stratum.client_messages import Submit

INLINE_HASHES = 1 << 15
"""If a share takes at most this many hashes on average, the loop itself searches for it. A kernel with 60 MH/s needs
half a millisecond for them."""
CHEAP_HASHES = 1 << 10
"""So many hashes take about as long as the preparation of a search. If shares take fewer hashes, the first search on a
job is for several shares."""
MAX_STOCK = 16
"""Maximum number of shares that one search finds for a miner. The miner keeps those that are not due yet."""
SLICE_SECONDS = 0.02
"""Seconds that the search thread searches before it checks again whether the miner still needs the share."""
PATIENCE = 40
"""A search gives up after PATIENCE times as many hashes as a share takes on average. The probability that a
search gives up is 4e-18."""

_HEAD = struct.Struct("<I32s32sIII")


@dataclass(frozen=True, slots=True)
class FoundPoint:
    """A nonce and version bits that meet the share target.

    ``version_bits`` are the bits to submit; None without version rolling.
    """

    nonce: int
    version_bits: int | None


class ShareSearch:
    """One kernel with its buffers. It is not thread-safe, so each thread needs its own."""

    def __init__(self, choice: Choice | None = None) -> None:
        self.choice = choice = choice or choose()
        self._search = kernels.Search(choice.kernel, capacity=MAX_STOCK)
        self._version_bits = choice.kernel.version_bits
        self.hashes = 0
        """Number of hashes searched so far."""

    def find(
        self, work: MinerJob, extranonce2: bytes, wanted: Callable[[], bool] = lambda: True, most: int | None = None
    ) -> FoundPoint | None:
        """Search for a share of the job with this extranonce2, and return the first one found. Return None if the
        search ends without a share. The parameters are those of ``find_several``."""
        found = self.find_several(work, extranonce2, 1, wanted, most)
        return found[0] if found else None

    def find_several(
        self,
        work: MinerJob,
        extranonce2: bytes,
        count: int,
        wanted: Callable[[], bool] = lambda: True,
        most: int | None = None,
    ) -> list[FoundPoint]:
        """Search for ``count`` shares of the job with this extranonce2, at most ``MAX_STOCK``. Return fewer if the
        search ends before.

        ``wanted`` is called before each kernel call, and the search ends when it returns False. The search also ends
        after about ``PATIENCE`` times the average number of hashes of one share. ``most`` is the maximum number of
        hashes of one kernel call.
        """
        notify = work.notify
        coinbase = notify.coinbase_prefix + work.extranonce1 + extranonce2 + notify.coinbase_suffix
        root = fold_branch(sha256d(coinbase), notify.merkle_branch)
        mask = self._searched_mask(work.version_mask & ~notify.version)
        header = _HEAD.pack(notify.version, notify.previous_hash, root, notify.ntime, notify.nbits, 0)
        points = self._search.load(header, work.target, version_mask=mask)
        limit = min(points, int(hashes_of(work.target) * PATIENCE) + 1024)
        position = 0
        found: list[FoundPoint] = []
        while len(found) < count and position < limit and wanted():
            result = self._search.run(position, min(limit - position, most or limit), at_most=count - len(found))
            position += result.done
            self.hashes += result.done
            found += [
                FoundPoint(hit.nonce, hit.version & work.version_mask if work.version_rolling else None)
                for hit in result.hits
            ]
        return found

    def nonce(self, header: bytes, target: int) -> int | None:
        """Search for a nonce with which the hash of this header meets the target, and return the first one found.
        Return None if the search ends without one, after about ``PATIENCE`` times the average number of hashes."""
        points = self._search.load(header, target)
        limit = min(points, int(hashes_of(target) * PATIENCE) + 1024)
        hits = self._search.run(0, limit).hits
        return hits[0].nonce if hits else None

    def _searched_mask(self, rollable: int) -> int:
        """Return the lowest bits that are set in ``rollable``, as many as the kernel can vary in one call."""
        mask = 0
        for _ in range(self._version_bits):
            lowest = rollable & -rollable
            mask |= lowest
            rollable ^= lowest
        return mask


@lru_cache(maxsize=4096)
def hashes_of(target: int) -> float:
    """Return the average number of hashes for a share of this target."""
    return float(expected_hashes(target))


def submit_of(worker_name: str, work: MinerJob, extranonce2: bytes, found: FoundPoint) -> Submit:
    """Return the parameters of mining.submit for a found share."""
    return Submit(worker_name, work.notify.job_id, extranonce2, work.notify.ntime, found.nonce, found.version_bits)


@dataclass(frozen=True, slots=True)
class ShareRequest:
    """A request to find one share before it is due. ``wanted`` returns whether the miner still needs the share."""

    miner_number: int
    work: MinerJob
    extranonce2: bytes
    wanted: Callable[[], bool]


class SearchThread:
    """A thread that searches for requested shares, always first for the share that is due first.

    After each search, the thread appends the request and the found share, or None, to ``done`` and calls ``on_found``.
    """

    def __init__(self, choice: Choice, on_found: Callable[[], None]) -> None:
        self._search = ShareSearch(choice)
        self.done: deque[tuple[ShareRequest, FoundPoint | None]] = deque()
        self._on_found = on_found
        self._requests: list[tuple[float, int, ShareRequest]] = []
        self._number = 0
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="load-search", daemon=True)
        self._thread.start()

    @property
    def hashes(self) -> int:
        """Number of hashes searched so far."""
        return self._search.hashes

    def request(self, due: float, request: ShareRequest) -> None:
        """Request a share that is due at the time ``due``."""
        with self._changed:
            self._number += 1
            heappush(self._requests, (due, self._number, request))
            self._changed.notify()

    def close(self) -> None:
        """Stop the thread and wait until it has ended, which takes about ``SLICE_SECONDS`` at most."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        nice(10)  # on Linux, this lowers only the priority of this thread, below that of the loop
        search = self._search
        slice_hashes = max(1, int(search.choice.hash_rate * SLICE_SECONDS))
        while (request := self._next()) is not None:
            if self._is_wanted(request):
                found = search.find(request.work, request.extranonce2, partial(self._is_wanted, request), slice_hashes)
                self.done.append((request, found))
                self._on_found()

    def _is_wanted(self, request: ShareRequest) -> bool:
        return not self._closed and request.wanted()

    def _next(self) -> ShareRequest | None:
        with self._changed:
            while not self._requests and not self._closed:
                self._changed.wait()
            return None if self._closed else heappop(self._requests)[2]

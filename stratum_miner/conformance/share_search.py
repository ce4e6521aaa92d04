"""Finds shares for a check. For a given block header, the search looks for a nonce with which the hash lies in a given
range. A search kernel computes the hashes. The processor time that a check may use is limited.
"""

import time
from dataclasses import dataclass, field

import trio

from stratum_miner.backends.cpu.choice import MEASURE_AGAIN_HINT, TOO_LONG_FACTOR, choose
from stratum_miner.backends.cpu.kernels import Kernel, Search, SearchResult
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import MAX_TARGET, hash_value
from stratum_miner.conformance.outcome import Skip
from stratum_miner.quantities import hash_rate_text
from stratum_miner.work.unit import NONCE_SPACE

OPTION = "--max-seconds-of-work"
"""The option that limits the work for the shares of a check."""
QUICK = 200_000
"""If one call of the kernel computes fewer hashes than ``QUICK``, it is made in trio's own thread instead of a worker
thread, because it blocks the event loop only for milliseconds."""
ENOUGH = 4
"""One call of the kernel ends after this number of hits. A hit is a nonce whose hash is at most the largest hash that
the check wants. A single hit is not enough, because its hash may be below the smallest hash that the check wants. The
search uses the first hit whose hash is in the range, and the next search begins after the nonce of this hit."""
SLICE_SECONDS = 0.1
"""Seconds that one call of the kernel takes in a worker thread. Between two calls, the check can be cancelled."""


@dataclass(frozen=True, slots=True)
class Hasher:
    """The search kernel that all checks use. ``hash_rate`` is the hash rate of one thread in H/s."""

    _kernel: Kernel
    hash_rate: float

    @classmethod
    def fastest(cls) -> "Hasher":
        """Return the fastest kernel of this computer, with its measured hash rate.

        The first call on a computer measures the kernels, which takes less than a second. The result is stored, and
        later calls use it, even in other processes. Raises SelfTestError if no kernel passes its self-test.
        """
        choice = choose()
        return cls(choice.kernel, choice.hash_rate)


@dataclass(slots=True)
class BudgetedSearch:
    """Searches for the shares of one check. ``budget`` is the processor time that the check may use, and ``spent`` the
    processor time that it has used so far, both in seconds."""

    hasher: Hasher
    budget: float
    spent: float = 0.0
    hashes: int = 0
    _next_nonce: int = field(default=0)

    def afford(self, hashes: float, what: str) -> None:
        """Raise Skip if this number of hashes would take more than ``TOO_LONG_FACTOR`` times the processor time that is
        left in the budget.

        ``what`` says in the message what the hashes are for, such as "a share".
        """
        needed = hashes / self.hasher.hash_rate
        if needed > TOO_LONG_FACTOR * (self.budget - self.spent):
            raise Skip(
                f"{what} would take {needed:,.1f} s of work at {hash_rate_text(self.hasher.hash_rate)}, and the check "
                f"may use only {max(0.0, self.budget - self.spent):,.1f} s more. Raise --max-seconds-of-work, or lower "
                f"the pool's share difficulty; {MEASURE_AGAIN_HINT}",
                OPTION,
            )

    async def nonce(self, header: bytes, at_most: int, above: int = -1) -> int | None:
        """Return a nonce with which the hash of the 80-byte ``header``, as an integer, is greater than ``above`` and at
        most ``at_most``.

        Each call begins after the nonce that the previous call returned, even if the header is a different one. Return
        None if no nonce is left; the next call then begins at 0. Raises Skip if the budget is used up, or no hash value
        can lie in the range.
        """
        if at_most <= above:
            raise Skip("no hash value lies between the two targets that the check needs")
        expected = (MAX_TARGET + 1) / (at_most - max(above, 0))
        self.afford(expected, "a share")
        search = Search(self.hasher._kernel)  # a private attribute, but of a class of this module
        search.load(header, at_most)
        while self._next_nonce < NONCE_SPACE:
            found = await self._slice(search, header, expected, above)
            if found is not None:
                return found
            if self.spent > self.budget:
                raise Skip(f"no share was found in {self.spent:,.1f} s of work; raise {OPTION}", OPTION)
        self._next_nonce = 0
        return None

    async def _slice(self, search: Search, header: bytes, expected: float, above: int) -> int | None:
        quick = expected * 8 < QUICK
        count = int(expected * 8) + 64 if quick else int(self.hasher.hash_rate * SLICE_SECONDS)
        count = min(count, NONCE_SPACE - self._next_nonce)
        if quick:
            await trio.lowlevel.checkpoint()
            result, seconds = _run(search, self._next_nonce, count, None)
        else:
            result, seconds = await trio.to_thread.run_sync(_run, search, self._next_nonce, count, ENOUGH)
        self.spent += seconds
        for hit in sorted(result.hits):
            digest = sha256d(header[:76] + hit.nonce.to_bytes(4, "little"))
            if hash_value(digest) > above:
                self.hashes += hit.nonce + 1 - self._next_nonce
                self._next_nonce = hit.nonce + 1
                return hit.nonce
        self.hashes += result.done
        self._next_nonce += result.done
        return None


def _run(search: Search, position: int, count: int, at_most: int | None) -> tuple[SearchResult, float]:
    """Search ``count`` nonces from ``position`` on. Return the result and the processor time used, in seconds.

    Processor time does not pass while the thread waits for the processor, so other programs do not use up the budget.
    """
    started = time.thread_time()
    result = search.run(position, count, at_most=at_most)
    return result, time.thread_time() - started

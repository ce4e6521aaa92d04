"""Finding shares for a check with the real kernel: any header, any window of hash values, a budget of seconds."""

import time
from dataclasses import dataclass, field

import trio

from stratum_miner.backends.cpu.choice import HOPELESS, MEASURES_AGAIN, choose
from stratum_miner.backends.cpu.kernels import Kernel, Search, SearchResult
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import MAX_TARGET, hash_value
from stratum_miner.conformance.outcome import Skip
from stratum_miner.quantities import hash_rate_text
from stratum_miner.work.unit import NONCE_SPACE

QUICK = 200_000
"""Hashes that are not worth a thread: some milliseconds."""
ENOUGH = 4
"""Hits that end a slice; the first that lies in the window is taken, and the search resumes after it."""
SLICE_SECONDS = 0.1
"""How long a thread searches before it looks whether the check was cancelled."""


@dataclass(frozen=True, slots=True)
class Hasher:
    """The kernel for all checks, and what one thread of it does, in hashes per second."""

    kernel: Kernel
    hash_rate: float

    @classmethod
    def fastest(cls) -> "Hasher":
        """Measure, or remember. Blocks for a moment; SelfTestError when no kernel is sound."""
        choice = choose()
        return cls(choice.kernel, choice.hash_rate)


@dataclass(slots=True)
class BudgetedSearch:
    """The hashing of one check; ``budget`` is in seconds of processor time."""

    hasher: Hasher
    budget: float
    spent: float = 0.0
    hashes: int = 0
    _next_nonce: int = field(default=0)

    def afford(self, hashes: float, what: str) -> None:
        """Skip when so many hashes are far more than the budget has left."""
        needed = hashes / self.hasher.hash_rate
        if needed > HOPELESS * (self.budget - self.spent):
            raise Skip(
                f"{what} takes {needed:,.1f} s of work at {hash_rate_text(self.hasher.hash_rate)}, "
                f"{max(0.0, self.budget - self.spent):,.1f} s are left (--max-seconds-of-work); {MEASURES_AGAIN}"
            )

    async def nonce(self, header: bytes, at_most: int, above: int = -1) -> int | None:
        """A nonce that puts the hash of the 80-byte ``header`` into (above, at_most]; never one it returned before.

        None when this header has none left. Skip when the budget is spent.
        """
        if at_most <= above:
            raise Skip("no hash value lies between the two targets")
        expected = (MAX_TARGET + 1) / (at_most - max(above, 0))
        self.afford(expected, "a share")
        search = Search(self.hasher.kernel)
        search.load(header, at_most)
        while self._next_nonce < NONCE_SPACE:
            found = await self._slice(search, header, expected, above)
            if found is not None:
                return found
            if self.spent > self.budget:
                raise Skip(f"no share in {self.spent:,.1f} s of work (--max-seconds-of-work)")
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
    """Search, and the processor time it took: a busy machine does not use up the budget."""
    started = time.thread_time()
    result = search.run(position, count, at_most=at_most)
    return result, time.thread_time() - started

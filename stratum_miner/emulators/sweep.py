"""How an emulated chip searches: for real, with the C kernel, and at the stated rate.

An `EmulatedEngine` goes through ranges of nonces, one after the other, as a chip's counter does. What the counter
passes at a moment follows from the rate alone. Searching runs a few milliseconds ahead of that moment, so a hit is
known, and can be reported, exactly when the chip would report it. Time is an argument.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Final

from stratum_miner.backends.cpu import kernels
from stratum_miner.backends.cpu.choice import Choice, choose
from stratum_miner.bitcoin.target import target_from_difficulty

CANDIDATE_TARGET: Final = (1 << 224) - 1
"""The last four bytes of the hash are zero: what a mining chip takes for a solution
(docs/reference/asic.md#which-hashes-a-chip-reports)."""
LOOK_AHEAD_S: Final = 0.02
FEWEST_NONCES: Final = 4096
"""A slice of fewer costs more in calls than in hashing, so slow engines look further ahead, but never too far."""
FURTHEST_LOOK_S: Final = 0.25
SLICE_S: Final = 0.002
"""At most so much of the CPU in one go; the rest of the loop waits meanwhile. Picked by feel."""
CAPACITY: Final = 4096
"""Hits in one slice; far above what any wire carries."""


def nonce_target(difficulty: float) -> int:
    """The largest hash that the device reports. At difficulty 1 that is a chip's own test, 32 zero bits."""
    return CANDIDATE_TARGET if difficulty == 1 else target_from_difficulty(difficulty)


@dataclass(frozen=True, slots=True)
class NonceRange:
    """Consecutive counter values of one work. ``known`` has all its hits when nobody needs to search for them."""

    load: Callable[[kernels.Search], object]
    first: int
    """The first nonce, as a number whose first byte in the header is the most significant."""
    count: int
    tag: int = 0
    """The caller's: a midstate's index, a rolled version."""
    known: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class SweepHit:
    """A nonce that the counter passes ``at`` a time."""

    at: float
    nonce: int
    tag: int


class Searcher:
    """A kernel, and what it can do. One for all engines of a device: each slice loads its own work."""

    def __init__(self) -> None:
        self.choice = _choice()
        self.hash_rate = self.choice.hash_rate
        self.slice = max(1, int(self.hash_rate * SLICE_S))
        self.search = kernels.Search(self.choice.kernel, capacity=CAPACITY)


@cache
def _choice() -> Choice:
    """The kernel of this process: chosen once, or a test with many devices would test kernels most of the time."""
    return choose()


class EmulatedEngine:
    """One engine at ``rate`` hashes a second since ``started``, through ``ranges``."""

    def __init__(self, searcher: Searcher, ranges: Iterator[NonceRange], rate: float, started: float) -> None:
        self._searcher = searcher
        self._ranges = ranges
        self._rate = rate
        self._origin = started
        """When the counter passed the first nonce, had the rate always been this."""
        self._done = 0
        self._before = 0
        """Nonces of ranges that are over."""
        self._current = next(ranges, None)
        self._look_ahead = _look_ahead(rate)

    def set_rate(self, rate: float, now: float) -> None:
        """Go on from here at another rate; 0 stands still."""
        passed = self.passed(now)
        self._rate = rate
        self._origin = now - passed / rate if rate else now
        self._look_ahead = _look_ahead(rate)

    def passed(self, now: float) -> float:
        """How many nonces the counter has passed."""
        steps = max(0.0, (now - self._origin) * self._rate)
        return min(steps, self.searched) if self._current is None else steps

    def hashes(self, now: float) -> float:
        """How many nonces the counter has passed and were really searched."""
        return min(self.passed(now), self.searched)

    @property
    def searched(self) -> int:
        """How many nonces have been searched; never more than the look-ahead beyond what the counter passed."""
        return self._before + self._done

    def next_search_at(self, now: float) -> float:
        """When `advance` has something to do: half a look-ahead before the counter comes to what is not searched."""
        if self._current is None or not self._rate:
            return inf
        if self._current.known is not None:
            return now
        return self._origin + self.searched / self._rate - self._look_ahead / 2

    def advance(self, now: float) -> Iterator[SweepHit]:
        """Search what the counter passes soon, a slice at most; yields the hits in order, each with its time."""
        while self._current is not None and self._rate:
            current = self._current
            if current.known is not None:
                for nonce in current.known:
                    yield self._hit(nonce, nonce - current.first, current.tag)
                self._finish(current)
                continue
            goal = min(int(self.passed(now + self._look_ahead)) - self._before, current.count)
            if self._done >= goal:
                return
            current.load(self._searcher.search)
            result = self._searcher.search.run(current.first + self._done, min(goal - self._done, self._searcher.slice))
            self._done += result.done
            for hit in result.hits:
                yield self._hit(hit.nonce, hit.nonce - current.first, current.tag)
            if self._done < current.count:
                return
            self._finish(current)

    def _hit(self, nonce: int, offset: int, tag: int) -> SweepHit:
        return SweepHit(self._origin + (self._before + offset + 1) / self._rate, nonce, tag)

    def _finish(self, current: NonceRange) -> None:
        self._before += current.count
        self._done = 0
        self._current = next(self._ranges, None)


def _look_ahead(rate: float) -> float:
    return min(max(LOOK_AHEAD_S, FEWEST_NONCES / rate), FURTHEST_LOOK_S) if rate else LOOK_AHEAD_S

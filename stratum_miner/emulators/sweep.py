"""How an emulated chip searches: with the C kernel, at the configured rate.

An ``EmulatedEngine`` goes through ranges of nonces, one after the other, as the counter of a chip does. What the
counter passes at a time follows from the rate alone. The search runs a few milliseconds ahead of that time. A hit is
therefore known, and can be reported, exactly when the chip would report it. Time is an argument.
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
"""Seconds by which the search runs ahead."""
FEWEST_NONCES: Final = 4096
"""Fewest nonces in a slice. A smaller slice costs more in calls than in hashing, so slow engines search further
ahead."""
FURTHEST_LOOK_S: Final = 0.25
"""Largest number of seconds by which the search runs ahead."""
SLICE_S: Final = 0.002
"""Longest time in seconds for one slice, during which the rest of the event loop waits. Picked by feel."""
CAPACITY: Final = 4096
"""Largest number of hits in one slice, far above what any line carries."""


def nonce_target(difficulty: float) -> int:
    """Return the largest hash that a device with this nonce difficulty reports.

    At difficulty 1 it is that of a real chip, 32 leading zero bits.
    """
    return CANDIDATE_TARGET if difficulty == 1 else target_from_difficulty(difficulty)


@dataclass(frozen=True, slots=True)
class NonceRange:
    """Consecutive counter values of one work. ``known`` contains all its hits if they need not be searched for."""

    load: Callable[[kernels.Search], object]
    first: int
    """The first nonce, as a number whose most significant byte is the first one in the header."""
    count: int
    tag: int = 0
    """A number for the caller: the index of a midstate, or rolled version bits."""
    known: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class SweepHit:
    """A nonce that the counter passes at the time ``at``."""

    at: float
    nonce: int
    tag: int


class Searcher:
    """A kernel and its hash rate. All engines of a device share one, and load their work for each slice."""

    def __init__(self) -> None:
        self.choice = _choice()
        self.hash_rate = self.choice.hash_rate
        self.slice = max(1, int(self.hash_rate * SLICE_S))
        self.search = kernels.Search(self.choice.kernel, capacity=CAPACITY)


@cache
def _choice() -> Choice:
    """Choose the kernel of this process once. Otherwise a test with many devices would spend most of its time testing
    kernels."""
    return choose()


class EmulatedEngine:
    """One engine that searches ``ranges`` at ``rate`` hashes per second since ``started``."""

    def __init__(self, searcher: Searcher, ranges: Iterator[NonceRange], rate: float, started: float) -> None:
        self._searcher = searcher
        self._ranges = ranges
        self._rate = rate
        self._origin = started
        """Time at which the counter would have passed the first nonce, if the rate had always been the present one."""
        self._done = 0
        self._before = 0
        """Number of nonces in the ranges that are finished."""
        self._current = next(ranges, None)
        self._look_ahead = _look_ahead(rate)

    def set_rate(self, rate: float, now: float) -> None:
        """Continue at another rate from now on. At rate 0 the engine stands still."""
        passed = self.passed(now)
        self._rate = rate
        self._origin = now - passed / rate if rate else now
        self._look_ahead = _look_ahead(rate)

    def passed(self, now: float) -> float:
        """Return how many nonces the counter has passed."""
        steps = max(0.0, (now - self._origin) * self._rate)
        return min(steps, self.searched) if self._current is None else steps

    def hashes(self, now: float) -> float:
        """Return how many nonces the counter has passed that were really searched."""
        return min(self.passed(now), self.searched)

    @property
    def searched(self) -> int:
        """Number of nonces that were searched. It exceeds what the counter has passed by at most the look-ahead."""
        return self._before + self._done

    def next_search_at(self, now: float) -> float:
        """Return when to call ``advance``: half a look-ahead before the counter reaches a nonce that is not searched
        yet."""
        if self._current is None or not self._rate:
            return inf
        if self._current.known is not None:
            return now
        return self._origin + self.searched / self._rate - self._look_ahead / 2

    def advance(self, now: float) -> Iterator[SweepHit]:
        """Search one slice of what the counter will pass soon. Yield the hits in order, each with its time."""
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

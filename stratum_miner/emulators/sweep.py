"""How an emulated chip searches: with the C kernel, at the configured rate.

An ``EmulatedEngine`` has a counter that goes through ranges of nonces, one after the other, like the counter of a chip.
The configured rate alone determines when the counter passes a nonce. The kernel searches the nonces a few milliseconds
before the counter passes them. A hit (a nonce that meets the target) is therefore known early enough to be reported
exactly when the chip would report it. The current time is an argument of the methods.
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
"""Largest hash that a mining chip reports: its most significant four bytes are zero
(docs/reference/asic.md#which-hashes-a-chip-reports)."""
LOOK_AHEAD_S: Final = 0.02
"""Seconds by which the search usually runs ahead of the counter. Slow engines search further ahead."""
FEWEST_NONCES: Final = 4096
"""Minimum number of nonces by which the search runs ahead of the counter, unless FURTHEST_LOOK_S is reached. With fewer
nonces, calling the kernel would take longer than hashing."""
FURTHEST_LOOK_S: Final = 0.25
"""Maximum seconds by which the search runs ahead of the counter."""
SLICE_S: Final = 0.002
"""A slice is a part of a search that is done in one call of the kernel. It takes at most this many seconds, during
which other tasks of the event loop wait. The value is a guess."""
CAPACITY: Final = 4096
"""Maximum number of hits (nonces that meet the target) in one slice, which is one call of the kernel. A serial line
could not transfer nearly as many."""


def nonce_target(difficulty: float) -> int:
    """Return the largest hash that a device with this nonce difficulty reports.

    At difficulty 1, this is CANDIDATE_TARGET, the largest hash that a real chip reports.
    """
    return CANDIDATE_TARGET if difficulty == 1 else target_from_difficulty(difficulty)


@dataclass(frozen=True, slots=True)
class NonceRange:
    """Consecutive nonces of one work. If ``known`` is given, it contains all nonces in the range that meet the target,
    and no search is needed."""

    load: Callable[[kernels.Search], object]
    first: int
    """The first nonce, as a number whose most significant byte comes first in the header."""
    count: int
    tag: int = 0
    """A number that the caller gives to the range, and that each nonce found in the range repeats: the index of a
    midstate, or rolled version bits."""
    known: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class SweepHit:
    """A nonce that meets the target, and the time ``at`` at which the counter passes this nonce."""

    at: float
    nonce: int
    tag: int


class Searcher:
    """A kernel and its hash rate. All engines of a device share one searcher. Before each slice (one call of the
    kernel), an engine therefore loads its own work into the searcher."""

    def __init__(self) -> None:
        self.choice = _choice()
        self.hash_rate = self.choice.hash_rate
        self.slice = max(1, int(self.hash_rate * SLICE_S))
        self.search = kernels.Search(self.choice.kernel, capacity=CAPACITY)


@cache
def _choice() -> Choice:
    """Choose the kernel, once for this process, and remember the choice.

    To choose, the speed of all kernels is measured. If each device did this anew, a test with many devices would spend
    most of its time on it."""
    return choose()


class EmulatedEngine:
    """One engine that searches ``ranges`` at ``rate`` hashes per second since ``started``."""

    def __init__(self, searcher: Searcher, ranges: Iterator[NonceRange], rate: float, started: float) -> None:
        self._searcher = searcher
        self._ranges = ranges
        self._rate = rate
        self._origin = started
        """Time at which the counter would have been at the first nonce, if the engine had always had its current
        rate."""
        self._done = 0
        self._before = 0
        """Number of nonces in the ranges whose search is finished."""
        self._current = next(ranges, None)
        self._look_ahead = _look_ahead(rate)

    def set_rate(self, rate: float, now: float) -> None:
        """Continue with another rate from the time ``now`` on. With rate 0, the engine stands still."""
        passed = self.passed(now)
        self._rate = rate
        self._origin = now - passed / rate if rate else now
        self._look_ahead = _look_ahead(rate)

    def passed(self, now: float) -> float:
        """Return how many nonces the counter has passed at the time ``now``."""
        steps = max(0.0, (now - self._origin) * self._rate)
        return min(steps, self.searched) if self._current is None else steps

    def hashes(self, now: float) -> float:
        """Return how many of the nonces that the counter has passed were really searched."""
        return min(self.passed(now), self.searched)

    @property
    def searched(self) -> int:
        """Number of nonces that were searched so far. If a range needs no search (see ``NonceRange``), all its nonces
        count as searched as soon as ``advance`` reaches the range."""
        return self._before + self._done

    def next_search_at(self, now: float) -> float:
        """Return the time at which ``advance`` must be called next.

        ``advance`` searches until it is ahead of the counter by a lead, which is usually LOOK_AHEAD_S seconds. It must
        be called again when only half of this lead is left."""
        if self._current is None or not self._rate:
            return inf
        if self._current.known is not None:
            return now
        return self._origin + self.searched / self._rate - self._look_ahead / 2

    def advance(self, now: float) -> Iterator[SweepHit]:
        """Search some of the nonces that the counter will pass soon, with at most one call of the kernel. Yield the
        hits (nonces that meet the target) in the order of their times."""
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

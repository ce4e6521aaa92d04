"""When things are to happen: connections, shares, storms. Pure: times in, times out, chance from a seeded source.

The loop is open: what is due next depends on the plan alone, never on how fast the pool answered the last time, so a
pool that stalls is asked as often as one that does not (after vegeta's pacer; "coordinated omission" otherwise).

A simulated miner of hash rate h meets a share target with chance p per hash: its shares are a Poisson process of
intensity h * p * factor(t), where the *profile* gives the factor. Points in time are drawn by thinning (Lewis and
Shedler, 1979): candidates at the highest intensity, each kept with chance factor / peak.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from heapq import heappop, heappush
from typing import Generic, TypeVar

from stratum_miner.loadtest import spec

T = TypeVar("T")

PROFILES: Mapping[str, Mapping[str, float]] = {
    "track": {},
    "step": {"at": 0.5, "to": 2.0},
    "ramp": {"begin": 0.0, "to": 2.0},
    "stall": {"at": 0.4, "for": 0.2},
    "burst": {"every": 0.25, "for": 0.05, "to": 5.0},
    "oscillate": {"period": 0.25, "depth": 0.5},
}
"""Names and settings with their defaults; times are shares of the whole run, ``begin`` and ``to`` factors of the hash
rate."""
DISTRIBUTIONS: Mapping[str, Mapping[str, float]] = {
    "equal": {},
    "uniform": {"spread": 0.5},
    "lognormal": {"sigma": 1.0},
    "pareto": {"alpha": 1.5},
}
"""How hash rates differ between miners; all have a mean of one. ``pareto`` of 1.5: a few farms among many hobbyists."""
LARGEST_WEIGHT = 1000.0
"""A miner may have this many times the mean: a heavy tail without end would put the whole load on one connection."""


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """How the hash rates of all miners change in the course of a run of ``duration`` seconds."""

    name: str
    peak: float
    """The highest factor."""
    factor: Callable[[float], float]
    """A function of the seconds since the start, from 0 to ``peak``."""

    @classmethod
    def parse(cls, text: str, duration: float) -> "LoadProfile":
        """``track``, ``step:at=0.5,to=2`` and so on. SpecError says what is wrong."""
        name, values = spec.parse(text, "profile", PROFILES)
        for key in ("at", "for", "every", "period", "depth"):
            if values.get(key, 0.0) > 1:
                raise spec.SpecError(f"profile {name} {key}: expected a share of the run, 0 to 1, got {values[key]:g}")
        for key in ("every", "period"):
            if values.get(key, 1.0) == 0:
                raise spec.SpecError(f"profile {name} {key}: expected a share of the run above 0, got 0")
        return cls(name, *_shape(name, values, duration))


def _shape(name: str, values: Mapping[str, float], duration: float) -> tuple[float, Callable[[float], float]]:
    match name:
        case "step":
            at, to = values["at"] * duration, values["to"]
            return max(1.0, to), lambda t: 1.0 if t < at else to
        case "ramp":
            begin, to = values["begin"], values["to"]
            return max(begin, to), lambda t: begin + (to - begin) * min(1.0, max(0.0, t / duration))
        case "stall":
            at, end = values["at"] * duration, (values["at"] + values["for"]) * duration
            return 1.0, lambda t: 0.0 if at <= t < end else 1.0
        case "burst":
            every, length, to = values["every"] * duration, values["for"] * duration, values["to"]
            return max(1.0, to), lambda t: to if t % every < length else 1.0
        case "oscillate":
            turn, depth = 2 * math.pi / (values["period"] * duration), values["depth"]
            return 1.0 + depth, lambda t: 1.0 + depth * math.sin(turn * t)
        case _:
            return 1.0, lambda _: 1.0


def next_share(rng: random.Random, now: float, rate: float, profile: LoadProfile, end: float) -> float | None:
    """Seconds since the start at which a miner of ``rate`` shares a second has its next one after ``now``.

    None when that is not before ``end``.
    """
    highest = rate * profile.peak
    if highest <= 0:
        return None
    while True:
        now += rng.expovariate(highest)
        if now >= end:
            return None
        factor = profile.factor(now)
        if factor >= profile.peak or rng.random() * profile.peak < factor:
            return now


def connect_at(index: int, count: int, ramp: float) -> float:
    """When miner ``index`` of ``count`` connects: evenly over ``ramp`` seconds; all at once for 0, which is a storm."""
    return ramp * index / count


def weights(text: str, count: int, rng: random.Random) -> list[float]:
    """A hash rate for each miner, in means. SpecError says what is wrong."""
    draw = distribution(text)
    return [draw(rng) for _ in range(count)]


def distribution(text: str) -> Callable[[random.Random], float]:
    """A source of weights with a mean of one. SpecError says what is wrong."""
    name, values = spec.parse(text, "distribution", DISTRIBUTIONS)
    match name:
        case "uniform":
            spread = values["spread"]
            if spread > 1:
                raise spec.SpecError(f"distribution uniform spread: expected 0 to 1, got {spread:g}")
            return lambda rng: rng.uniform(1 - spread, 1 + spread)
        case "lognormal":
            sigma = values["sigma"]
            if sigma > 3:
                raise spec.SpecError(f"distribution lognormal sigma: expected 0 to 3, got {sigma:g}")
            return lambda rng: min(LARGEST_WEIGHT, rng.lognormvariate(-sigma * sigma / 2, sigma))
        case "pareto":
            alpha = values["alpha"]
            if alpha <= 1:
                raise spec.SpecError(f"distribution pareto alpha: expected above 1, for a finite mean, got {alpha:g}")
            return lambda rng: min(LARGEST_WEIGHT, rng.paretovariate(alpha) * (alpha - 1) / alpha)
        case _:
            return lambda _: 1.0


def reconnect_pause(attempt: int, first: float, longest: float, rng: random.Random) -> float:
    """Seconds before try number ``attempt`` (0 for the first): doubled each time, full jitter on the upper half."""
    ceiling = min(longest, first * 2.0 ** min(attempt, 32))
    return rng.uniform(ceiling / 2, ceiling)


class Event(IntEnum):
    """What an event queue is made of."""

    CONNECT = 0
    SHARE = 1
    BREAK = 2
    """A connection's life is over."""
    SLOW_READ = 3
    STORM = 4
    LAG_TICK = 5
    ROW_TICK = 6


class EventQueue(Generic[T]):
    """What is due when; for whom. What is late comes out at once, the oldest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Event, T | None]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: float, event: Event, who: T | None = None) -> None:
        """Note one; of equal times the first noted comes first."""
        self._number += 1
        heappush(self._heap, (due, self._number, event, who))

    @property
    def next_due(self) -> float:
        """Infinite when there is nothing."""
        return self._heap[0][0] if self._heap else math.inf

    def take(self, now: float, most: int) -> Iterator[tuple[float, Event, T | None]]:
        """What is due by now, at most so many."""
        heap = self._heap
        while most and heap and heap[0][0] <= now:
            due, _, event, who = heappop(heap)
            most -= 1
            yield due, event, who

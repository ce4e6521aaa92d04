"""Computes when connections, shares and storms are due. In a storm, all connections are closed at once.

The module reads no clock and uses a seeded random generator.

The times depend on the plan alone, never on how fast the pool answers (an open loop). A pool that stalls therefore gets
as many requests as a fast pool, and the measured latencies include the stall. A load generator that waited for an
answer before it sent the next request would hide the stall ("coordinated omission"). The load tester vegeta computes
its times in the same way.

The shares of a simulated miner are a Poisson process with the intensity h * p * factor(t). Here, h is the hash rate of
the miner, p the probability that a hash meets the share target, and factor(t) the value of the load profile at the time
t. The times of the shares are drawn by thinning (Lewis and Shedler, 1979): first, candidate times are drawn with the
highest intensity, h * p * peak, where peak is the highest value of the load profile. Then a candidate time t is kept
with the probability factor(t) / peak.
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
"""Load profiles with their settings and defaults.

``at`` (when a change begins), ``for`` (how long it lasts), ``every`` (from one burst to the next) and ``period`` (of
the oscillation) are times as fractions of the run. ``begin`` and ``to`` are factors by which the hash rate is
multiplied. ``depth`` is the amplitude of the oscillation as a fraction of the hash rate.
"""
DISTRIBUTIONS: Mapping[str, Mapping[str, float]] = {
    "equal": {},
    "uniform": {"spread": 0.5},
    "lognormal": {"sigma": 1.0},
    "pareto": {"alpha": 1.5},
}
"""Distributions of the hash rates among the miners, with their settings and defaults. The mean of each distribution is
1. ``pareto`` with an alpha of 1.5 resembles a few large farms among many small miners."""
LARGEST_WEIGHT = 1000.0
"""Highest hash rate of a miner, in multiples of the mean. Without this limit, one miner could produce nearly all
shares."""


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """How the hash rates of all miners change during a run."""

    name: str
    peak: float
    """The highest value that ``factor`` returns during the run."""
    factor: Callable[[float], float]
    """Function that takes the seconds since the start, and returns the factor from 0 to ``peak`` by which all hash
    rates are multiplied."""

    @classmethod
    def parse(cls, text: str, duration: float) -> "LoadProfile":
        """Parse a profile such as ``track`` or ``step:at=0.5,to=2`` for a run of ``duration`` seconds.

        Raises SpecError if the name or a setting is unknown, or a value is out of range.
        """
        name, values = spec.parse(text, "profile", PROFILES)
        for key in ("at", "for", "every", "period", "depth"):
            if values.get(key, 0.0) > 1:
                whole = "hash rate" if key == "depth" else "run"
                raise spec.SpecError(
                    f"profile {name} {key}: expected a fraction of the {whole}, 0 to 1, got {values[key]:g}"
                )
        for key in ("every", "period"):
            if values.get(key, 1.0) == 0:
                raise spec.SpecError(f"profile {name} {key}: expected a fraction of the run above 0, got 0")
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
    """Return the time, later than ``now``, at which the next share of a miner is due. Return None if no share is due
    before ``end``.

    ``rate`` is the average number of shares per second while the factor of the load profile is 1. ``now``, ``end`` and
    the result are seconds since the start.
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
    """Return the time, in seconds since the start, at which miner ``index`` of ``count`` connects. The times are spread
    evenly over ``ramp`` seconds; with 0, all miners connect at once."""
    return ramp * index / count


def weights(text: str, count: int, rng: random.Random) -> list[float]:
    """Draw a hash rate for each of ``count`` miners, in multiples of the mean.

    Raises SpecError if ``text`` is not a valid distribution.
    """
    draw = distribution(text)
    return [draw(rng) for _ in range(count)]


def distribution(text: str) -> Callable[[random.Random], float]:
    """Return a function that draws a hash rate in multiples of the mean, from a distribution such as
    ``pareto:alpha=1.5``.

    Raises SpecError if ``text`` is not a valid distribution.
    """
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
                raise spec.SpecError(f"distribution pareto alpha: expected a number above 1, got {alpha:g}")
            return lambda rng: min(LARGEST_WEIGHT, rng.paretovariate(alpha) * (alpha - 1) / alpha)
        case _:
            return lambda _: 1.0


def reconnect_pause(attempt: int, first: float, longest: float, rng: random.Random) -> float:
    """Return the seconds to wait before the next attempt to connect. ``attempt`` is the number of attempts so far.

    The longest possible pause doubles with each attempt, from ``first`` up to ``longest`` seconds. The result is a
    random value from half the longest possible pause to the whole of it, so that the miners do not reconnect at the
    same time.
    """
    ceiling = min(longest, first * 2.0 ** min(attempt, 32))
    return rng.uniform(ceiling / 2, ceiling)


class Event(IntEnum):
    """The kinds of timed events."""

    CONNECT = 0
    SHARE = 1
    BREAK = 2
    """The load generator closes one connection because its lifetime has ended (churn)."""
    SLOW_READ = 3
    STORM = 4
    LAG_TICK = 5
    ROW_TICK = 6


class EventQueue(Generic[T]):
    """A queue of timed events, each for one miner or for the whole run. ``take`` yields the events that are due, the
    earliest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Event, T | None]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: float, event: Event, target: T | None = None) -> None:
        """Add an event. Events that are due at the same time keep their order."""
        self._number += 1
        heappush(self._heap, (due, self._number, event, target))

    @property
    def next_due(self) -> float:
        """Time at which the earliest event is due; infinite if the queue is empty."""
        return self._heap[0][0] if self._heap else math.inf

    def take(self, now: float, most: int) -> Iterator[tuple[float, Event, T | None]]:
        """Remove and yield at most ``most`` events that are due by ``now``, each with the time at which it was due."""
        heap = self._heap
        while most and heap and heap[0][0] <= now:
            due, _, event, target = heappop(heap)
            most -= 1
            yield due, event, target

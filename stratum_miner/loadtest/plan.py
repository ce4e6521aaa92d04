"""The settings of a load test. They are checked when a ``LoadPlan`` is made.

A plan can be split into shards: plans for several processes, each with a part of the miners. A run with more than
``MAX_MINERS`` miners must be split. The limits of the other settings only protect against typing errors.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from stratum_miner.faults.share_faults import SHARE_FAULTS
from stratum_miner.loadtest import pacer, spec
from stratum_miner.quantities import check_duration

MAX_MINERS = 50_000
"""Maximum number of miners in one process, which is about as many as one processor core can serve."""
MAX_CLUSTER_MINERS = 1_000_000
"""Maximum number of miners of a run that is split into shards, counting the miners of all shards."""
MAX_SECONDS = 24 * 3600
"""Maximum duration of a run in seconds."""
DEFAULT_SHARE_RATE = 0.1
"""Shares per second of one miner on average if the plan asks for no rate, which is about as many as pools give a
miner."""
MAX_RATE = 1000.0
"""Maximum number of shares per second of one miner."""
ReconnectPolicy = Literal["fresh", "resume", "never"]
SHORTEST_PAUSE = 0.01
"""Shortest allowed pause between two attempts to connect, in seconds. Without any pause, the miners would use all
processor time when the pool is down."""
LONGEST_PAUSE = 60.0
"""Longest pause between two attempts to connect, in seconds."""


class PlanError(ValueError):
    """A setting is out of range, or settings contradict each other. The message names the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """The settings of one run. Times are in seconds.

    Raises PlanError or SpecError if a setting is out of range or unknown.
    """

    host: str
    port: int
    miners: int
    """Number of simulated miners, each with a connection and a worker name of its own."""
    duration: float = 60.0
    """Seconds from the first connection to the last share. After that, the run waits up to 3 s for missing answers to
    shares."""
    ramp: float = 10.0
    """Seconds over which the miners connect, evenly spaced. With 0, all connect at once."""
    share_rate: float | None = None
    """Shares per second of one miner on average, at the first difficulty that the pool sets. This determines the hash
    rate, which then stays the same: if the pool raises the difficulty, the pool gets fewer shares. Not used if
    ``hash_rate`` is given. If neither is given, the load generator takes ``DEFAULT_SHARE_RATE``, or the highest rate
    that this computer can search if that is lower."""
    hash_rate: float | None = None
    """Hash rate of one miner on average in H/s. The share rate then follows from the pool's difficulty."""
    distribution: str = "equal"
    """How the hash rates differ between miners, such as ``pareto:alpha=1.5``; see ``pacer.DISTRIBUTIONS``."""
    profile: str = "track"
    """How the hash rates change during the run, such as ``step:at=0.5,to=2``; see ``pacer.PROFILES``."""
    storms: tuple[float, ...] = ()
    """Times, in seconds since the start, at which all connections are closed at once. The miners reconnect
    immediately, unless ``reconnect`` is "never"."""
    churn: float | None = None
    """Mean lifetime of a connection in seconds. A miner closes its connection at the end of the connection's lifetime.
    Lifetimes are exponentially distributed. If ``churn`` is None, connections have no such lifetime."""
    reconnect: ReconnectPolicy = "fresh"
    """What a miner does after its connection ended: start a new session ("fresh"), ask to resume the session
    ("resume"), or stay disconnected ("never"). A slow reader reconnects only after a storm, in which all connections
    are closed at once, or after the lifetime of its connection (``churn``) has ended."""
    pause: float = 1.0
    """Seconds before the first attempt to reconnect. A miner makes this pause if its connection failed or was closed by
    the pool. It makes no pause if its connection ended because its lifetime was over, or because of a storm (in which
    all connections are closed at once). The pause doubles with each failed attempt, up to 60 s. Each pause is shortened
    by a random part, which is at most a half."""
    slow_readers: float = 0.0
    """Fraction of the miners, 0 to 1, that read only one byte per second once they are authorized."""
    version_rolling: float = 1.0
    """Fraction of the miners, 0 to 1, that ask for version rolling and use it."""
    bad: Mapping[str, float] = field(default_factory=dict)
    """Names of share faults, each with the fraction (0 to 1) of the submitted shares that get this fault. The sum of
    the fractions is at most 1."""
    worker_name: str = "load.{n}"
    """Worker name of each miner. ``{n}`` is replaced by the miner's number."""
    password: str = field(default="x", repr=False)
    seed: int = 0
    """Seed for the random choices. The same seed gives the same choices."""
    first: int = 0
    """Number of the first miner of this plan. It is 0 for a whole run and for the first shard (part of a run); a later
    shard begins after the last miner of the shard before it."""
    total: int | None = None
    """If this plan is a shard (a part of a run), the number of miners of the whole run; otherwise None."""

    def __post_init__(self) -> None:
        _within("miners", self.miners, 1, MAX_CLUSTER_MINERS if self.total is None else MAX_MINERS)
        _within("port", self.port, 1, 65535)
        _time_within("duration", self.duration, 0.1, MAX_SECONDS)
        _time_within("ramp", self.ramp, 0, self.duration)
        if self.share_rate is not None:
            _within("share rate", self.share_rate, 0, MAX_RATE)
        if self.hash_rate is not None:
            _within("hash rate", self.hash_rate, 1, 1e15)
        for at in self.storms:
            _time_within("storm", at, 0, self.duration)
        if self.churn is not None:
            _time_within("churn", self.churn, 0.1, MAX_SECONDS)
        _time_within("pause", self.pause, SHORTEST_PAUSE, LONGEST_PAUSE)
        for name, fraction in (("slow readers", self.slow_readers), ("version rolling", self.version_rolling)):
            _within(name, fraction, 0, 1)
        if self.reconnect not in get_args(ReconnectPolicy):
            raise PlanError(
                f"reconnect: expected one of {', '.join(get_args(ReconnectPolicy))}, got {self.reconnect!r}"
            )
        for name, fraction in self.bad.items():
            spec.check_known(name, SHARE_FAULTS, "bad submits")
            _within(f"bad submits {name}", fraction, 0, 1)
        if sum(self.bad.values()) > 1:
            raise PlanError(f"bad submits: expected at most 100 % in total, got {sum(self.bad.values()):.0%}")
        pacer.LoadProfile.parse(self.profile, self.duration)
        pacer.distribution(self.distribution)

    @property
    def total_miners(self) -> int:
        """Number of miners of the whole run."""
        return self.miners if self.total is None else self.total

    def worker_name_of(self, number: int) -> str:
        """Return the worker name of miner ``number``."""
        return self.worker_name.replace("{n}", str(number))

    def shards(self, count: int) -> list["LoadPlan"]:
        """Split the run into ``count`` shards (parts), each with a different seed. Every shard has at least one miner,
        so there may be fewer shards than ``count``."""
        count = min(count, self.miners)
        sizes = [self.miners // count + (index < self.miners % count) for index in range(count)]
        return [
            replace(
                self,
                miners=size,
                first=self.first + sum(sizes[:index]),
                total=self.total_miners,
                seed=self.seed + 1_000_003 * index,
            )
            for index, size in enumerate(sizes)
        ]

    def to_builtins(self) -> dict[str, Any]:
        """Return plain values that can be sent to another process; ``from_builtins`` reverses this. They contain the
        password that the miners send to the pool."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return plain | {"bad": dict(self.bad), "storms": list(self.storms)}

    @classmethod
    def from_builtins(cls, value: Mapping[str, Any]) -> "LoadPlan":
        """Return a plan from the plain values that ``to_builtins`` returned."""
        return cls(**{**value, "storms": tuple(value["storms"])})


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise PlanError(f"{name}: expected {_plain(low)} to {_plain(high)}, got {_plain(value)}")


def _time_within(name: str, seconds: float, low: float, high: float) -> None:
    try:
        check_duration(seconds, low, high)
    except ValueError as error:
        raise PlanError(f"{name}: {error}") from None


def _plain(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"

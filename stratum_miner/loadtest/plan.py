"""What a load run does: one frozen value, checked when it is made, that can be cut into shards.

The hard caps stop typing errors and tempers: whoever needs more runs several shards, on purpose.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from stratum_miner.faults.share_faults import SHARE_FAULTS
from stratum_miner.loadtest import pacer, spec

MAX_MINERS = 50_000
"""In one process: twice what the ports of one source address allow, and all that one core can hold its own against."""
MAX_CLUSTER_MINERS = 1_000_000
MAX_SECONDS = 24 * 3600
MAX_RATE = 1000.0
"""Shares a second of one miner."""
ReconnectPolicy = Literal["fresh", "resume", "never"]
SHORTEST_PAUSE = 0.01
"""Seconds; with none, a pool that is down would be asked as fast as this machine can."""
LONGEST_PAUSE = 60.0
"""Seconds between two tries at most."""


class PlanError(ValueError):
    """The user's mistake: a setting out of range, or settings that contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """The settings of one run. Raises PlanError.

    Times are in seconds; ``share_rate`` and ``hash_rate`` are those of one miner on average, and exclude each other.
    """

    host: str
    port: int
    miners: int
    duration: float = 60.0
    """From the first connection to the last share; what is on its way then gets a moment more."""
    ramp: float = 10.0
    """Seconds over which the miners connect, evenly; 0: all at once."""
    share_rate: float = 0.1
    """Shares a second at the difficulty that the pool sets first. With it the hash rate is settled, so that a pool
    which raises the difficulty gets fewer shares, as from real miners."""
    hash_rate: float | None = None
    """H/s instead: the share rate then follows from the pool's difficulty from the start."""
    distribution: str = "equal"
    profile: str = "track"
    storms: tuple[float, ...] = ()
    """When all connections break at once and come back at once."""
    churn: float | None = None
    """Mean life of a connection, for miners that come and go; exponential."""
    reconnect: ReconnectPolicy = "fresh"
    """After a connection ended: subscribe anew, ask to resume the session, or stay away."""
    pause: float = 1.0
    """Before the first try to reconnect; doubled with each failure, with jitter."""
    slow_readers: float = 0.0
    """Share of miners that hardly read once they are authorized."""
    version_rolling: float = 1.0
    """Share of miners that ask for version rolling and use it."""
    bad: Mapping[str, float] = field(default_factory=dict)
    """Share of all submits by the name of a share fault."""
    worker_name: str = "load.{n}"
    """``{n}`` becomes the miner's number."""
    password: str = field(default="x", repr=False)
    seed: int = 0
    first: int = 0
    """Number of the first miner; above 0 in a shard of a larger run."""
    total: int | None = None
    """Miners of the whole run that this is a shard of."""

    def __post_init__(self) -> None:
        _within("miners", self.miners, 1, MAX_CLUSTER_MINERS if self.total is None else MAX_MINERS)
        _within("port", self.port, 1, 65535)
        _within("duration", self.duration, 0.1, MAX_SECONDS)
        _within("ramp", self.ramp, 0, self.duration)
        _within("share rate", self.share_rate, 0, MAX_RATE)
        if self.hash_rate is not None:
            _within("hash rate", self.hash_rate, 1, 1e15)
        for at in self.storms:
            _within("storm", at, 0, self.duration)
        if self.churn is not None:
            _within("churn", self.churn, 0.1, MAX_SECONDS)
        _within("pause", self.pause, SHORTEST_PAUSE, LONGEST_PAUSE)
        for name, share in (("slow readers", self.slow_readers), ("version rolling", self.version_rolling)):
            _within(name, share, 0, 1)
        if self.reconnect not in get_args(ReconnectPolicy):
            raise PlanError(
                f"reconnect: expected one of {', '.join(get_args(ReconnectPolicy))}, got {self.reconnect!r}"
            )
        for name, share in self.bad.items():
            spec.check_known(name, SHARE_FAULTS, "bad submits")
            _within(f"bad submits {name}", share, 0, 1)
        if sum(self.bad.values()) > 1:
            raise PlanError(f"bad submits: expected shares of 100 % at most together, got {sum(self.bad.values()):.0%}")
        pacer.LoadProfile.parse(self.profile, self.duration)
        pacer.distribution(self.distribution)

    @property
    def of_all(self) -> int:
        """Miners of the whole run."""
        return self.miners if self.total is None else self.total

    def name_of(self, number: int) -> str:
        """The worker name of miner ``number``."""
        return self.worker_name.replace("{n}", str(number))

    def shards(self, count: int) -> list["LoadPlan"]:
        """The same run in ``count`` parts, or in fewer when there are fewer miners, each with a seed of its own."""
        count = min(count, self.miners)
        sizes = [self.miners // count + (index < self.miners % count) for index in range(count)]
        return [
            replace(
                self,
                miners=size,
                first=self.first + sum(sizes[:index]),
                total=self.of_all,
                seed=self.seed + 1_000_003 * index,
            )
            for index, size in enumerate(sizes)
        ]

    def to_builtins(self) -> dict[str, Any]:
        """What ``LoadPlan(**value)`` takes: plain values, for another process, the password with them."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return plain | {"bad": dict(self.bad), "storms": list(self.storms)}

    @classmethod
    def from_builtins(cls, value: Mapping[str, Any]) -> "LoadPlan":
        """The counterpart of ``to_builtins``."""
        return cls(**{**value, "storms": tuple(value["storms"])})


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise PlanError(f"{name}: expected {_plain(low)} to {_plain(high)}, got {_plain(value)}")


def _plain(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"

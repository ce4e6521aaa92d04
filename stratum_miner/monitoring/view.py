"""What there is to see of a running miner, as frozen values: every display is derived from these and from nothing else.

A ``View`` is one moment; ``Point`` is what a chart remembers of one. Units are in the names: H/s for hash rates, _s and
_ms for times, _c for degrees Celsius, _w for watts. ``*_age_s`` tells how old a figure is when the view is taken. None
is what nobody knows.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from stratum_miner.work.durations import DurationCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LuckView:
    """Shares found against those that the work done was expected to find."""

    found: int
    expected: float
    ratio: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesView:
    """Shares by fate: found = accepted + rejected + stale + lost + open."""

    found: int
    accepted: int
    rejected: int
    stale: int
    lost: int
    open: int
    """Sent, or waiting to be, and not answered yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """The job being searched."""

    job_id: str
    age_s: float
    previous_hash: str
    """The hash of the previous block, as explorers show it."""
    share_difficulty: float
    network_difficulty: float
    version_mask: str
    """Eight hex digits."""
    version: int
    """The version of the block's header, as the pool gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemView:
    """Something that is wrong now; it is shown until it is over."""

    severity: str
    """critical: hashes are not made, or not paid for; warning: they may soon be fewer."""
    kind: str
    """A word for programs, one of ``problems.KINDS``."""
    text: str
    """What is wrong, as a full sentence."""
    advice: str
    """What to do about it, as full sentences."""
    device_id: int | None = None
    pool_id: int | None = None
    """The device or the pool that it is about; both None for anything else."""
    since_s: float = 0.0
    """Seconds since it was first seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The miner as a whole. ``hash_rate`` is the average since the start, in H/s like the rest."""

    version: str
    state: str
    """One word: mining; degraded (some devices mine, or none as it should); no_device (there is work and no device
    mines); no_pool (no pool gives work); paused; stopping."""
    detail: str
    """One sentence that says why it is in that state; empty for plain mining."""
    devices_mining: int
    devices_total: int
    """Devices and search threads; those that somebody removed do not count."""
    problems: tuple[ProblemView, ...]
    """Everything that is wrong at the moment, the worst first."""
    started_at: float
    """Unix time."""
    elapsed_s: float
    """Seconds that the miner ran since then. What is worked out of a time has this one for it."""
    frozen_s: float
    """Seconds since the start in which the process did not run (it was stopped, or the machine slept): ``elapsed_s``,
    rates and averages leave them out."""
    sample_age_s: float
    """Seconds since the hash rates were last measured."""
    hash_rate: float
    hash_rate_5s: float
    hash_rate_1m: float
    hash_rate_5m: float
    hash_rate_15m: float
    implied_hash_rate: Estimate | None
    """What the accepted shares alone say of it; None before the first."""
    shares: SharesView
    reasons: dict[str, int]
    """Why shares were not accepted."""
    all_runs: dict[str, int] | None
    """Shares by fate of all runs: what the journal had when it was opened, and this run's, written yet or not."""
    blocks_accepted: int
    """Shares that solve a block and that a pool accepted; pools do not tell whether the node took the block."""
    best_share: float
    difficulties: dict[str, float]
    """Sum of what shares were worth, by their fate."""
    last_share_age_s: float | None
    """Seconds since the last accepted share."""
    share_every_s: float | None
    """Expected time between shares at this difficulty and hash rate, so that silence explains itself."""
    work_utility: float
    """Accepted difficulty per minute: shares of difficulty 1 that would pay the same."""
    luck: LuckView
    hardware_errors: int
    below_target: int
    withheld: int
    height: int | None
    network_difficulty: float | None
    job: JobView | None
    pool: str
    worker_name: str
    power_w: float | None
    """Configured, else the sum of what devices measure."""
    power_is_partial: bool
    """Whether ``power_w`` is a sum that leaves devices out which use power and do not measure it."""
    joules_per_terahash: float | None
    economics: dict[str, Any] | None
    """What it costs and what to expect, where a price of electricity is known."""
    work_units: int
    """Units of work handed out to devices."""
    blocks_seen: int
    """Different blocks that the jobs mined on were built upon, the first too."""
    block_at: float | None
    """Unix time of the first job that is built upon the newest of them."""
    last_job_at: float | None
    """Unix time at which the newest job came, which may be over; None before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """One of the workers of a pool, and the shares that went under its name."""

    name: str
    refusal: str
    """Why the pool lets it not mine; empty while it may."""
    accepted: int
    rejected: int
    stale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """One pool; latencies are from submit to reply."""

    id: int
    """Counted from 0 in the order in which pools came in this run; it never moves. Changes are addressed by it."""
    priority: int
    """Its place, 0 the best."""
    name: str
    """The user's name of the pool, else its URL; no other pool of the run has the same."""
    url: str
    worker_name: str
    active: bool
    enabled: bool
    state: str
    """Condition as failover judges it: untried, trying, up, silent, down, penalized."""
    reason: str
    since_s: float
    connection: str
    """What the connection does: connecting, handshake, mining, waiting, stopped."""
    accepted: int
    rejected: int
    stale: int
    lost: int
    reasons: dict[str, int]
    reject_share: float
    stale_share: float
    """The fraction of answered shares that were stale, 0 to 1."""
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    job_switch_p50_ms: float | None
    job_switch_p99_ms: float | None
    """From a job's arrival until work of it is taken; None where nobody searches."""
    difficulties: dict[str, float]
    """Sum of what shares were worth, by their fate."""
    quota: int | None
    work_share: float | None
    """The fraction of the time mined that the pool got, 0 to 1."""
    bound: tuple[str, ...]
    """Labels of the backends that mine here alone, over a connection of their own, which this is."""
    workers: tuple[WorkerView, ...]
    difficulty: float | None
    version_mask: str
    jobs: int
    work_units: int
    """Units of work taken of its jobs; 0 at a proxy, which does not search."""
    connects: int
    bytes_received: int
    bytes_sent: int
    answers: DurationCounts
    """From submit to reply, of all replies."""
    job_switches: DurationCounts
    """From a job's arrival until work of it is taken, of all jobs."""
    best_share: float
    """Difficulty of the best of its shares whose fate is known."""
    last_share_at: float | None
    """Unix time of the last share that it accepted."""
    last_share_difficulty: float
    """What that share was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """One device or search thread. Fields of hardware are None for a part of this computer."""

    id: int
    """Counted from 0 in the order in which devices came in this run; it never moves. Changes are addressed by it."""
    backend: str
    """The label of the backend, which no other has."""
    name: str
    detail: str
    mines: bool
    """Whether it makes hashes now, and as many as it should. A sick device makes some and does not count."""
    state: str
    """mining, throttled (it mines more slowly than asked for), starting, idle (there is no work, or a pause), sick,
    dead, off, absent, or removed (by its owner)."""
    reason: str
    """Why it is in that state; empty for plain mining."""
    hash_rate: float
    """Over the last five seconds."""
    hash_rate_1m: float
    hash_rate_10m: float
    hash_rate_1h: float
    expected_hash_rate: float | None
    hashes: int
    nonces_found: int
    accepted: int
    """Shares of it that a pool accepted."""
    refused: int
    """Shares of it that a pool refused, stale ones too."""
    reasons: dict[str, int]
    """Why shares of it were refused."""
    best_share: float
    """Difficulty of the best of its shares whose fate is known."""
    blocks_accepted: int
    """Shares of it that solve a block and that a pool accepted."""
    difficulties: dict[str, float]
    """Sum of what its shares were worth, by their fate."""
    hardware_errors: int
    last_nonce_age_s: float | None
    bound_to: str
    """The label of the only pool that it mines on; empty for one that mines on any."""
    product: str | None = None
    chip: str | None = None
    """What stands on its chips: BM1370; empty where it is not known, None for a part of this computer."""
    frequency_mhz: float | None = None
    chip_temperature_c: float | None = None
    regulator_temperature_c: float | None = None
    core_voltage_v: float | None = None
    core_voltage_asked_v: float | None = None
    input_voltage_v: float | None = None
    power_w: float | None = None
    joules_per_terahash: float | None = None
    fan_rpm: int | None = None
    fan_percent: int | None = None
    duplicate_nonces: int = 0
    stale_nonces: int = 0
    crc_errors: int = 0
    restarts: int = 0
    trips: int = 0
    is_overheated: bool = False
    """Whether heat switched it off and it has not cooled down yet."""
    chips: tuple[int, ...] = ()
    hash_rate_5m: float
    hash_rate_15m: float
    came_at: float
    """Unix time at which it first came in this run."""
    frozen_s: float
    """Seconds since then in which the process did not run."""
    last_share_at: float | None
    """Unix time of the last share of it that a pool accepted."""
    last_share_pool_id: int | None
    """The pool that accepted it."""
    last_share_difficulty: float
    """What that share was asked for."""
    unwell_at: float | None
    """Unix time at which it was last sick, dead, off or absent; None for a device that never was."""
    unwell_reason: str
    """Why it was then."""
    spells: dict[str, int]
    """How often it became sick, dead, off or absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareView:
    """One of the newest shares whose fate is known."""

    at: float
    """Unix time of its fate."""
    backend: str
    """The label of the backend that found it, and the name of its device there."""
    device: str
    device_id: int
    pool: str
    """The label of the pool; empty, and ``pool_id`` None, for a session that nobody remembers."""
    pool_id: int | None
    job_id: str
    difficulty: float
    share_difficulty: float
    fate: str
    reason: str
    latency_ms: float | None
    block: str | None
    """Its hash, as explorers show it, where it is a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockView:
    """A block that an accepted share solves; the pool does not tell whether the node took it."""

    at: float
    height: int | None
    hash: str
    pool: str
    pool_id: int | None
    difficulty: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One line of the log: ``name`` and ``fields`` for programs, ``text`` for people; no secret in either."""

    number: int
    """Counts from 1 and never repeats in a run: to ask for what is newer."""
    at: float
    level: str
    name: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One moment of the history, for charts; counts are totals of the run. While the process does not run there are no
    points, and charts draw a hole.
    """

    at: float
    hash_rate: float
    """Over the time since the point before."""
    accepted: int
    rejected: int
    stale: int
    lost: int
    latency_ms: float | None
    """The median of the newest replies of the pool mined on."""
    temperature_c: float | None
    """The temperature of the hottest device."""
    power_w: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything at one moment."""

    at: float
    """Unix time."""
    summary: Summary
    pools: tuple[PoolView, ...]
    devices: tuple[DeviceView, ...]
    shares: tuple[ShareView, ...]
    """Newest last."""
    blocks: tuple[BlockView, ...]
    events: tuple[EventView, ...]
    history: tuple[Point, ...]

    @property
    def mined_on(self) -> PoolView | None:
        """The best of the pools that give work; None while none does."""
        return next((pool for pool in self.pools if pool.active), None)

    @property
    def share_difficulty(self) -> float | None:
        """What the pool mined on asks for, or while there is none the best one; None before it has said so."""
        pool = self.mined_on or next(iter(self.pools), None)
        return None if pool is None else pool.difficulty


def as_json(view: View) -> dict[str, Any]:
    """The one schema in which programs get a view: dictionaries, lists and plain values, by the names above."""
    shown: dict[str, Any] = msgspec.to_builtins(view)
    return shown


def as_report(view: View) -> dict[str, Any]:
    """What ``--json`` prints of a run: the fields of the summary, and beside them pools, devices and blocks."""
    shown = as_json(view)
    report: dict[str, Any] = shown["summary"] | {name: shown[name] for name in ("pools", "devices", "blocks")}
    return report

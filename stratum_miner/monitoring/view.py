"""Frozen values that describe a running miner. Every display shows these values and nothing else.

A ``View`` describes one moment, and a ``Point`` is what charts keep of a moment. Hash rates are in H/s. Other units are
in the names: _s and _ms for times, _c for degrees Celsius, _v for volts, _w for watts. ``*_age_s`` is the age of a
figure in seconds when the view is taken. None means that the value is not known.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from stratum_miner.work.durations import DurationCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimated value with its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LuckView:
    """The number of shares found, compared with the number that the work done was expected to find.

    ``found`` counts the distinct hashes that met the share target. ``ratio`` is found / expected, and ``low`` to
    ``high`` is its 95 % confidence interval.
    """

    found: int
    expected: float
    ratio: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesView:
    """Numbers of shares by outcome: found = accepted + rejected + stale + lost + open."""

    found: int
    accepted: int
    rejected: int
    stale: int
    lost: int
    open: int
    """Shares without an outcome: submitted to the pool, or waiting to be submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """The job that the miner works on."""

    job_id: str
    age_s: float
    previous_hash: str
    """Hash of the previous block in hex, in the byte order of block explorers."""
    share_difficulty: float
    network_difficulty: float
    version_mask: str
    """The version bits that may be rolled, as eight hex digits."""
    version: int
    """The version field of the block header that the pool sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemView:
    """Something that is wrong now. It is shown until its cause is gone."""

    severity: str
    """"critical": hashes are not computed or not paid for; "warning": there may soon be fewer hashes."""
    kind: str
    """The kind of problem in one word for programs, one of ``problems.KINDS``."""
    text: str
    """What is wrong, as a full sentence."""
    advice: str
    """What to do about it, as full sentences."""
    device_id: int | None = None
    pool_id: int | None = None
    """The id of the device or of the pool with the problem; both are None for any other problem."""
    since_s: float = 0.0
    """Seconds since the problem was first seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The miner as a whole. ``hash_rate`` is the average since the start; others have their time in the name."""

    version: str
    state: str
    """One of: mining; degraded (only some devices mine, or a device is sick); no_device (there is work, but no device
    mines); no_pool (no pool gives work); paused; stopping."""
    detail: str
    """Why the miner is in that state; empty in the state mining."""
    devices_mining: int
    devices_total: int
    """Number of devices and search threads, without the devices that the user removed."""
    problems: tuple[ProblemView, ...]
    """All problems at the moment, the worst first."""
    started_at: float
    """Unix time at which the miner started."""
    elapsed_s: float
    """Seconds that the miner ran since then, without ``frozen_s``. Rates and averages are computed with this time."""
    frozen_s: float
    """Seconds since the start in which the process did not run, because it was stopped or the computer slept."""
    sample_age_s: float
    """Seconds since the hash rates were last measured."""
    hash_rate: float
    hash_rate_5s: float
    hash_rate_1m: float
    hash_rate_5m: float
    hash_rate_15m: float
    implied_hash_rate: Estimate | None
    """The hash rate that the accepted shares imply; None before the first accepted share."""
    shares: SharesView
    reasons: dict[str, int]
    """Numbers of shares that were not accepted, by the reason."""
    all_runs: dict[str, int] | None
    """Numbers of shares by outcome over all runs in the share journal, including this run. None without a journal."""
    blocks_accepted: int
    """Blocks that the node accepted, if the miner is connected to the node. Otherwise accepted shares that solve a
    block, because pools do not report whether their node accepted it."""
    best_share: float
    """Highest difficulty of a share of this run."""
    difficulties: dict[str, float]
    """Sums of the difficulties of shares, by outcome."""
    last_share_age_s: float | None
    """Seconds since the last accepted share."""
    share_every_s: float | None
    """Expected seconds between two shares at the present difficulty and hash rate; None while either is unknown."""
    work_utility: float
    """Accepted difficulty per minute, which equals the number of shares of difficulty 1 per minute with the same
    pay."""
    luck: LuckView
    hardware_errors: int
    """Wrong nonces of all devices that a driver or the miner found."""
    below_target: int
    """Nonces that hash correctly but do not meet the share target of their job."""
    withheld: int
    """Shares that were not submitted, because the same nonce was submitted with another version, or because this run or
    an earlier one had found the same share."""
    height: int | None
    """Height of the block that the newest job works on, if its coinbase transaction shows it."""
    network_difficulty: float | None
    """Network difficulty of the newest job."""
    job: JobView | None
    pool: str
    worker_name: str
    power_w: float | None
    """The configured power, or else the sum of the power that devices measure."""
    power_is_partial: bool
    """Whether ``power_w`` is a sum that leaves out devices which use power but do not measure it."""
    joules_per_terahash: float | None
    economics: dict[str, Any] | None
    """Costs and expected income; None if no price of electricity is known."""
    work_units: int
    """Number of work units that devices received."""
    blocks_seen: int
    """Number of different previous blocks of the jobs mined on, including the first."""
    block_at: float | None
    """Unix time at which the first job on the newest of these blocks came."""
    last_job_at: float | None
    """Unix time at which the newest job came, even if that job is no longer valid; None before the first job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """One worker name of a pool, and the numbers of its shares by outcome."""

    name: str
    refusal: str
    """The reason with which the pool refuses this worker name; empty if the pool does not refuse it."""
    accepted: int
    rejected: int
    stale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """One pool. Latencies are times from submitting a share to the reply."""

    id: int
    """Counts from 0 in the order in which pools were added in this run, and never changes. Requests name a pool by
    it."""
    priority: int
    """Position among all pools, 0 for the best."""
    name: str
    """The name that the user gave to the pool, or else its URL. Names are unique within a run."""
    url: str
    worker_name: str
    active: bool
    """Whether the miner mines on this pool."""
    enabled: bool
    """Whether the miner may use this pool."""
    state: str
    """Condition for failover: untried, trying, up, silent, down or penalized."""
    reason: str
    """Why the pool is in that condition; empty for a pool that is up."""
    since_s: float
    """Seconds in that condition."""
    connection: str
    """State of the connection: connecting, handshake, mining, waiting or stopped."""
    accepted: int
    rejected: int
    stale: int
    lost: int
    reasons: dict[str, int]
    """Numbers of shares that were not accepted, by the reason."""
    reject_share: float
    """Fraction of the answered shares that the pool rejected, from 0 to 1."""
    stale_share: float
    """Fraction of the answered shares that were stale, from 0 to 1."""
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    job_switch_p50_ms: float | None
    job_switch_p99_ms: float | None
    """Times from the arrival of a job until a device takes work from it; None at a proxy, which does not search."""
    difficulties: dict[str, float]
    """Sums of the difficulties of shares, by outcome."""
    quota: int | None
    """Weight of the pool where the miner mines on all pools in turn; None with other strategies."""
    work_share: float | None
    """Fraction of all work that was done for this pool, from 0 to 1."""
    bound: tuple[str, ...]
    """Labels of the backends that mine only on this pool, over this connection, which no other backend uses."""
    workers: tuple[WorkerView, ...]
    difficulty: float | None
    """Share difficulty that the pool requires now; None before it has set one."""
    version_mask: str
    """The version bits that the pool lets the miner roll, as eight hex digits."""
    jobs: int
    """Number of valid jobs received."""
    work_units: int
    """Number of work units taken from its jobs; 0 at a proxy, which does not search."""
    connects: int
    """Number of connections made."""
    bytes_received: int
    bytes_sent: int
    answers: DurationCounts
    """Times from submitting a share to the reply, of all replies."""
    job_switches: DurationCounts
    """Times from the arrival of a job until a device takes work from it, of all jobs."""
    best_share: float
    """Highest difficulty among its resolved shares; 0 before the first."""
    last_share_at: float | None
    """Unix time at which it accepted the last share; None before the first."""
    last_share_difficulty: float
    """Share difficulty of the job of that share; 0 before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """One device or search thread. Fields of hardware are None for a search thread of this computer."""

    id: int
    """Counts from 0 in the order in which devices were first seen in this run, and never changes. Requests name a
    device by it."""
    backend: str
    """Label of the backend, which is unique."""
    name: str
    detail: str
    """The product, or the kernel of a search thread."""
    mines: bool
    """Whether the device computes hashes now at its proper rate. A sick device does not count as mining."""
    state: str
    """One of: mining, throttled (slower than configured), starting, idle (no work, or a pause), sick, dead, off,
    absent, or removed (by the user)."""
    reason: str
    """Why the device is in that state; empty in the state mining."""
    hash_rate: float
    """Average of the last 5 s."""
    hash_rate_1m: float
    hash_rate_10m: float
    hash_rate_1h: float
    expected_hash_rate: float | None
    """Hash rate that the device should reach at its present frequency."""
    hashes: int
    nonces_found: int
    accepted: int
    """Shares of this device that a pool accepted."""
    refused: int
    """Shares of this device that a pool answered but did not accept: rejected and stale ones."""
    reasons: dict[str, int]
    """Numbers of rejected and stale shares, by outcome and reason."""
    best_share: float
    """Highest difficulty among its resolved shares; 0 before the first."""
    blocks_accepted: int
    """Accepted shares of this device that solve a block."""
    difficulties: dict[str, float]
    """Sums of the difficulties of its shares, by outcome."""
    hardware_errors: int
    """Wrong nonces that the driver or the miner found."""
    last_nonce_age_s: float | None
    """Seconds since the device last reported a nonce."""
    bound_to: str
    """Name of the only pool that the device mines on; empty if it mines on any pool."""
    product: str | None = None
    chip: str | None = None
    """Marking of its chips, such as BM1370; empty if it is not known, None for a search thread of this computer."""
    frequency_mhz: float | None = None
    chip_temperature_c: float | None = None
    regulator_temperature_c: float | None = None
    core_voltage_v: float | None = None
    """Measured core voltage."""
    core_voltage_asked_v: float | None = None
    """Core voltage that the miner set."""
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
    """How often the safety check shut the device down because of heat or voltage."""
    is_overheated: bool = False
    """Whether the device was switched off because of heat and has not cooled down yet."""
    chips: tuple[int, ...] = ()
    """Number of valid nonces of each chip."""
    hash_rate_5m: float
    hash_rate_15m: float
    came_at: float
    """Unix time at which the device was first seen in this run."""
    frozen_s: float
    """Seconds since then in which the process did not run."""
    last_share_at: float | None
    """Unix time of its last accepted share; None before the first."""
    last_share_pool_id: int | None
    """Id of the pool that accepted that share."""
    last_share_difficulty: float
    """Share difficulty of the job of that share; 0 before the first."""
    unwell_at: float | None
    """Unix time at which the device was last sick, dead, off or absent; None if it never was."""
    unwell_reason: str
    """The reason at that time."""
    spells: dict[str, int]
    """How often the device became sick, dead, off or absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareView:
    """One of the newest resolved shares."""

    at: float
    """Unix time at which the outcome was known."""
    backend: str
    """Label of the backend that found the share."""
    device: str
    """Name of the device within that backend."""
    device_id: int
    pool: str
    """Name of the pool; empty, with ``pool_id`` None, if the pool of its session is no longer known."""
    pool_id: int | None
    job_id: str
    difficulty: float
    """Difficulty of its hash."""
    share_difficulty: float
    """Difficulty that the pool required."""
    fate: str
    """The outcome: accepted, rejected, stale or lost."""
    reason: str
    """Why it was not accepted."""
    latency_ms: float | None
    """Time from submitting the share to the reply; None without a reply."""
    block: str | None
    """Block hash in hex, in the byte order of block explorers, if the share solves a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockView:
    """A block that an accepted share solves. The pool does not report whether its node accepted the block."""

    at: float
    height: int | None
    hash: str
    pool: str
    pool_id: int | None
    difficulty: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One entry of the log: ``name`` and ``fields`` are for programs, ``text`` is for people. They contain no
    secrets."""

    number: int
    """Counts from 1 and never repeats in a run. With it, a reader can ask for newer events only."""
    at: float
    """Unix time."""
    level: str
    name: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One moment of the history, for charts. Counts are totals of the run.

    While the process does not run there are no points, and charts show a gap.
    """

    at: float
    """Unix time."""
    hash_rate: float
    """Average since the previous point."""
    accepted: int
    rejected: int
    stale: int
    lost: int
    latency_ms: float | None
    """Median latency of the newest replies of the pool mined on."""
    temperature_c: float | None
    """Chip temperature of the hottest device."""
    power_w: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The state of the miner at one moment, for all displays."""

    at: float
    """Unix time."""
    summary: Summary
    pools: tuple[PoolView, ...]
    devices: tuple[DeviceView, ...]
    shares: tuple[ShareView, ...]
    """The newest resolved shares, the newest last."""
    blocks: tuple[BlockView, ...]
    events: tuple[EventView, ...]
    history: tuple[Point, ...]

    @property
    def mined_on(self) -> PoolView | None:
        """The best of the pools that give work; None if no pool gives work."""
        return next((pool for pool in self.pools if pool.active), None)

    @property
    def share_difficulty(self) -> float | None:
        """Share difficulty of the pool mined on, or of the best pool if none gives work; None before it has set one."""
        pool = self.mined_on or next(iter(self.pools), None)
        return None if pool is None else pool.difficulty


def as_json(view: View) -> dict[str, Any]:
    """Return a view as dictionaries, lists and plain values with the names above. All JSON outputs use this schema."""
    shown: dict[str, Any] = msgspec.to_builtins(view)
    return shown


def as_report(view: View) -> dict[str, Any]:
    """Return what ``--json`` prints: the fields of the summary, together with pools, devices and blocks."""
    shown = as_json(view)
    report: dict[str, Any] = shown["summary"] | {name: shown[name] for name in ("pools", "devices", "blocks")}
    return report

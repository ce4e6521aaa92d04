"""Defines immutable types that describe a running miner. Every display shows only values of these types.

A ``View`` describes the whole miner at one moment. A ``Point`` also describes one moment, but has only the few figures
that charts need. Hash rates are in H/s. Other units are in the names: _s and _ms for times, _c for °C, _v for volts, _w
for watts. A name that ends in ``_age_s`` is the age of a figure, in seconds at the time of the view. None means that
the value is not known.
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
    """The number of shares found, and the number expected for the hashes that were computed.

    ``found`` counts the distinct hashes that met the share target. ``ratio`` is ``found`` divided by ``expected``. Its
    95 % confidence interval is from ``low`` to ``high``.
    """

    found: int
    expected: float
    ratio: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesView:
    """Numbers of shares by outcome. ``found`` is the sum of accepted, rejected, stale, lost and open shares."""

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
    """The version bits that the miner may roll, as eight hex digits."""
    version: int
    """The version field of the block header, as the pool sent it in the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemView:
    """Something that is wrong now. It is shown until its cause is gone."""

    severity: str
    """One of: critical (hashes are not computed, or the pool does not pay for them); warning (there may soon be fewer
    hashes)."""
    kind: str
    """The kind of problem in one word for programs, one of ``problems.KINDS``."""
    text: str
    """What is wrong, as a full sentence."""
    advice: str
    """What to do about it, as full sentences."""
    device_id: int | None = None
    pool_id: int | None = None
    """Id of the pool with the problem; None if it is not the problem of a pool. In the same way, ``device_id`` is the
    id of the device with the problem."""
    since_s: float = 0.0
    """Seconds since the problem was first seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The miner as a whole. ``hash_rate`` is the average since the start of the miner. ``hash_rate_5s``,
    ``hash_rate_1m``, ``hash_rate_5m`` and ``hash_rate_15m`` are the averages of the last 5 s, 1 min, 5 min and
    15 min."""

    version: str
    state: str
    """One of these: mining; degraded (only some devices mine, or a device is sick: far below its expected hash rate);
    no_device (there is work, but no device mines); no_pool (no pool gives work); paused; stopping."""
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
    """Seconds since ``started_at``, minus ``frozen_s``. Averages since the start are averages over this time."""
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
    """Numbers of shares by outcome over all runs in the share journal, including this run. None if there is no share
    journal."""
    blocks_accepted: int
    """If the miner itself is connected to a Bitcoin node: number of blocks that the node accepted. Otherwise: number of
    accepted shares that solve a block, because pools do not report whether their node accepted the block."""
    best_share: float
    """Highest difficulty of a share of this run."""
    difficulties: dict[str, float]
    """Sums of the difficulties of all shares, by outcome."""
    last_share_age_s: float | None
    """Seconds since the last accepted share."""
    share_every_s: float | None
    """Expected seconds between two shares at the present difficulty and hash rate; None while either is unknown."""
    work_utility: float
    """Sum of the difficulties of the accepted shares, divided by the minutes since the start. A miner that finds this
    number of shares of difficulty 1 per minute would earn as much as this miner."""
    luck: LuckView
    hardware_errors: int
    """Number of nonces of all devices that a driver or the miner found to be wrong."""
    below_target: int
    """Number of reported nonces that are correct but were not submitted, because their hash does not meet the share
    target of the job."""
    withheld: int
    """Number of shares that were not submitted, because a pool may reject them as duplicates: either the same share was
    found before (in this run or an earlier one), or a share with the same nonce but another version field was submitted
    before."""
    height: int | None
    """Height of the block that the newest job is for, as its coinbase transaction shows it; None if it is not known."""
    network_difficulty: float | None
    """Network difficulty of the newest job."""
    job: JobView | None
    pool: str
    worker_name: str
    power_w: float | None
    """The configured power, or else the sum of the power that devices measure; None if neither is known."""
    power_is_partial: bool
    """Whether ``power_w`` leaves out devices that use power but do not measure it."""
    joules_per_terahash: float | None
    economics: dict[str, Any] | None
    """Costs and expected income; None if no price of electricity is known."""
    work_units: int
    """Number of work units that devices received."""
    blocks_seen: int
    """Number of different blocks on which the jobs of this run were built, including the block of the first job."""
    block_at: float | None
    """Unix time at which the first job arrived that builds on the newest of the blocks that ``blocks_seen`` counts."""
    last_job_at: float | None
    """Unix time at which the newest of the jobs that were searched arrived, even if that job is no longer valid; None
    before the first job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """One worker name of a pool, and the numbers of its shares by outcome."""

    name: str
    refusal: str
    """The reason that the pool gave for refusing this worker name; empty if the pool does not refuse it."""
    accepted: int
    rejected: int
    stale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """One pool. Latencies are the times from submitting a share to the reply of the pool."""

    id: int
    """Identifies the pool in requests. Ids count from 0 in the order in which pools were added in this run. The id of a
    pool never changes."""
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
    """One of these: untried; trying (to connect); up (gives jobs); silent (connected, but gives no new job); down (not
    connected); penalized (not used for a while, because it refused the worker names or rejected many shares)."""
    reason: str
    """Why the pool is in this ``state``; empty for a pool that is up."""
    since_s: float
    """Seconds since the pool came into this ``state``."""
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
    """Milliseconds from the arrival of a job until a device took work from it; 99 % of the jobs took at most this time.
    None for a proxy, which does not search."""
    difficulties: dict[str, float]
    """Sums of the difficulties of the shares of this pool, by outcome."""
    quota: int | None
    """Weight of the pool under the strategy "quota": the miner mines on all pools in turn, on each for a time in
    proportion to the weight of the pool. None if the miner uses another strategy."""
    work_share: float | None
    """Fraction of the work of the miner that was done for this pool, from 0 to 1."""
    bound: tuple[str, ...]
    """Labels of the backends that mine only on this pool. If there are any, no other backend mines on this pool."""
    workers: tuple[WorkerView, ...]
    difficulty: float | None
    """Share difficulty that the pool requires now; None before it has set one."""
    version_mask: str
    """The version bits that the pool lets the miner roll, as eight hex digits."""
    jobs: int
    """Number of valid jobs received."""
    work_units: int
    """Number of work units that were taken from jobs of this pool; 0 for a proxy, which does not search."""
    connects: int
    """Number of connections made."""
    bytes_received: int
    bytes_sent: int
    answers: DurationCounts
    """How long the pool took to reply to each share, counted in buckets. All replies are counted."""
    job_switches: DurationCounts
    """How long it took from the arrival of each job until a device took work from it, counted in buckets. All jobs are
    counted."""
    best_share: float
    """Highest difficulty of a share of this pool whose result is known; 0 before the first such share."""
    last_share_at: float | None
    """Unix time at which this pool last accepted a share; None before the first accepted share."""
    last_share_difficulty: float
    """Difficulty that this pool required of the share that it last accepted; 0 before the first accepted share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """One device or search thread. Fields about hardware are None for a search thread of this computer."""

    id: int
    """Identifies the device in requests. Ids count from 0 in the order in which devices were first seen in this run.
    The id of a device never changes."""
    backend: str
    """Label of the backend to which the device belongs. Each backend has a different label."""
    name: str
    detail: str
    """Name of the product or, for a search thread, of its kernel."""
    mines: bool
    """Whether the device computes hashes now. False for a sick device (one that is far below its expected hash rate),
    although it computes some hashes."""
    state: str
    """One of these: mining, throttled (slower than configured), starting, idle (no work, or a pause), sick (far below
    its expected hash rate), dead, off, absent, or removed (by the user)."""
    reason: str
    """Why the device is in that state; empty in the state mining."""
    hash_rate: float
    """Average hash rate of the last 5 s."""
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
    """Numbers of the rejected and stale shares of this device, by outcome and reason."""
    best_share: float
    """Highest difficulty among the resolved shares of this device; 0 before the first share."""
    blocks_accepted: int
    """Accepted shares of this device that solve a block."""
    difficulties: dict[str, float]
    """Sums of the difficulties of the shares of this device, by outcome."""
    hardware_errors: int
    """Number of nonces of this device that the driver or the miner found to be wrong."""
    last_nonce_age_s: float | None
    """Seconds since the device last reported a nonce."""
    bound_to: str
    """Name of the pool to which the device is bound, so that it mines on no other pool. Empty if the device is not
    bound: it then mines on whichever pool the miner uses."""
    product: str | None = None
    chip: str | None = None
    """Type of the chips, such as BM1370; empty if it is not known; None for a search thread of this computer."""
    frequency_mhz: float | None = None
    chip_temperature_c: float | None = None
    regulator_temperature_c: float | None = None
    core_voltage_v: float | None = None
    """Measured core voltage of the chips."""
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
    """Seconds since ``came_at`` in which the process did not run."""
    last_share_at: float | None
    """Unix time at which a pool last accepted a share of this device; None before the first accepted share."""
    last_share_pool_id: int | None
    """Id of the pool that accepted the share of ``last_share_at``; None if the pool is no longer known or there is no
    share."""
    last_share_difficulty: float
    """Difficulty that the pool required of the share of ``last_share_at``; 0 before the first accepted share."""
    unwell_at: float | None
    """Unix time at which the device was last sick, dead, off or absent; None if it never was."""
    unwell_reason: str
    """Why the device was not well at ``unwell_at``; empty if ``unwell_at`` is None."""
    spells: dict[str, int]
    """For each of the states sick, dead, off and absent: how often the device came into this state."""


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
    """Name of the pool. If the pool is no longer known, the name is empty and ``pool_id`` is None."""
    pool_id: int | None
    job_id: str
    difficulty: float
    """Difficulty of the hash of the share."""
    share_difficulty: float
    """Difficulty that the pool required of the share."""
    fate: str
    """The outcome: accepted, rejected, stale or lost."""
    reason: str
    """Why the share was not accepted; empty for an accepted share."""
    latency_ms: float | None
    """Time from submitting the share to the reply; None without a reply."""
    block: str | None
    """If the share solves a block: the block hash in hex, in the byte order of block explorers. Otherwise None."""


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
    """Number of the event, counted from 1 in each run. A request that contains the number of the last received event
    is answered with only the newer events."""
    at: float
    """Unix time."""
    level: str
    name: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One moment of the history, for charts. Numbers of shares are totals since the start of the miner.

    There are no points for the times in which the process did not run. Charts show a gap there.
    """

    at: float
    """Unix time."""
    hash_rate: float
    """Average hash rate since the previous point."""
    accepted: int
    rejected: int
    stale: int
    lost: int
    latency_ms: float | None
    """Median latency of the newest replies of the pool that the miner mines on; None if there is no reply."""
    temperature_c: float | None
    """Highest chip temperature of all devices; None if no device measures it."""
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
        """The pool that the miner mines on. If it mines on several pools, the one with the best ``priority``. None if
        it mines on no pool."""
        return next((pool for pool in self.pools if pool.active), None)

    @property
    def share_difficulty(self) -> float | None:
        """Share difficulty of the pool ``mined_on`` or, if the miner mines on no pool, of the first of ``pools``. None
        if there is no pool, or if the pool has not set a share difficulty yet."""
        pool = self.mined_on or next(iter(self.pools), None)
        return None if pool is None else pool.difficulty


def as_json(view: View) -> dict[str, Any]:
    """Return a view as dictionaries, lists and plain values, with the names of the fields in this module as keys.

    All JSON outputs use this form.
    """
    shown: dict[str, Any] = msgspec.to_builtins(view)
    return shown


def as_report(view: View) -> dict[str, Any]:
    """Return what ``--json`` prints: the fields of the summary, together with pools, devices and blocks."""
    shown = as_json(view)
    report: dict[str, Any] = shown["summary"] | {name: shown[name] for name in ("pools", "devices", "blocks")}
    return report

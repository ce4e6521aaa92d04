"""Immutable views of a miner at one moment, for displays and summaries."""

from collections.abc import Sequence
from dataclasses import dataclass

from stratum_miner.backends.statistics import BackendStatistics, DeviceKey, DeviceStatistics, device_key
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.snapshot import ClientSnapshot
from stratum_miner.miner.share_counts import ShareCounts
from stratum_miner.work.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSnapshot(BackendStatistics):
    """The statistics of a backend, with its name in the miner."""

    label: str
    """The name that the user gave the backend, otherwise the name of its kind, such as ``cpu``."""
    bound_to: str = ""
    """Label of the pool that the backend is bound to; empty if it mines on the pools of the strategy."""


def keyed_devices(backends: Sequence[BackendSnapshot]) -> list[tuple[DeviceKey, BackendSnapshot, DeviceStatistics]]:
    """Return the devices of all backends, each with its key and its backend."""
    return [
        (device_key(backend.label, device.name), backend, device) for backend in backends for device in backend.devices
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerSnapshot:
    """An immutable view of a miner at one moment. Hash rates are in H/s; they leave out time in which the process did
    not run."""

    elapsed: float
    """Seconds since the miner started, without ``left_out``."""
    frozen: float = 0.0
    """Seconds in which the process did not run, because it was stopped or the computer slept."""
    left_out: float = 0.0
    """The part of ``frozen`` in which the miner's clock went on, in seconds. The clock of some systems stands still
    while the computer sleeps."""
    hash_rate_5s: float
    """Average hash rate of the last 5 s. The next three fields are the average hash rates of the last minute,
    5 minutes and 15 minutes."""
    hash_rate_1m: float
    hash_rate_5m: float
    hash_rate_15m: float
    hash_rate: float
    """Average hash rate since the miner started."""
    shares: ShareCounts
    """Number of shares with a result, by outcome, in this run."""
    journalled: ShareCounts | None
    """Number of shares with a result, by outcome, in the whole share journal. Shares of this run are included even if
    they are not written yet. None without a share journal."""
    journal_problem: str
    """Why the share journal cannot be written now; empty if it can."""
    found: int
    """Number of submitted shares, with or without a result."""
    reasons: tuple[tuple[str, int], ...]
    """Why shares were not accepted, with counts, the most frequent first."""
    blocks_accepted: int
    """Number of blocks. If the miner was made with ``node_judges``, these are the blocks that the node accepted.
    Otherwise they are the shares that solve a block and that a pool accepted, because a pool does not report the node's
    decision."""
    best_share: float
    """Difficulty of the best submitted share; 0 before the first."""
    hardware_errors: int
    """Number of wrong nonces of all devices, found by the device's driver or by the miner, which hashes each nonce
    again."""
    below_target: int
    """Number of correct hashes that missed the share target, and so were not submitted."""
    withheld: int
    """Number of shares that were not submitted, because the same nonce was submitted with another version, or because
    this run or an earlier one had found the same share."""
    work_units: int
    """Number of work units that backends took, up to the last time at which the miner counted them."""
    accepted_difficulty: float
    """Sum of the share difficulties of all accepted shares. For a weak block (a block whose hash misses the share
    target), the difficulty of its hash is added instead, which is lower than the share difficulty."""
    shares_found: int
    """Number of distinct hashes that met the share target of their job, including those not submitted or not
    accepted."""
    expected: float
    """Number of shares to be expected, on average, from the hashes that the miner has computed. ``shares_found`` is the
    number that was really found."""
    network_difficulty: float | None
    """Network difficulty of the newest job; None before the first."""
    height: int | None
    """Height of the block that the newest job builds; None before the first job, or if the job's coinbase does not
    contain the height."""
    job: "JobSnapshot | None"
    """The job that is being searched; None if there is none."""
    paused: bool
    stopping: bool
    client: ClientSnapshot
    """The client of the active pool, or of the best pool while no pool is active."""
    pools: tuple[PoolStatus, ...]
    """All pools of all groups. The pools of the strategy come first, in the order of preference."""
    backends: tuple[BackendSnapshot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot:
    """An immutable view of the job that is being searched."""

    job_id: str
    age: float
    """Seconds since the job arrived."""
    previous_hash: bytes
    """Hash of the previous block, 32 bytes in internal byte order."""
    share_difficulty: float
    network_difficulty: float
    version_mask: int
    """The version bits that the miner may roll, a 32-bit mask."""
    version: int

    @classmethod
    def of(cls, job: Job, now: float) -> "JobSnapshot":
        """Return the view of a job. ``now``: seconds of the clock from which ``job.received_at`` comes."""
        return cls(
            job_id=job.job_id,
            age=now - job.received_at,
            previous_hash=job.previous_hash,
            share_difficulty=job.share_difficulty,
            network_difficulty=job.network_difficulty,
            version_mask=job.version_mask,
            version=job.version,
        )

"""The frozen views of a miner that displays and summaries read."""

from collections.abc import Sequence
from dataclasses import dataclass

from stratum_miner.backends.statistics import BackendStatistics, DeviceKey, DeviceStatistics, device_key
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.snapshot import ClientSnapshot
from stratum_miner.miner.share_counts import ShareCounts
from stratum_miner.work.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSnapshot(BackendStatistics):
    """A backend at work for a miner."""

    label: str
    """What the user calls it, which is no other backend's name."""
    bound_to: str = ""
    """The pool that it mines on alone; empty when it mines wherever the strategy says."""


def keyed_devices(backends: Sequence[BackendSnapshot]) -> list[tuple[DeviceKey, BackendSnapshot, DeviceStatistics]]:
    """The devices of all backends, each with its key and its backend."""
    return [
        (device_key(backend.label, device.name), backend, device) for backend in backends for device in backend.devices
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerSnapshot:
    """A frozen view of a miner at ``elapsed`` seconds; hash rates in H/s. Time that the process did not run is in none
    of them.
    """

    elapsed: float
    frozen: float = 0.0
    """Seconds that the process did not run: it was stopped, or the machine slept."""
    left_out: float = 0.0
    """The part of ``frozen`` that the miner's clock counted; ``elapsed`` is without it."""
    hash_rate_5s: float
    hash_rate_1m: float
    hash_rate_5m: float
    hash_rate_15m: float
    hash_rate: float
    """Average since the start of the search."""
    shares: ShareCounts
    journalled: ShareCounts | None
    """The shares of all runs in the journal, this run's included, written yet or not; None without a journal."""
    journal_problem: str
    """Why the journal cannot be written at the moment; empty while all is well."""
    found: int
    """Shares handed to the client, whether their fate is known or not."""
    reasons: tuple[tuple[str, int], ...]
    """Why shares were not accepted, with counts."""
    blocks_accepted: int
    """Blocks that the node took, where the miner hears the node; elsewhere shares that solve a block and that a pool
    accepted, because pools do not tell what the node said."""
    best_share: float
    hardware_errors: int
    """Nonces of all devices that a device's driver or the miner's own hashing found to be wrong."""
    below_target: int
    withheld: int
    """Shares not submitted because the same nonce was, in another version, or because this run or an earlier one had
    found the same share."""
    work_units: int
    """Units of work handed out to backends until the last sample."""
    accepted_difficulty: float
    share_hits: int
    """Distinct hashes found that meet the share target of their job, whatever became of them."""
    expected: float
    """How many of them the work done was expected to find."""
    network_difficulty: float | None
    """The network difficulty of the newest job."""
    height: int | None
    job: "JobSnapshot | None"
    """Being searched; None while there is none."""
    paused: bool
    stopping: bool
    client: ClientSnapshot
    """The client of the pool mined on."""
    pools: tuple[PoolStatus, ...]
    """All of several, the best first; empty for a single one."""
    backends: tuple[BackendSnapshot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot:
    """The job being searched."""

    job_id: str
    age: float
    """Seconds since it came."""
    previous_hash: bytes
    """Internal byte order."""
    share_difficulty: float
    network_difficulty: float
    version_mask: int
    version: int

    @classmethod
    def of(cls, job: Job, now: float) -> "JobSnapshot":
        """What is to be seen of a job; ``now`` on the clock that dated its arrival."""
        return cls(
            job_id=job.job_id,
            age=now - job.received_at,
            previous_hash=job.previous_hash,
            share_difficulty=job.share_difficulty,
            network_difficulty=job.network_difficulty,
            version_mask=job.version_mask,
            version=job.version,
        )

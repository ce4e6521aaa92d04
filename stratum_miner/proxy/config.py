"""The settings of a proxy, except those of its pools: one frozen value, checked when it is made."""

from dataclasses import dataclass
from enum import Enum

from stratum_miner.downstream.limits import MinerLimits
from stratum_miner.downstream.validator import MAX_NTIME_AHEAD
from stratum_miner.downstream.vardiff import VardiffConfig

MAX_MINERS = 10_000
"""Maximum number of miners that a proxy accepts: the highest number that was tested with one process."""


class WorkerNames(Enum):
    """The worker name under which a miner's share is submitted to the pool."""

    POOL_USER = "ours"
    """The worker name in the proxy's settings for the pool. The miner's own worker name is not used."""
    SUFFIX = "suffix"
    """The worker name in the proxy's settings for the pool, with ``.NAME`` added. NAME is the part of the miner's
    worker name after its first dot, or the whole name if it has no dot."""
    MINER = "theirs"
    """The miner's worker name."""

    def submitted_as(self, worker_name: str) -> str:
        """Return the ``Share.worker_name`` for a share that a miner submitted under ``worker_name``.

        An empty result stands for the worker name in the proxy's settings for the pool. A result that begins with a dot
        is appended to that name. The pool client authorizes each worker name at the pool before it submits the first
        share under it.
        """
        match self:
            case WorkerNames.POOL_USER:
                return ""
            case WorkerNames.SUFFIX:
                return "." + (worker_name.partition(".")[2] or worker_name.strip("."))
            case WorkerNames.MINER:
                return worker_name.lstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig(MinerLimits):
    """Settings of a proxy. Times are in seconds. Raises ValueError if a setting is outside its range."""

    host: str = "127.0.0.1"
    """IP address or host name on which the proxy listens if it is given no ``listeners``."""
    port: int = 3333
    """TCP port on which the proxy listens if it is given no ``listeners``, from 0 to 65535; 0 takes any free port."""
    max_miners: int = 256
    """Maximum number of miners that are connected at the same time, from 1 to 10,000. For up to 256, the extranonce
    prefix of a miner has one byte, otherwise two."""
    worker_names: WorkerNames = WorkerNames.POOL_USER
    """The worker name under which a miner's share is submitted to the pool."""
    vardiff: VardiffConfig | None = None
    """Settings of vardiff, which adapts the share difficulty of each miner to the miner's rate of shares. The
    difficulty of a miner is at most the pool's difficulty. If ``vardiff`` is None, all miners get the pool's
    difficulty."""
    ntime_ahead: int = MAX_NTIME_AHEAD
    """Seconds by which the ntime of a share may be ahead of the proxy's clock. The default is about as much as
    consensus allows for a block. A pool with a lower limit may reject a share that the proxy has forwarded."""
    answer_timeout: float = 120.0
    """Seconds to wait for the pool's answer to a share before the miner is told that the share is lost. The default
    leaves time for the pool client, which reconnects after 60 s without an answer and resumes the session."""

    def __post_init__(self) -> None:
        MinerLimits.__post_init__(self)  # super() does not work in a dataclass with slots
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: expected 0 to 65535, got {self.port}")
        if not 1 <= self.max_miners <= MAX_MINERS:
            raise ValueError(f"max_miners: expected 1 to {MAX_MINERS}, got {self.max_miners}")
        if not 0 <= self.ntime_ahead <= MAX_NTIME_AHEAD:
            raise ValueError(f"ntime_ahead: expected 0 to {MAX_NTIME_AHEAD}, got {self.ntime_ahead}")
        if not self.answer_timeout > 0:
            raise ValueError(f"answer_timeout: expected more than 0, got {self.answer_timeout}")

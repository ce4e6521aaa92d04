"""How a proxy treats its miners: one frozen value, checked when it is made. Knows nothing of sockets and pools."""

from dataclasses import dataclass
from enum import Enum

from stratum_miner.downstream.limits import MinerLimits
from stratum_miner.downstream.validator import MAX_NTIME_AHEAD
from stratum_miner.downstream.vardiff import VardiffConfig

MAX_MINERS = 10_000
"""What one process was ever tried with."""


class WorkerNames(Enum):
    """The worker name under which a miner's share is submitted to the pool."""

    OURS = "ours"
    """The pool's own login, whatever miners call themselves."""
    SUFFIX = "suffix"
    """The same with ``.NAME`` added: what follows the dot in a miner's worker name, or all of it."""
    THEIRS = "theirs"
    """The miner's worker name."""

    def login(self, worker_name: str) -> str:
        """``Share.worker_name`` for a miner's worker; the client authorizes it when a share first needs it."""
        match self:
            case WorkerNames.OURS:
                return ""
            case WorkerNames.SUFFIX:
                return "." + (worker_name.partition(".")[2] or worker_name.strip("."))
            case WorkerNames.THEIRS:
                return worker_name.lstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig(MinerLimits):
    """Settings of a proxy; times in seconds. Raises ValueError when one makes no sense."""

    host: str = "127.0.0.1"
    """The IP address, or a name that resolves to one, on which the proxy listens without ``listeners``."""
    port: int = 3333
    """The TCP port on which the proxy listens without ``listeners``, from 0 to 65535; 0 takes any free port."""
    max_miners: int = 256
    """The most miners at a time. One byte of the pool's extranonce2 tells so many apart."""
    worker_names: WorkerNames = WorkerNames.OURS
    vardiff: VardiffConfig | None = None
    """A difficulty for each miner, up to the pool's; None: the pool's for all."""
    ntime_ahead: int = MAX_NTIME_AHEAD
    """How far a share's ntime may run ahead of the clock: whatever a block may; pools that want less say so."""
    answer_timeout: float = 120.0
    """Seconds to wait for the pool's answer to a share. Our client gives up a silent pool after 60 s and resumes."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: expected 0 to 65535, got {self.port}")
        if not 1 <= self.max_miners <= MAX_MINERS:
            raise ValueError(f"miners: expected 1 to {MAX_MINERS}, got {self.max_miners}")

"""The settings of a pool: one frozen value, checked when it is made.

Normally the share difficulty of a miner is at most the network difficulty. This limit does not apply on a test chain
whose network difficulty is below the lowest share difficulty of the pool, such as regtest (4.66e-10). With the limit,
about half of all hashes would be shares there. On such a chain, a hash that meets the network target but not the share
target is accepted as a share, because it solves a block.
"""

import math
from dataclasses import dataclass

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.downstream.limits import MinerLimits
from stratum_miner.downstream.validator import MAX_NTIME_AHEAD
from stratum_miner.downstream.vardiff import VardiffConfig

LOWEST_DIFFICULTY = 2.0**-32
"""Lowest share difficulty that can be configured. At this difficulty, nearly every hash is a share
(docs/reference/stratum.md#regtest)."""
USUAL_MINIMUM = 1e-6
"""Lowest difficulty of a session by default. At this difficulty, one in about 4,300 hashes is a share."""
MAX_TAG = 50
"""Maximum number of bytes of a coinbase tag. A coinbase script has at most 100 bytes, and must also hold the height,
the extranonces, the job id and the node's flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig(MinerLimits):
    """Settings of a pool. Raises ValueError if a setting is outside its range or contradicts another."""

    payout_script: bytes
    """Output script that every block pays to. ``bitcoin.address`` makes such a script from a payout address."""
    host: str = "127.0.0.1"
    """IP address or host name on which the pool listens if it is given no ``listeners``."""
    port: int = 3333
    """TCP port on which the pool listens if it is given no ``listeners``, from 0 to 65535; 0 takes any free port."""
    difficulty: float = 1.0
    """Share difficulty of a new session. Without ``vardiff``, it changes only if the miner asks for another
    difficulty."""
    minimum_difficulty: float | None = None
    """Lowest difficulty of a session, and lowest difficulty that a miner can ask for.

    If it is None, the two limits may differ (``lowest_difficulty`` and ``lowest_request``). The difficulty of a session
    is then at least 1e-6, or ``difficulty`` if that is lower. A miner can ask for ``difficulty`` or more. With
    ``vardiff``, a miner can also ask for less, down to the lowest difficulty that vardiff chooses."""
    maximum_difficulty: float = 1e15
    """Highest difficulty of a session. The default is ten times the difficulty of mainnet in 2025."""
    vardiff: VardiffConfig | None = None
    """Settings of vardiff, which adapts the difficulty of each session to the rate at which the session submits shares.
    If it is None, the rate of shares does not change the difficulty."""
    version_mask: int = GENERAL_PURPOSE_MASK
    """Version bits that miners may roll (BIP 310). Only bits 0 to 28 are allowed."""
    extranonce2_size: int = 8
    """Bytes of extranonce2, from 2 to 16. The default is the most that WhatsMiner and cgminer accept
    (docs/reference/stratum.md#extranonce-sizes)."""
    coinbase_tag: bytes = b"/stratum_miner/"
    """The coinbase tag: at most 50 bytes, which are part of the coinbase script of each block."""
    notify_interval: float = 30.0
    """Seconds after which the pool sends another job even if nothing has changed. Antminer firmware disconnects after
    60 s without a job (docs/reference/stratum.md#how-often-jobs-come)."""
    ntime_ahead: int = 600
    """Seconds by which the ntime of a share may be ahead of the pool's clock, from 0 to 7000
    (docs/reference/stratum.md#ntime)."""
    max_connections: int = 10_000
    """Maximum number of miners that are connected at the same time."""

    def __post_init__(self) -> None:
        MinerLimits.__post_init__(self)  # super() does not work in a dataclass with slots
        if not self.payout_script:
            raise ValueError("payout_script: expected an output script, got none")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: expected 0 to 65535, got {self.port}")
        if not 2 <= self.extranonce2_size <= 16:
            raise ValueError(f"extranonce2_size: expected 2 to 16, got {self.extranonce2_size}")
        if len(self.coinbase_tag) > MAX_TAG:
            raise ValueError(f"coinbase_tag: expected at most {MAX_TAG} bytes, got {len(self.coinbase_tag)}")
        if not 0 <= self.version_mask < 1 << 29:
            raise ValueError(f"version_mask: expected bits 0 to 28 only, got {self.version_mask:#x}")
        if not 0 <= self.ntime_ahead <= MAX_NTIME_AHEAD:
            raise ValueError(f"ntime_ahead: expected 0 to {MAX_NTIME_AHEAD}, got {self.ntime_ahead}")
        if not self.notify_interval > 0:
            raise ValueError(f"notify_interval: expected more than 0, got {self.notify_interval}")
        if self.max_connections < 1:
            raise ValueError(f"max_connections: expected 1 or more, got {self.max_connections}")
        low, start, high = self.lowest_difficulty, self.difficulty, self.maximum_difficulty
        if not (LOWEST_DIFFICULTY <= low <= start <= high and math.isfinite(high)):
            raise ValueError(
                f"difficulty: expected {LOWEST_DIFFICULTY} <= minimum <= start <= maximum, got {low}, {start}, {high}"
            )

    @property
    def lowest_difficulty(self) -> float:
        """Lowest difficulty of a session: ``minimum_difficulty``, or its default."""
        return min(USUAL_MINIMUM, self.difficulty) if self.minimum_difficulty is None else self.minimum_difficulty

    @property
    def lowest_request(self) -> float:
        """Lowest difficulty that a miner can ask for. Without this limit, a miner could ask for a difficulty at which
        it submits more shares than the pool has time to judge.
        """
        if self.minimum_difficulty is not None:
            return self.minimum_difficulty
        if self.vardiff is None:
            return self.difficulty
        return min(self.difficulty, max(self.vardiff.minimum, self.lowest_difficulty))

    def ceiling(self, network_difficulty: float | None) -> float:
        """Return the highest difficulty of a session: the network difficulty, or ``maximum_difficulty`` if that is
        lower.

        ``network_difficulty`` is ignored if it is None (unknown) or below ``lowest_difficulty``.
        """
        if network_difficulty is None or network_difficulty < self.lowest_difficulty:
            return self.maximum_difficulty
        return min(self.maximum_difficulty, network_difficulty)

"""How a pool behaves: one frozen value, checked when it is made. Knows nothing of sockets and nodes.

Each default carries its reason. On a test chain whose network difficulty lies below ``minimum_difficulty`` (regtest:
4.66e-10) the network no longer bounds the share difficulty: there a share easier than a block would mean a share
every second hash. Blocks below the share difficulty are accepted all the same.
"""

import math
from dataclasses import dataclass

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.downstream.limits import MinerLimits
from stratum_miner.downstream.validator import MAX_NTIME_AHEAD
from stratum_miner.downstream.vardiff import VardiffConfig

LOWEST_DIFFICULTY = 2.0**-32
"""Below this nearly every hash is a share (docs/reference/stratum.md#regtest)."""
USUAL_MINIMUM = 1e-6
"""The least that vardiff goes down to unless told otherwise: 4300 hashes a share."""
MAX_TAG = 50
"""Bytes that a coinbase script has room for beside height, extranonces, job id and the node's flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig(MinerLimits):
    """Settings of a pool. Raises ValueError when they contradict each other."""

    payout_script: bytes
    """Output script that every block pays to: ``bitcoin.address`` turns an address into one."""
    host: str = "127.0.0.1"
    port: int = 3333
    """0 takes any free port."""
    difficulty: float = 1.0
    """Difficulty of a new session; without ``vardiff`` it stays unless the miner asks for another."""
    minimum_difficulty: float | None = None
    """Never below, and miners may ask for as little; None: the lower of 1e-6 and ``difficulty``, and miners may not
    ask for less than they could get without asking.
    """
    maximum_difficulty: float = 1e15
    """Never above; ten times the main network's difficulty of 2025."""
    vardiff: VardiffConfig | None = None
    """How difficulty follows the share rate; None leaves it alone."""
    version_mask: int = GENERAL_PURPOSE_MASK
    extranonce2_size: int = 8
    """The most that WhatsMiner and cgminer take (docs/reference/stratum.md#extranonce-sizes)."""
    coinbase_tag: bytes = b"/stratum_miner/"
    notify_interval: float = 30.0
    """Seconds; Antminer firmware leaves after 60 without a job (docs/reference/stratum.md#how-often-jobs-come)."""
    ntime_ahead: int = 600
    """How far a share's ntime may run ahead of the clock, seconds (docs/reference/stratum.md#ntime)."""
    max_connections: int = 10_000

    def __post_init__(self) -> None:
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
        low, start, high = self.lowest_difficulty, self.difficulty, self.maximum_difficulty
        if not (LOWEST_DIFFICULTY <= low <= start <= high and math.isfinite(high)):
            raise ValueError(
                f"difficulty: expected {LOWEST_DIFFICULTY} <= minimum <= start <= maximum, got {low}, {start}, {high}"
            )

    @property
    def lowest_difficulty(self) -> float:
        """``minimum_difficulty`` with its default filled in."""
        return min(USUAL_MINIMUM, self.difficulty) if self.minimum_difficulty is None else self.minimum_difficulty

    @property
    def lowest_request(self) -> float:
        """The least that a miner may ask for: one share costs the pool the same, however little work it stands for."""
        if self.minimum_difficulty is not None:
            return self.minimum_difficulty
        if self.vardiff is None:
            return self.difficulty
        return min(self.difficulty, max(self.vardiff.minimum, self.lowest_difficulty))

    def ceiling(self, network_difficulty: float | None) -> float:
        """The highest difficulty to ask for: the network's, unless the chain is easier than our minimum."""
        if network_difficulty is None or network_difficulty < self.lowest_difficulty:
            return self.maximum_difficulty
        return min(self.maximum_difficulty, network_difficulty)

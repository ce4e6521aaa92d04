"""Rules of the Bitcoin block chain for the value and the difficulty of a block: subsidy, halvings, retargets."""

from fractions import Fraction

from stratum_miner.bitcoin.coinbase import block_subsidy

SATOSHIS = 100_000_000
"""Satoshis in one bitcoin."""
HALVING_INTERVAL = 210_000
"""Number of blocks between two halvings of the subsidy on mainnet."""
RETARGET_INTERVAL = 2016
"""Number of blocks between two changes of the difficulty."""
BLOCK_SECONDS = 600
"""Intended seconds between two blocks."""
BLOCKS_PER_DAY = 86400 // BLOCK_SECONDS
MAX_DIFFICULTY = 1e30
"""Maximum difficulty that is accepted as input, far above that of any real chain."""
MAINNET_DIFFICULTY = 144.40e12
"""Mainnet difficulty of early 2026, with which test chains are compared unless the user gives another one."""
LEAST_MAINNET_DIFFICULTY = 1e12
"""Minimum difficulty of a job that counts as mainnet. Mainnet has been above it since 2017; no test chain is."""
MAX_HEIGHT = 100_000_000
"""Maximum block height that is accepted as input."""


def subsidy(height: int) -> int:
    """Return the subsidy of the mainnet block at this height, in satoshis. Raises ValueError if it is below 0."""
    if height < 0:
        raise ValueError(f"height: expected 0 or more, got {height}")
    return block_subsidy(height, HALVING_INTERVAL)


def next_halving(height: int) -> int:
    """Return the height of the first block after this one that has half its subsidy."""
    return (height // HALVING_INTERVAL + 1) * HALVING_INTERVAL


def halving_days(height: int, days: int) -> tuple[int, ...]:
    """Return on which of the next ``days`` days a halving occurs, counted from 0, with a block every ten minutes."""
    first = (next_halving(height) - height) // BLOCKS_PER_DAY
    return tuple(range(first, days, HALVING_INTERVAL // BLOCKS_PER_DAY))


def hashes_per_block(difficulty: float, *, exact: bool = False) -> float:
    """Return the expected number of hashes per block.

    The usual figure is 2^32 per unit of difficulty. With ``exact``, it is 2^48 / 65535, which is 0.0015 % more.
    """
    return float(difficulty * Fraction(1 << 48, 65535)) if exact else difficulty * 2.0**32


def network_hash_rate(difficulty: float) -> float:
    """Return the hash rate of a network that finds a block every ten minutes, in H/s."""
    return hashes_per_block(difficulty) / BLOCK_SECONDS

"""Rules of the Bitcoin block chain for the value and the difficulty of a block: subsidy, halvings, retargets."""

from fractions import Fraction

from stratum_miner.bitcoin.coinbase import block_subsidy

SATOSHIS = 100_000_000
"""Satoshis in one bitcoin."""
HALVING_INTERVAL = 210_000
"""Number of blocks between two halvings of the subsidy on mainnet."""
BLOCK_SECONDS = 600
"""Intended seconds between two blocks."""
BLOCKS_PER_DAY = 86400 // BLOCK_SECONDS
MAX_DIFFICULTY = 1e30
"""Maximum difficulty that is accepted as input, far above that of any real chain."""
LEAST_MAINNET_DIFFICULTY = 1e12
"""Minimum network difficulty at which a job counts as a mainnet job. Mainnet has been above this difficulty since 2017;
no test chain is."""
MAX_HEIGHT = 100_000_000
"""Maximum block height that is accepted as input."""


def subsidy(height: int) -> int:
    """Return the subsidy of the mainnet block at this height, in satoshis. Raises ValueError if the height is below
    0."""
    if height < 0:
        raise ValueError(f"height: expected 0 or more, got {height}")
    return block_subsidy(height, HALVING_INTERVAL)


def next_halving(height: int) -> int:
    """Return the lowest height above ``height`` at which the subsidy halves."""
    return (height // HALVING_INTERVAL + 1) * HALVING_INTERVAL


def halving_days(height: int, days: int) -> tuple[int, ...]:
    """Return the days on which the subsidy halves, among the next ``days`` days. Days are numbered from 0, and day 0
    begins with the block of this height.

    The calculation assumes a block every ten minutes."""
    halvings = range(next_halving(height), height + days * BLOCKS_PER_DAY, HALVING_INTERVAL)
    return tuple((halving - height) // BLOCKS_PER_DAY for halving in halvings)


def hashes_per_block(difficulty: float, *, exact: bool = False) -> float:
    """Return the expected number of hashes per block.

    The result is the difficulty times 2^32, the factor that is usually used. With ``exact``, it is the difficulty times
    2^48 / 65535, which is 0.0015 % more.
    """
    return float(difficulty * Fraction(1 << 48, 65535)) if exact else difficulty * 2.0**32


def network_hash_rate(difficulty: float) -> float:
    """Return the hash rate, in H/s, with which a network finds a block of this difficulty every ten minutes on
    average."""
    return hashes_per_block(difficulty) / BLOCK_SECONDS

"""Rules of the chain that decide what a block is worth and how hard it is: subsidy, halvings, difficulty, retargets."""

from fractions import Fraction

from stratum_miner.bitcoin.coinbase import block_subsidy

SATOSHIS = 100_000_000
"""In one bitcoin."""
HALVING_INTERVAL = 210_000
RETARGET_INTERVAL = 2016
BLOCK_SECONDS = 600
BLOCKS_PER_DAY = 86400 // BLOCK_SECONDS
MAX_DIFFICULTY = 1e30
"""Far above what the header can express in a chain that anybody mines; a bound for input."""
MAINNET_DIFFICULTY = 144.40e12
"""What docs/economics.md computes with: the mainnet that test chains are compared with unless a newer one is given."""
LEAST_MAINNET_DIFFICULTY = 1e12
"""Mainnet has been above since 2017, and no test chain is: what tells them apart when a job is all one sees."""
MAX_HEIGHT = 100_000_000


def subsidy(height: int) -> int:
    """New coins of the block at a height on mainnet, in satoshis; ValueError below 0."""
    if height < 0:
        raise ValueError(f"height: expected 0 or more, got {height}")
    return block_subsidy(height, HALVING_INTERVAL)


def next_halving(height: int) -> int:
    """The height of the first block after this one with half its subsidy."""
    return (height // HALVING_INTERVAL + 1) * HALVING_INTERVAL


def halving_days(height: int, days: int) -> tuple[int, ...]:
    """On which of the coming days a halving falls, at a block every ten minutes."""
    first = (next_halving(height) - height) // BLOCKS_PER_DAY
    return tuple(range(first, days, HALVING_INTERVAL // BLOCKS_PER_DAY))


def hashes_per_block(difficulty: float, *, exact: bool = False) -> float:
    """Expected hashes for a block. The field counts 2^32 per unit of difficulty; exactly it is 2^48 / 65535."""
    return float(difficulty * Fraction(1 << 48, 65535)) if exact else difficulty * 2.0**32


def network_hash_rate(difficulty: float) -> float:
    """H/s at which a block comes every ten minutes."""
    return hashes_per_block(difficulty) / BLOCK_SECONDS

"""Rules of the chain that decide what a block is worth and how hard it is: subsidy, halvings, difficulty, retargets."""

from fractions import Fraction

SATOSHIS = 100_000_000
"""In one bitcoin."""
HALVING_INTERVAL = 210_000
RETARGET_INTERVAL = 2016
BLOCK_SECONDS = 600
_FIRST_SUBSIDY = 50 * SATOSHIS
_RETARGET_SECONDS = RETARGET_INTERVAL * BLOCK_SECONDS
_CLAMP = 4


def subsidy(height: int) -> int:
    """New coins of the block at a height, in satoshis; whole ones, so that it ends after 33 halvings."""
    if height < 0:
        raise ValueError(f"height: expected 0 or more, got {height}")
    halvings = height // HALVING_INTERVAL
    return _FIRST_SUBSIDY >> halvings if halvings < 64 else 0


def next_halving(height: int) -> int:
    """The height of the first block after this one with half its subsidy."""
    return (height // HALVING_INTERVAL + 1) * HALVING_INTERVAL


def hashes_per_block(difficulty: float, *, exact: bool = False) -> float:
    """Expected hashes for a block. The field counts 2^32 per unit of difficulty; exactly it is 2^48 / 65535."""
    return float(difficulty * Fraction(1 << 48, 65535)) if exact else difficulty * 2.0**32


def network_hash_rate(difficulty: float) -> float:
    """H/s at which a block comes every ten minutes."""
    return hashes_per_block(difficulty) / BLOCK_SECONDS


def retarget(difficulty: float, seconds: float) -> float:
    """Difficulty after an epoch that took so long; the network lets it change by a factor of four at most.

    The reference node measures from the first to the last block of the epoch, 2015 gaps and not 2016.
    """
    if seconds <= 0:
        return difficulty * _CLAMP
    return difficulty * min(_CLAMP, max(1 / _CLAMP, _RETARGET_SECONDS / seconds))

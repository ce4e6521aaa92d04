"""Conversions between targets, which are exact integers, and difficulties, which are rounded numbers.

A target is the largest hash that is a solution, where a hash is read as a 256-bit little-endian number. The difficulty
of a target is the target of nbits 1d00ffff divided by that target. This definition, called bdiff, is the one that
Bitcoin Core and pools use (docs/reference/stratum.md#difficulty-and-target).
"""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Final

DIFFICULTY_1_TARGET: Final = 0xFFFF << 208
"""The target of difficulty 1: nbits 1d00ffff."""
MAX_TARGET: Final = (1 << 256) - 1
"""The target that every hash meets."""
TRIVIAL_TARGET: Final = 1 << 240
"""If the network target is this or larger, finding a block is trivial: it takes at most 65,536 hashes on average. This
limit only has to lie between regtest, where a block takes 2 hashes, and all other networks, where it takes far more
than 65,536."""


def target_from_difficulty(difficulty: float | int | Fraction | Decimal) -> int:
    """Return the target of a difficulty: the target of difficulty 1 divided by ``difficulty``, rounded down, at least 1
    and at most 2^256-1.

    Raises ValueError unless the difficulty is finite and above zero.
    """
    try:
        exact = Fraction(difficulty)
    except (ValueError, OverflowError):
        raise ValueError(f"difficulty: expected a finite number above zero, got {difficulty}") from None
    if exact <= 0:
        raise ValueError(f"difficulty: expected a finite number above zero, got {difficulty}")
    return min(max(DIFFICULTY_1_TARGET * exact.denominator // exact.numerator, 1), MAX_TARGET)


def difficulty_from_target(target: int) -> float:
    """Return the difficulty of a target: the target of difficulty 1 divided by ``target``, rounded, for display. For
    target 0, return infinity."""
    return DIFFICULTY_1_TARGET / target if target else math.inf


def difficulty_to_announce(target: int) -> float:
    """Return the smallest difficulty, as a float, whose target is not above ``target``.

    The exact difficulty of ``target`` is usually not a float, so the result is rounded up to the next float. If the
    result were rounded down, miners would compute a larger target from it, and submit shares that miss ``target``.
    """
    difficulty = difficulty_from_target(target)
    while target_from_difficulty(difficulty) > target:
        difficulty = math.nextafter(difficulty, math.inf)
    return difficulty


def target_from_bits(nbits: int) -> int:
    """Return the target that the compact form ``nbits`` stands for: mantissa · 256^(exponent-3). The exponent is the
    highest byte of ``nbits``, and the mantissa is the number in the other three bytes.

    Raises ValueError if this target is negative, zero or larger than 256 bits.
    """
    exponent, mantissa = nbits >> 24, nbits & 0x7FFFFF
    target = mantissa << 8 * exponent >> 24
    if nbits & 0x800000 or not 0 < target <= MAX_TARGET:
        raise ValueError(f"nbits: expected a target from 1 to 2^256-1, got {nbits:08x}")
    return target


def bits_from_target(target: int) -> int:
    """Return the compact form (nbits) of a target. It contains only the highest 16 to 23 bits of the target.

    Raises ValueError if the target is not from 1 to 2^256-1.
    """
    if not 0 < target <= MAX_TARGET:
        raise ValueError(f"target: expected 1 to 2^256-1, got {target}")
    size = target.bit_length() // 8 + 1  # one bit more than the target has, because the highest bit is the sign
    return size << 24 | target << 24 >> 8 * size


def hash_value(digest: bytes) -> int:
    """Return a 32-byte hash in internal order as the number that is compared with a target."""
    return int.from_bytes(digest, "little")


def difficulty_from_digest(digest: bytes) -> float:
    """Return the highest difficulty that a hash meets, rounded, for display."""
    return difficulty_from_target(hash_value(digest))


def expected_hashes(target: int) -> Fraction:
    """Return the average number of hashes for one solution: 2^256 / (target + 1)."""
    return Fraction(1 << 256, target + 1)


HASHES_PER_DIFFICULTY: Final = float(expected_hashes(DIFFICULTY_1_TARGET))
"""Average number of hashes for a solution of difficulty 1, about 2^32; for statistics."""

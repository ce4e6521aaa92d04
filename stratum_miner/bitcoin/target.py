"""Targets and difficulties."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Final

DIFFICULTY_1_TARGET: Final = 0xFFFF << 208
MAX_TARGET: Final = (1 << 256) - 1


def target_from_difficulty(difficulty: float | int | Fraction | Decimal) -> int:
    """floor(D1 / difficulty), exact."""
    try:
        exact = Fraction(difficulty)
    except (ValueError, OverflowError):
        raise ValueError(f"difficulty: expected a finite number above zero, got {difficulty}") from None
    if exact <= 0:
        raise ValueError(f"difficulty: expected a finite number above zero, got {difficulty}")
    return min(int(Fraction(DIFFICULTY_1_TARGET) / exact), MAX_TARGET)


def difficulty_from_target(target: int) -> float:
    """D1 / target."""
    return float(Fraction(DIFFICULTY_1_TARGET, target)) if target else math.inf


def target_from_bits(nbits: int) -> int:
    """Expand compact bits."""
    exponent, mantissa = nbits >> 24, nbits & 0x7FFFFF
    target = mantissa << (8 * (exponent - 3)) if exponent >= 3 else mantissa >> (8 * (3 - exponent))
    if nbits & 0x800000 or not 0 < target <= MAX_TARGET:
        raise ValueError(f"nbits: expected a positive 256-bit target, got {nbits:08x}")
    return target


def hash_value(digest: bytes) -> int:
    """Little-endian number."""
    return int.from_bytes(digest, "little")


def difficulty_from_digest(digest: bytes) -> float:
    """D1 / hash."""
    return difficulty_from_target(hash_value(digest))

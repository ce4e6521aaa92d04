"""The midstate: the state of SHA-256 after the first 64 bytes of a header. Some mining chips need it as input.

hashlib does not expose its state, so this module implements FIPS 180-4. A call takes about 0.1 ms.
"""

import struct
from math import cbrt, isqrt

_WORD = 0xFFFFFFFF
_PRIMES = [number for number in range(2, 312) if all(number % divisor for divisor in range(2, number))]
"""The first 64 prime numbers."""


def _cube_root(number: int) -> int:
    """Return the integer part of the cube root of a number below 2^105. The floating-point ``cbrt`` is wrong by less
    than 1, so its result is corrected."""
    root = round(cbrt(number))
    return root - (root**3 > number)


ROUND_CONSTANTS = tuple(_cube_root(prime << 96) & _WORD for prime in _PRIMES)
"""The first 32 bits of the fractional parts of the cube roots of the primes (FIPS 180-4, 4.2.2)."""
INITIAL_STATE = tuple(isqrt(prime << 64) & _WORD for prime in _PRIMES[:8])
"""The first 32 bits of the fractional parts of the square roots of the first eight primes (FIPS 180-4, 5.3.3)."""


def midstate(block: bytes) -> bytes:
    """Return the state of SHA-256 after the 64 bytes of ``block``: the words h0 to h7, each big-endian, 32 bytes.

    Raises ValueError unless ``block`` has 64 bytes.
    """
    if len(block) != 64:
        raise ValueError(f"midstate: expected 64 bytes, got {len(block)}")
    w = list(struct.unpack(">16I", block))
    for t in range(16, len(ROUND_CONSTANTS)):
        x, y = w[t - 15], w[t - 2]
        s0 = (x >> 7 | x << 25) ^ (x >> 18 | x << 14) ^ x >> 3
        s1 = (y >> 17 | y << 15) ^ (y >> 19 | y << 13) ^ y >> 10
        w.append((w[t - 16] + (s0 & _WORD) + w[t - 7] + (s1 & _WORD)) & _WORD)
    a, b, c, d, e, f, g, h = INITIAL_STATE
    for t in range(len(ROUND_CONSTANTS)):
        s1 = ((e >> 6 | e << 26) ^ (e >> 11 | e << 21) ^ (e >> 25 | e << 7)) & _WORD
        t1 = h + s1 + (e & f ^ ~e & g) + ROUND_CONSTANTS[t] + w[t]
        s0 = ((a >> 2 | a << 30) ^ (a >> 13 | a << 19) ^ (a >> 22 | a << 10)) & _WORD
        t2 = s0 + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (t1 + t2) & _WORD, a, b, c, (d + t1) & _WORD, e, f, g
    return struct.pack(">8I", *((x + y) & _WORD for x, y in zip(INITIAL_STATE, (a, b, c, d, e, f, g, h), strict=True)))

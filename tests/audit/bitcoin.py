"""Bitcoin's arithmetic for the audit: hashes over hashlib, targets and difficulties as exact integers and fractions.

Written for the audit alone. It imports nothing of the program, so that a fault there cannot hide here.
"""

import hashlib
from fractions import Fraction
from typing import Final

DIFFICULTY_1: Final = 0xFFFF << 208
"""The target of difficulty 1: nBits 1d00ffff."""
LARGEST: Final = (1 << 256) - 1


def sha256d(data: bytes) -> bytes:
    """SHA-256 of the SHA-256, in the order of its bytes as computed."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def sha256d_from(state: bytes, rest: bytes) -> bytes:
    """The same of a header of which the state after its first 64 bytes is known, and the 16 bytes that follow."""
    block = rest + b"\x80" + bytes(45) + (640).to_bytes(2, "big")
    return hashlib.sha256(compress(state, block)).digest()


def compress(state: bytes, block: bytes) -> bytes:
    """One round of SHA-256 (FIPS 180-4, 6.2.2)."""
    words = [int.from_bytes(block[at : at + 4], "big") for at in range(0, 64, 4)]
    for i in range(16, 64):
        low, high = words[i - 15], words[i - 2]
        mixed = (_turn(low, 7) ^ _turn(low, 18) ^ low >> 3) + (_turn(high, 17) ^ _turn(high, 19) ^ high >> 10)
        words.append((mixed + words[i - 16] + words[i - 7]) & 0xFFFFFFFF)
    start = [int.from_bytes(state[at : at + 4], "big") for at in range(0, 32, 4)]
    a, b, c, d, e, f, g, h = start
    for constant, word in zip(ROUND_CONSTANTS, words, strict=True):
        one = h + (_turn(e, 6) ^ _turn(e, 11) ^ _turn(e, 25)) + (e & f ^ ~e & g) + constant + word
        two = (_turn(a, 2) ^ _turn(a, 13) ^ _turn(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (one + two) & 0xFFFFFFFF, a, b, c, (d + one) & 0xFFFFFFFF, e, f, g
    ends = zip(start, (a, b, c, d, e, f, g, h), strict=True)
    return b"".join((before + after & 0xFFFFFFFF).to_bytes(4, "big") for before, after in ends)


def _turn(word: int, bits: int) -> int:
    return (word >> bits | word << (32 - bits)) & 0xFFFFFFFF


def _round_constants() -> list[int]:
    """The first 32 bits of the fractional parts of the cube roots of the first 64 primes."""
    primes = [n for n in range(2, 312) if all(n % d for d in range(2, n))]
    found = []
    for prime in primes:
        root, cube = 0, prime << 96
        for bit in reversed(range(36)):
            if (root | 1 << bit) ** 3 <= cube:
                root |= 1 << bit
        found.append(root & 0xFFFFFFFF)
    return found


ROUND_CONSTANTS: Final = _round_constants()


def shown(digest: bytes) -> str:
    """A hash as explorers and nodes write it."""
    return digest[::-1].hex()


def target_of_bits(bits: int) -> int:
    """The 256-bit number that compact bits stand for."""
    size, word = bits >> 24, bits & 0x7FFFFF
    return word << (8 * (size - 3)) if size > 3 else word >> (8 * (3 - size))


def target_of_difficulty(difficulty: Fraction) -> int:
    """The largest hash that is worth this difficulty."""
    return min(LARGEST, int(DIFFICULTY_1 / difficulty))


def difficulty_of(target: int) -> Fraction:
    """Difficulty 1 over a target, or over a hash as a number."""
    return Fraction(DIFFICULTY_1, max(1, target))


def hash_number(digest: bytes) -> int:
    """A hash as the number that is held against a target."""
    return int.from_bytes(digest, "little")


def hashes_for(difficulty: Fraction | float) -> float:
    """How many hashes such a share takes on average: 2^256 over its target plus one."""
    return (1 << 256) / (target_of_difficulty(Fraction(difficulty)) + 1)


def merkle_root(coinbase: bytes, branch: list[bytes]) -> bytes:
    """The root above a coinbase without witness and the branch of a job."""
    root = sha256d(coinbase)
    for sibling in branch:
        root = sha256d(root + sibling)
    return root


def root_of(transaction_ids: list[bytes]) -> bytes:
    """The root of whole rows: an odd row repeats its last."""
    row = list(transaction_ids)
    while len(row) > 1:
        if len(row) % 2:
            row.append(row[-1])
        row = [sha256d(row[i] + row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def header(version: int, previous: bytes, root: bytes, time: int, bits: int, nonce: int) -> bytes:
    """The 80 bytes that are hashed; hashes in the order of computing."""
    return b"".join(
        (
            version.to_bytes(4, "little"),
            previous,
            root,
            time.to_bytes(4, "little"),
            bits.to_bytes(4, "little"),
            nonce.to_bytes(4, "little"),
        )
    )


def swap_words(data: bytes) -> bytes:
    """Each four bytes turned round: how mining.notify writes the previous hash."""
    return b"".join(data[i : i + 4][::-1] for i in range(0, len(data), 4))


def push_height(height: int) -> bytes:
    """A height as the first push of a coinbase script (BIP 34)."""
    if height == 0:
        return b"\x00"
    if height <= 16:
        return bytes([0x50 + height])
    raw = height.to_bytes((height.bit_length() + 8) // 8, "little")
    return bytes([len(raw)]) + raw


def height_of_script(script: bytes) -> int:
    """The height that a coinbase script begins with."""
    first = script[0]
    if first == 0 or 0x51 <= first <= 0x60:
        return first and first - 0x50
    return int.from_bytes(script[1 : 1 + first], "little")


def height_of_coinbase(coinbase: bytes) -> int:
    """The height in a coinbase transaction, or in its beginning, with or without witness marker."""
    start = 6 if coinbase[4:6] == b"\x00\x01" else 4
    script = start + 1 + 36 + 1  # count of inputs, the null outpoint, the length of the script
    return height_of_script(coinbase[script:])


def read_size(data: bytes, at: int) -> tuple[int, int]:
    """A compact size and where it ends."""
    first = data[at]
    if first < 0xFD:
        return first, at + 1
    width = {0xFD: 2, 0xFE: 4, 0xFF: 8}[first]
    return int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width


def read_transaction(data: bytes, at: int) -> tuple[bytes, bytes, int]:
    """A transaction that starts there: as a whole, without witness (what the txid is the hash of), and its end."""
    start, body = at, at + 4
    witness = data[body : body + 2] == b"\x00\x01"
    at = inner = body + 2 if witness else body
    inputs, at = read_size(data, at)
    for _ in range(inputs):
        length, at = read_size(data, at + 36)
        at += length + 4
    outputs, at = read_size(data, at)
    for _ in range(outputs):
        length, at = read_size(data, at + 8)
        at += length
    stripped = data[start:body] + data[inner:at]
    if witness:
        for _ in range(inputs):
            items, at = read_size(data, at)
            for _ in range(items):
                length, at = read_size(data, at)
                at += length
    stripped += data[at : at + 4]
    return data[start : at + 4], stripped, at + 4

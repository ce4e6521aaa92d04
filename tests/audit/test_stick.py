"""The audit's own SHA-256, by which it knows the mistakes of a stick."""

import os

from tests.audit import bitcoin
from tests.audit.stick import GOLDEN_WORK, Work


def test_the_golden_work_hashes_to_the_block_that_it_is_of() -> None:
    state = b"".join(GOLDEN_WORK[at : at + 4] for at in range(28, -4, -4))
    tail = GOLDEN_WORK[60:64] + GOLDEN_WORK[56:60] + GOLDEN_WORK[52:56]
    digest = Work(0.0, state, tail, True).digest(bytes.fromhex("000187a2"))
    assert bitcoin.shown(digest) == "00000000000004b64108a8e4168cfaa890d62b8c061c6b74305b7f6cb2cf9fda"  # 171 874


def test_a_header_hashes_the_same_from_its_state() -> None:
    header, start = os.urandom(80), "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"
    state = bitcoin.compress(bytes.fromhex(start), header[:64])
    assert bitcoin.sha256d_from(state, header[64:]) == bitcoin.sha256d(header)

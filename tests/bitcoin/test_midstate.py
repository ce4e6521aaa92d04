"""SHA-256 written down, held against hashlib, and the table of the C kernels against what Python computes."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin import midstate as module
from stratum_miner.bitcoin.midstate import INITIAL_STATE, ROUND_CONSTANTS, midstate

CONSTANTS_OF_C = Path(__file__).parents[2] / "native" / "sha256d_constants.h"


@given(st.binary(max_size=55))
def test_a_message_of_one_block_hashes_as_hashlib_says(message: bytes) -> None:
    padded = message + b"\x80" + bytes(55 - len(message)) + (8 * len(message)).to_bytes(8, "big")
    assert midstate(padded) == sha256(message).digest()


@given(st.binary(min_size=64, max_size=64))
def test_midstate_completes_to_sha256(block: bytes) -> None:
    """One more block through our own compression would prove little; the padding block of hashlib proves it all."""
    assert sha256(block).digest() == _finish(midstate(block))


def _finish(state: bytes) -> bytes:
    """Run the padding block of a 64-byte message from ``state``, by way of the same rounds."""
    words = tuple(int.from_bytes(state[index : index + 4], "big") for index in range(0, 32, 4))
    before = module.INITIAL_STATE
    module.INITIAL_STATE = words
    try:
        return midstate(b"\x80" + bytes(61) + (512).to_bytes(2, "big"))
    finally:
        module.INITIAL_STATE = before


@pytest.mark.parametrize("size", [0, 63, 65])
def test_anything_but_one_block_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"expected 64 bytes, got {size}"):
        midstate(bytes(size))


def test_the_kernels_have_the_same_constants() -> None:
    text = CONSTANTS_OF_C.read_text(encoding="ascii")
    table = re.search(r"sha256_k\[64\] = \{(.*?)\}", text, re.DOTALL)
    assert table is not None
    assert tuple(int(word, 16) for word in re.findall(r"0x[0-9a-f]{8}", table[1])) == ROUND_CONSTANTS
    state = {int(place): int(word, 16) for place, word in re.findall(r"#define IV(\d) (0x[0-9a-f]{8})u", text)}
    assert tuple(state[place] for place in range(8)) == INITIAL_STATE

"""Work whose nonces are known: answered from a table, in the time that the real device takes.

So detection works whatever rate is emulated, and difficulty 1 can be tried without minutes of hashing. Each entry has
every nonce of difficulty 1 of its work: all 2^32 were searched. Nonces are numbers as the chip counts: the first byte
on the wire is the most significant.
"""

from typing import Final

_TAIL_J: Final = "043a0217df1b2266"
"""nbits and ntime of the four works made for difficulty 1."""

_MIDSTATES: Final[dict[str, tuple[int, ...]]] = {
    # block 171874, with which drivers detect Icarus and its kin (asic.md 1.6)
    "4679ba4ec99876bf4bfe086082b400254df6c356451471139a3afa71e48f544a87320b1a1426674f2fa722ce": (0x000187A2,),
    # bfgminer's probe for the number of engines: the first to find something tells (asic.md 1.5)
    "2e4c8f91fd595d2d7ea20aaacb64a2a04382860277cf26b6a1ee04c56a5b504a6461011ac906a951fb9b3c73": (
        0x04C0FDB4,
        0x417C0F36,
        0x60C994D5,
        0x82540E46,
    ),
    # what opens the cores of a BM1387 (asic.md 2.5)
    "00" * 32 + "ff" * 12: (0x7203EA83, 0xE16BF809),
    # the works for difficulty 1 (asic.md 4.6, J)
    "9f2c265eaafb3036704daabca7124e2d63e4a31e7adce7dbd0404a179d34bf2d" + _TAIL_J + "61c0308a": (),
    "2adbda59a7ada12cf81268a6a5ca279d15ad7820bc878e826493fa83e4e65bc3" + _TAIL_J + "224b2765": (
        0x0FAED942,
        0x5959E6EB,
        0xB5F5C643,
    ),
    "7a248970c46e0f598a29423cf351965d01f8b9dc0b396ee5e7f50ae473ddd804" + _TAIL_J + "afe85946": (),
    "605fbdb62e166dd0c4c7c7aa35859080a712ee4963e115bb8c55c5760ad59e7a" + _TAIL_J + "6a7f5490": (0x6544B836,),
}

_TABLE: Final = {bytes.fromhex(work): nonces for work, nonces in _MIDSTATES.items()}


def known_nonces(midstate: bytes, tail: bytes) -> tuple[int, ...] | None:
    """All nonces of difficulty 1 of a work, ascending; None when nobody has searched it.

    ``midstate`` and ``tail`` as on the wire: h7 to h0, and nbits, ntime, the merkle root's last four bytes.
    """
    return _TABLE.get(midstate + tail)

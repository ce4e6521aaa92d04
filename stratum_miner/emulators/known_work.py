"""Works whose nonces are known. An emulator takes these nonces from a table instead of searching for them, and reports
each at the time at which the real device would report it.

Many drivers detect a device by a work whose nonce they know. At a low hash rate, an emulator would find this nonce only
after minutes.

The table ``_MIDSTATES`` has, for each work, all nonces that meet difficulty 1: all 2^32 nonces were tried. The most
significant byte of such a nonce is the first byte on the line. The table ``_HEADERS`` has jobs for chips that roll
versions, each with the results that were recorded from a real chip.
"""

from typing import Final

_TAIL_J: Final = "043a0217df1b2266"
"""nbits and ntime, as hexadecimal digits, of those works in ``_MIDSTATES`` that were made for tests at difficulty 1."""

_MIDSTATES: Final[dict[str, tuple[int, ...]]] = {
    # the work of block 171874, with which drivers detect Icarus and similar devices
    # (docs/reference/asic.md#golden-work)
    "4679ba4ec99876bf4bfe086082b400254df6c356451471139a3afa71e48f544a87320b1a1426674f2fa722ce": (0x000187A2,),
    # the work with which bfgminer counts the engines of a device: their number decides which of these four nonces the
    # device reports first (docs/reference/asic.md#engines-of-an-icarus)
    "2e4c8f91fd595d2d7ea20aaacb64a2a04382860277cf26b6a1ee04c56a5b504a6461011ac906a951fb9b3c73": (
        0x04C0FDB4,
        0x417C0F36,
        0x60C994D5,
        0x82540E46,
    ),
    # the work with which a driver enables the cores of a BM1387 (docs/reference/asic.md#newpac-and-r606)
    "00" * 32 + "ff" * 12: (0x7203EA83, 0xE16BF809),
    # the work with which a driver enables the cores of a BM1384 (docs/reference/asic.md#compac-and-2pac)
    "00" * 44: (),
    # the works that were made for tests at difficulty 1 (docs/reference/asic.md#test-vectors)
    "9f2c265eaafb3036704daabca7124e2d63e4a31e7adce7dbd0404a179d34bf2d" + _TAIL_J + "61c0308a": (),
    "2adbda59a7ada12cf81268a6a5ca279d15ad7820bc878e826493fa83e4e65bc3" + _TAIL_J + "224b2765": (
        0x0FAED942,
        0x5959E6EB,
        0xB5F5C643,
    ),
    "7a248970c46e0f598a29423cf351965d01f8b9dc0b396ee5e7f50ae473ddd804" + _TAIL_J + "afe85946": (),
    "605fbdb62e166dd0c4c7c7aa35859080a712ee4963e115bb8c55c5760ad59e7a" + _TAIL_J + "6a7f5490": (0x6544B836,),
}

_HEADERS: Final[dict[str, tuple[tuple[int, str], ...]]] = {
    # header of a job of a Bitaxe Gamma, with a share that its pool accepted (docs/reference/asic.md#test-vectors)
    "00000020fd55646bc162b96dfcd4f201a3f4670d1d3996bc9652010000000000"
    "0000000006ddf5f08c36414b95ea54db71a0c28761a98bcf6355919e044f88725519a7cb"
    "d7685468043a0217": ((0x05A2, "4c035275"),),
    # header of a job of a BM1366, with the nonce of block 839900 and five shares (docs/reference/asic.md#test-vectors)
    "00000020a39b4310863947efd282b30ff755d3ab247c76ee7e5d010000000000"
    "000000004c4577aff36cdfdb0613ee3dc73c46e349da802849ec4f4995f9de8df5838008"
    "df1b226619420317": (
        (0x1C2D, "ae1e88c5"),
        (0x1F33, "17f73725"),
        (0x20A4, "538295e3"),
        (0x48AD, "cf86e3b9"),
        (0x54B3, "178560d2"),
        (0xA4E6, "cb800c1e"),
    ),
}

_TABLE: Final = {bytes.fromhex(work): nonces for work, nonces in _MIDSTATES.items()}
_ROLLED: Final = {
    bytes.fromhex(header): tuple((rolled, bytes.fromhex(nonce)) for rolled, nonce in found)
    for header, found in _HEADERS.items()
}


def known_nonces(midstate: bytes, tail: bytes) -> tuple[int, ...] | None:
    """Return all nonces of a work that meet difficulty 1, in ascending order. Return None for work that is not in the
    table.

    ``midstate`` and ``tail`` are in the order of the bytes on the line. ``midstate`` has its eight words from last to
    first. ``tail`` consists of nbits, ntime and the last four bytes of the merkle root.
    """
    return _TABLE.get(midstate + tail)


def known_rolled(header: bytes) -> tuple[tuple[int, bytes], ...]:
    """Return the results that were recorded when a real chip searched this job and rolled the version.

    Each result is a pair: the rolled version bits, shifted right by 13, and the four bytes of the nonce. The job may
    have more results than the recorded ones. The tuple is empty if the job is not in the table.

    ``header`` is the first 76 bytes of the header, without rolled version bits.
    """
    return _ROLLED.get(header, ())

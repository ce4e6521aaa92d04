"""Replies on the control channel of bitaxe-raw: one reply at a time, and whole conversations with a board's chips.

The first byte is the identifier of the request.
"""

from stratum_miner.backends.asic import bitaxe_raw
from stratum_miner.backends.asic.errors import DeviceSilent
from tests.fuzz.judge import check_shown

SIZES = (0, 1, 2, 3, 4, 7, 16)


def run(data: bytes) -> None:
    identifier, body = (data[:1] or b"\0")[0], data[1:]
    for expected in SIZES:
        for final in (False, True):
            try:
                reply = bitaxe_raw.decode_reply(body, identifier, expected, final=final)
            except DeviceSilent as error:
                check_shown(str(error))
                continue
            if reply is not None and reply.error is None:
                assert len(reply.data) == expected
                assert reply.data in body

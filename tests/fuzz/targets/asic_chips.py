"""What mining chips say, on every board with its chain: through bring-up, then as answers to work.

The first byte chooses the board. The second: bit 0 seals the bytes as frames with right checksums, bits 1 and 2 choose
their length, bits 3 and 4 the number of chips, bit 5 an easy difficulty, bit 6 brings the chips up first.
"""

import trio
import trio.testing

from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.backends.asic.chain import ChainSettings, ChipChain
from stratum_miner.backends.asic.chips import CHAINS
from stratum_miner.backends.asic.crc import ends_with_crc5
from stratum_miner.backends.asic.errors import DeviceGone, DeviceRefused, DeviceSilent, PowerFault
from stratum_miner.backends.asic.frames.replies import NonceReply
from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.work.unit import WorkUnit
from tests.fuzz.judge import check_shown
from tests.fuzz.port import Port
from tests.work.jobs import make_job

DOCUMENTED = (DeviceSilent, DeviceRefused, DeviceGone, PowerFault)
ALL = tuple(BOARDS.values())
LENGTHS = (5, 7, 9, 11)
ROUNDS = 40
VERSION = 0x20000000
JOB = make_job(
    session=1,
    job_id="j",
    previous_hash=bytes(32),
    prefix=b"a",
    suffix=b"b",
    branch=(),
    version=VERSION,
    nbits=0x1D00FFFF,
    ntime=1,
    clean_jobs=True,
    extranonce1=b"1234",
    extranonce2_size=4,
    share_target=target_from_difficulty(1e-6),
    version_mask=0x1FFFE000,
    version_rolling=True,
)


def run(data: bytes) -> None:
    if len(data) < 3:
        return
    board, mode, body = ALL[data[0] % len(ALL)], data[1], data[2:]
    if mode & 1:
        body = _sealed(body, LENGTHS[mode >> 1 & 3])
    settings = ChainSettings(
        chips=1 + (mode >> 3 & 3),
        frequency=board.frequency.default if board.frequency else None,
        nonce_difficulty=1e-9 if mode & 32 else None,
    )
    chain = CHAINS[board.chip](Port(body), board, settings)
    trio.run(_use, chain, bool(mode & 64), clock=trio.testing.MockClock(autojump_threshold=0))


async def _use(chain: ChipChain, bring_up: bool) -> None:
    with trio.move_on_after(200):
        try:
            if bring_up:
                await chain.bring_up()
            unit = _unit(chain)
            await chain.prepare(unit)
            await chain.load(unit)
            await chain.load(unit)
        except DOCUMENTED as error:
            check_shown(str(error))
            return
        for _ in range(200):
            with trio.move_on_after(1) as waiting:
                for reply in await chain.wire.replies():
                    if isinstance(reply, NonceReply):
                        _judge(chain, reply)
            if waiting.cancelled_caught:
                break


def _judge(chain: ChipChain, reply: NonceReply) -> None:
    claim = chain.reported_nonce(reply)
    assert 0 <= claim.chip < max(1, chain.chips)
    proven = chain.history.verify(claim)
    if proven is not None:
        hit = proven.nonce_found("d")
        assert hit is None or proven.hash_value <= hit.unit.target


def _unit(chain: ChipChain) -> WorkUnit:
    allowed, count = chain.rolls
    mask = 0
    for bit in range(32):
        if allowed >> bit & 1 and mask.bit_count() < count:
            mask |= 1 << bit
    header = JOB.header(bytes(4), 1, 0, VERSION).to_bytes()
    return WorkUnit(
        job=JOB,
        extranonce2=bytes(4),
        ntime=1,
        version=VERSION,
        header=header,
        target=(1 << 256) - 1,
        version_mask=mask & 0x1FFFE000,
    )


def _sealed(data: bytes, size: int) -> bytes:
    """The bytes in frames of this size, each with its checksum, and with the preamble where there is one."""
    out = bytearray()
    for start in range(0, len(data) - size + 1, size):
        frame = bytearray(data[start : start + size])
        if size > 7:
            frame[:2] = b"\xaa\x55"
        for check in range(32):
            frame[-1] = frame[-1] & 0xE0 | check
            if ends_with_crc5(bytes(frame[2:] if size > 7 else frame)):
                break
        out += frame
    return bytes(out)

"""A chip in a few lines: it answers with its id, hashes a few nonces of each job in Python, and misbehaves on
demand."""

from collections.abc import Callable, Iterable
from hashlib import sha256

from stratum_miner.backends.asic.board import Board, Port, Range, TemperatureLimits
from stratum_miner.backends.asic.bringup import CountChips, RampUp
from stratum_miner.backends.asic.crc import put_crc5_in_last_byte
from stratum_miner.backends.asic.frames.jobs import reverse_words
from stratum_miner.bitcoin.target import target_from_difficulty
from tests.backends.asic.memory_port import MemoryPort

NONCE_DIFFICULTY = 1e-9
"""One hash in four is reported."""
WINDOWS = (range(7000, 7512), range(0xFFFFFF00, 0x100000000), range(0x100))
"""The nonces that ``check_backend`` asks for; the chip searches no others."""

TEST_BOARD = Board(
    kind="test",
    product="Test Stick",
    chip="bm1366",
    fixed_hash_rate=10.0,
    bring_up=(CountChips(0.2),),
)
HOT_BOARD = Board(
    kind="test",
    product="Test Board",
    chip="bm1366",
    ports=(Port("data"), Port("control")),
    frequency=Range(50, 500, 600),
    voltage=Range(1.0, 1.2, 1.3),
    temperature=TemperatureLimits(warn=60, throttle=65, cut_off=70, resume=45),
    hash_rate_per_mhz=0.02,
    bring_up=(CountChips(0.2), RampUp(base=400, step=50, pause=0.1)),
)


class ScriptedChip:
    """A BM1366. ``mangle`` turns one good reply into what is really sent."""

    def __init__(
        self,
        windows: Iterable[range] = WINDOWS,
        *,
        chip_id: str = "13660000",
        mangle: Callable[[bytes], bytes] = lambda frame: frame,
    ) -> None:
        self.windows = tuple(windows)
        self.chip_id = bytes.fromhex(chip_id)
        self.mangle = mangle
        self.jobs: list[tuple[int, bytes]] = []
        self.silent = False
        self._bound = target_from_difficulty(NONCE_DIFFICULTY)

    def __call__(self, port: MemoryPort, data: bytes) -> None:
        if self.silent:
            return
        if data == bytes.fromhex("55aa520500000a"):
            port.say(b"\xaa\x55" + put_crc5_in_last_byte(self.chip_id + bytes(5)))
        elif data[:3] == b"\x55\xaa\x21":
            self.jobs.append((data[4], header_of(data)))
            for nonce in self.nonces(header_of(data)):
                port.say(self.mangle(self.reply(nonce, data[4])))

    def nonces(self, header: bytes) -> Iterable[bytes]:
        for window in self.windows:
            for number in window:
                nonce = number.to_bytes(4, "little")
                digest = sha256(sha256(header[:76] + nonce).digest()).digest()
                if int.from_bytes(digest, "little") <= self._bound:
                    yield nonce

    def reply(self, nonce: bytes, job_id: int) -> bytes:
        return b"\xaa\x55" + put_crc5_in_last_byte(nonce + bytes([0, job_id, 0, 0]) + b"\x80")


def header_of(frame: bytes) -> bytes:
    """The 80 bytes that an 88-byte job says to hash."""
    merkle, previous = reverse_words(frame[18:50]), reverse_words(frame[50:82])
    return frame[82:86] + previous + merkle + frame[14:18] + frame[10:14] + bytes(4)

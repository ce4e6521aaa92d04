"""BM1362, BM1366, BM1368 and BM1370: bring-up tables and captured results of docs/reference/asic.md in, frames out."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from stratum_miner.emulators.crc import crc5, crc16

Plug = Callable[..., Any]
EASY = 2**-16
JOB_A = bytes.fromhex(
    "55AA2156680100000000043A0217D76854685519A7CB044F88726355919E61A98BCF71A0C28795EA54DB8C36414B06DD"
    "F5F00000000000000000965201001D3996BCA3F4670DFCD4F201C162B96DFD55646B00000020721C"
)
JOB_D = bytes.fromhex(
    "55aa215608010000000019420317df1b2266f583800895f9de8d49ec4f4949da8028c73c46e30613ee3df36cdfdb4c4577af"
    "00000000000000007e5d0100247c76eef755d3abd282b30f863947efa39b4310000000208949"
)


def command(body: str) -> bytes:
    data = bytes.fromhex(body)
    return b"\x55\xaa" + data + bytes([crc5(data)])


def with_job_id(frame: bytes, job_id: int, length: int = 0x56) -> bytes:
    body = frame[2:3] + bytes([length, job_id]) + frame[5:-2]
    return b"\x55\xaa" + body + crc16(body).to_bytes(2, "big")


def on(host: Any) -> Any:
    """Give a Bitaxe's chip its power, 1.15 V and out of reset; the others have it."""
    if "control" in host.device.ports:
        if host.device.has_tps546:
            host.ask("0a000100052024214d02", port="control")
            host.ask("09000100052024" + "0180", port="control")
        host.ask("07000000060001", port="control")
    return host


class Chip:
    """Talks to the chip of a product, on whichever port it is."""

    def __init__(self, host: Any) -> None:
        self.host = on(host)
        self.port = host.device.work_port

    def ask(self, frame: bytes | str, seconds: float = 0.05) -> str:
        return str(self.host.ask(frame, seconds, self.port))

    def send(self, frame: bytes | str) -> None:
        self.host.send(frame, self.port)

    def mining(self, hash_count: str = "000c2fb7", pll: str = "40a80230") -> "Chip":
        """The registers without which a chip reports nothing."""
        for body in (
            "510900a4" + "9000ffff",
            "51090018" + "f000c100",
            "5109003c" + "800082aa",
            "51090008" + pll,
            "51090010" + hash_count,
        ):
            self.ask(command(body), 0.01)
        return self


GAMMA_BRING_UP = """
55AA510900A8000700000 3 55AA51090018F000C10004 55AA53050000 03 55AA40050000 1C 55AA5109003C80008B0012
55AA5109003C8000800C11 55AA51090014000000FF08 55AA510900580001111 10D 55AA410900A8000701F015 55AA41090018F000C1000C
55AA4109003C80008B001A 55AA4109003C8000800C19 55AA4109003C800082AA05 55AA510900B9000044800D 55AA510900540000000218
55AA510900B9000044800D 55AA5109003C80008DEE1B 55AA5109001000001EB50F
"""
ULTRA_BRING_UP = """
55AA510900A80007000003 55AA51090018FF0FC10000 55AA5305000003 55AA400500001C 55AA5109003C800085400C
55AA5109003C8000802019 55AA51090014000000FF08 55AA510900540000000 31D 55AA510900580211111106 55AA4109002C007C000303
55AA410900A8000701F015 55AA41090018F000C1000C 55AA4109003C8000854004 55AA4109003C8000802011 55AA4109003C800082AA05
55AA51090010000 0151C02 55AA510900A49000FFFF1C
"""
A1_BRING_UP = """
55AA5305000003 55AA400500001C 55AA5109003C800085400C 55AA5109003C8000800805 55AA510900540000000 31D
55AA510900580001111 10D 55AA410900A80000000203 55AA41090018B000C1001C 55AA4109003C8000854004 55AA4109003C800080080D
55AA4109003C800082AA05 55AA51090010000012C91E
"""


class TestBringUp:
    @pytest.mark.parametrize(
        ("kind", "nine", "eleven"),
        [
            ("compac-a1", "aa551362030000000d", "aa55136203000000000000"[:20] + "1e"),
            ("bitaxe-ultra", "aa551366000000000c", "aa5513660000000000000" + "5"),
            ("bitaxe-supra", "aa5513680000000014", "aa551368000000000000" + "0f"),
            ("bitaxe-gamma", "aa5513700000000006", "aa551370000000000000" + "10"),
        ],
    )
    def test_ids_before_and_after_version_rolling(self, plug: Plug, kind: str, nine: str, eleven: str) -> None:
        chip = Chip(plug(kind))
        assert chip.ask("55aa520500000a") == nine
        chip.ask("55aa510900a49000ffff1c")
        assert chip.ask("55aa520500000a").startswith(eleven[:-2])
        assert len(chip.ask("55aa520500000a")) == 22

    @pytest.mark.parametrize(
        ("kind", "frames"),
        [("bitaxe-gamma", GAMMA_BRING_UP), ("bitaxe-ultra", ULTRA_BRING_UP), ("compac-a1", A1_BRING_UP)],
    )
    def test_every_frame_of_the_tables_is_understood(self, plug: Plug, kind: str, frames: str) -> None:
        chip = Chip(plug(kind))
        chip.ask("55aa510900a49000ffff1c")
        chip.ask("55aa520500000a")
        before = chip.host.device.counts.commands
        wanted = [part for part in "".join(frames.split()).upper().split("55AA") if part]
        for frame in wanted:
            chip.ask("55AA" + frame, 0.01)
        device = chip.host.device
        assert device.counts.bad_frames == 0
        assert device.counts.commands - before == len(wanted)
        [bm] = device.chain
        assert bm.addressed
        assert device.may_report(bm)

    def test_pll_words(self, plug: Plug) -> None:
        chip = Chip(plug("bitaxe-gamma"))
        for word, mhz in (
            ("40bd0265", 56.25),
            ("40af0264", 62.5),
            ("50d20265", 62.5),
            ("40a80263", 75),
            ("50c20240", 485),
            ("40a00230", 500),
            ("40a80230", 525),
            ("50c00230", 600),
            ("40900220", 600),
        ):
            chip.ask(command("51090008" + word))
            assert chip.host.device.mhz(chip.host.device.chain[0]) == mhz
        assert chip.ask(command("52050008"))[4:12] == "c0900220"

    def test_baud_rate(self, plug: Plug) -> None:
        chip = Chip(plug("bitaxe-gamma"))
        chip.host.baud["data"] = 115200
        chip.ask("55aa51090028113002000" + "3")
        assert chip.host.device.uarts["data"].baud == 1_041_667
        assert chip.ask("55aa520500000a") == ""
        chip.host.baud["data"] = 1_000_000
        assert chip.ask("55aa520500000a") == "aa5513700000000006"
        chip.host.ask("07000000060000", port="control")
        chip.host.ask("07000000060001", port="control")
        chip.host.baud["data"] = 115200
        assert chip.ask("55aa520500000a") == "aa5513700000000006"


class TestResults:
    def test_vector_a_is_job_frame_of_a_real_gamma(self) -> None:
        assert crc16(JOB_A[2:-2]) == int.from_bytes(JOB_A[-2:], "big") == 0x721C

    def test_vector_a(self, plug: Plug) -> None:
        chip = Chip(plug("bitaxe-gamma")).mining("00001eb5")
        chip.ask(command("51090014" + "000000ff"))
        assert chip.ask(JOB_A, 0.1) == "aa554c0352750c d205a29c".replace(" ", "")

    @pytest.mark.parametrize("length", [0x36, 0x56, 0xFF])
    def test_length_byte_of_jobs_means_nothing(self, plug: Plug, length: int) -> None:
        chip = Chip(plug("bitaxe-gamma")).mining("00001eb5")
        assert chip.ask(with_job_id(JOB_A, 0x68, length), 0.1)[:12] == "aa554c035275"

    @pytest.mark.parametrize(
        ("kind", "job_id", "result", "frame_crc"),
        [("bitaxe-ultra", 0x10, 0x12, 0x887F), ("bitaxe-supra", 0x18, 0x32, 0x6995)],
    )
    def test_the_same_share_by_other_chips(
        self, plug: Plug, kind: str, job_id: int, result: int, frame_crc: int
    ) -> None:
        chip = Chip(plug(kind)).mining("0000151c")
        chip.ask(command("51090014" + "000000ff"))
        frame = with_job_id(JOB_A, job_id)
        assert int.from_bytes(frame[-2:], "big") == frame_crc
        answer = bytes.fromhex(chip.ask(frame, 2))
        assert answer.hex()[:14] == "aa554c0352750c"
        assert answer[7] == result
        assert answer[8:10].hex() == "05a2"
        assert crc5(answer[2:]) == 0

    def test_vector_d_has_a_block(self, plug: Plug) -> None:
        chip = Chip(plug("bitaxe-ultra")).mining("0000151c")
        chip.ask(command("51090014" + "000080ff"))
        chip.send(JOB_D)
        heard = [item.data for item in chip.host.wait(10)]
        assert [data[2:6].hex() for data in heard] == [
            "ae1e88c5",
            "17f73725",
            "538295e3",
            "cf86e3b9",
            "178560d2",
            "cb800c1e",
        ]
        assert heard[4][7:10].hex() == "0b54b3"

    def test_ticket_mask_of_8192_leaves_two_of_six(self, plug: Plug) -> None:
        chip = Chip(plug("bitaxe-ultra")).mining("0000151c")
        chip.ask(command("51090014" + "0000f8ff"))
        chip.send(JOB_D)
        assert [item.data[2:6].hex() for item in chip.host.wait(10)] == ["538295e3", "178560d2"]


class TestSearching:
    @pytest.mark.parametrize("kind", ["compac-a1", "bitaxe-ultra", "bitaxe-supra", "bitaxe-gamma"])
    def test_results_are_solutions(self, plug: Plug, kind: str) -> None:
        host = plug(kind, hash_rate=4e6, nonce_difficulty=EASY)
        usual = {"compac-a1": "40c00231", "bitaxe-ultra": "50c20240", "bitaxe-supra": "50c40240"}
        chip = Chip(host).mining(hash_count="00000005", pll=usual.get(kind, "40a80230"))
        job = with_job_id(JOB_A, 0x18)
        chip.send(job)
        heard = [item.data for item in host.wait(1)]
        assert 30 < len(heard) < 100  # 61 expected
        rolled = set()
        for data in heard:
            version = 0x20000000 | int.from_bytes(data[8:10], "big") << 13
            rolled.add(version)
            header = version.to_bytes(4, "little") + HEADER_A[4:76] + data[2:6]
            digest = sha256(sha256(header).digest()).digest()
            assert int.from_bytes(digest, "little") <= (0xFFFF << 208) / EASY
            five_bits = kind in ("compac-a1", "bitaxe-ultra")
            assert data[7] == (0x18 | data[9] & 7 if five_bits else 0x30 | data[9] & 15)
        assert len(rolled) > 1
        assert len({data[2] >> 1 for data in heard}) > 5  # cores

    def test_mask_of_the_pool_is_kept(self, plug: Plug) -> None:
        host = plug("bitaxe-gamma", hash_rate=4e6, nonce_difficulty=EASY)
        chip = Chip(host).mining(hash_count="00000040")
        chip.ask(command("510900a4" + "9000" + "0105"))
        chip.send(with_job_id(JOB_A, 0x18))
        heard = {int.from_bytes(item.data[8:10], "big") for item in host.wait(2)}
        assert len(heard) > 3
        assert all(value & ~0x0105 == 0 for value in heard)

    @pytest.mark.parametrize(
        "missing",
        ["51090018" + "0000c100", "51090010" + "00000000", "5109003c" + "80008200"],
        ids=["18", "10", "core 2"],
    )
    def test_nothing_is_reported_without(self, plug: Plug, missing: str) -> None:
        host = plug("bitaxe-gamma", hash_rate=4e6, nonce_difficulty=EASY)
        chip = Chip(host).mining()
        chip.ask(command(missing))
        chip.send(with_job_id(JOB_A, 0x18))
        assert host.wait(1) == []

    def test_stopping_the_count_stops_a_job(self, plug: Plug) -> None:
        host = plug("bitaxe-gamma", hash_rate=4e6, nonce_difficulty=EASY)
        chip = Chip(host).mining()
        chip.send(with_job_id(JOB_A, 0x18))
        assert host.wait(1)
        chip.ask(command("51090010" + "00000000"), 0.02)
        assert host.wait(1) == []

    def test_rate_follows_the_clock(self, plug: Plug) -> None:
        host = plug("bitaxe-gamma", hash_rate=2e6)
        chip = Chip(host).mining()
        chip.send(with_job_id(JOB_A, 0x18))
        host.wait(0.1)
        before = host.device.hashes(host.now)
        host.wait(1)
        assert host.device.hashes(host.now) - before == pytest.approx(2e6)
        chip.ask(command("51090008" + "40a80263"), 0)  # 75 MHz
        host.wait(0.1)
        before = host.device.hashes(host.now)
        host.wait(1)
        assert host.device.hashes(host.now) - before == pytest.approx(2e6 / 7)


HEADER_A = bytes.fromhex(
    "00000020fd55646bc162b96dfcd4f201a3f4670d1d3996bc96520100000000000000000006ddf5f08c36414b95ea54db71a0c287"
    "61a98bcf6355919e044f88725519a7cbd7685468043a0217"
)

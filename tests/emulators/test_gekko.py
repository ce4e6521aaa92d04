"""BM1384, BM1387 and BM1397 as GekkoScience's sticks have them: vectors of docs/reference/asic.md#test-vectors in,
frames out."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.emulators.crc import crc5, crc16
from stratum_miner.emulators.frames import FrameParser, full_job_size, midstate_job_size

Plug = Callable[..., Any]
EASY = 2**-16
UNKNOWN_TAIL = bytes(range(100, 112))
TAIL_J = "043a0217df1b2266224b2765"
MIDSTATE_J = "2adbda59a7ada12cf81268a6a5ca279d15ad7820bc878e826493fa83e4e65bc3"
JOB_J = "2136100100000000" + TAIL_J + MIDSTATE_J + "2e27"
JOB_J_1397 = "55aa2136040100000000" + TAIL_J + MIDSTATE_J + "50be"


def four(body: str) -> bytes:
    """A BM1384 command."""
    data = bytes.fromhex(body)
    return data + bytes([crc5(data + b"\0", 27)])


def command(body: str, preamble: str = "55aa") -> bytes:
    data = bytes.fromhex(body)
    return bytes.fromhex(preamble) + data + bytes([crc5(data)])


def job(job_id: int, midstates: list[bytes], tail: bytes = UNKNOWN_TAIL, preamble: str = "", start: int = 0) -> bytes:
    body = bytes([0x21, 22 + 32 * len(midstates), job_id, len(midstates)]) + start.to_bytes(4, "big") + tail
    body += b"".join(midstates)
    return bytes.fromhex(preamble) + body + crc16(body).to_bytes(2, "big")


def is_sealed(reply: bytes) -> bool:
    """CRC5 over a reply and its last byte is zero (docs/reference/asic.md#replies-of-a-chip)."""
    return crc5(reply) == 0


class TestBm1384:
    def test_counts_and_addresses(self, plug: Plug) -> None:
        host = plug("2pac")
        assert host.ask("84000011") == "1384000013" * 2
        host.ask("8500000f")
        host.send("01000019")
        host.wait(0.001)
        host.send("01800016")
        host.wait(0.1)
        assert [chip.address for chip in host.device.chain] == [0, 0x80]
        assert host.ask(four("048000")) == "1384000013"
        assert host.ask(four("044000")) == ""

    def test_clock(self, plug: Plug) -> None:
        host = plug("compac")
        host.ask("820b8319")
        assert host.device.mhz == 150
        answer = bytes.fromhex(host.ask(four("840004")))
        assert answer[:4] == bytes([0x80, 0x0B83 >> 7, 0x0B83 >> 2 & 31, 3])
        m, n, od = answer[1:4]
        assert 6.25 * (m + 1) / ((1 + n) & 15) * 2 ** (3 - od) == 150

    @pytest.mark.parametrize(
        ("mhz", "word"),
        [(100, 0x783), (125, 0x983), (200, 0x782), (300, 0xB82), (400, 0xF82), (425, 0x801), (500, 0x981)],
    )
    def test_clock_words(self, plug: Plug, mhz: int, word: int) -> None:
        host = plug("compac")
        host.ask(four(f"82{word:04x}"))
        assert host.device.mhz == mhz

    def test_a_command_right_before_work_is_not_taken_for_work(self, plug: Plug) -> None:
        host = plug("compac")
        work = bytes.fromhex(MIDSTATE_J) + bytes(19) + b"\x11" + bytes.fromhex(TAIL_J)
        host.send(bytes.fromhex("820b8319") + work)
        [first, *_] = host.wait(0.2)
        assert first.data.hex() == "0faed94291"
        assert (host.device.counts.works, host.device.counts.commands) == (1, 1)

    def test_cores_open_in_silence(self, plug: Plug) -> None:
        host = plug("compac", hash_rate=2e6, nonce_difficulty=EASY)
        for core in range(57):
            frame = bytearray(64)
            frame[51] = core % 32
            assert host.ask(bytes(frame), 0.01) == ""
        assert host.wait(1) == []

    def test_each_chip_sweeps_its_part(self, plug: Plug) -> None:
        host = plug("2pac", hash_rate=2e6, nonce_difficulty=EASY)
        host.ask(four("82" + "0783"))
        for frame in ("8500000f", "01000019", "01800016"):
            host.ask(frame, 0.01)
        work = bytearray(bytes(range(40)) + (0xFFFFFFFF // 2).to_bytes(4, "big") + bytes(20))
        work[51] = 0x1F
        work[39] = 0
        host.send(bytes(work))
        heard = [item.data for item in host.wait(1)]
        assert {data[4] for data in heard} == {0x9F}
        assert {data[0] >> 7 for data in heard} == {0, 1}
        assert host.device.hashes(host.now) == pytest.approx(2e6, rel=0.02)

    def test_bfgminer_detects_it(self, plug: Plug) -> None:
        golden = "4679ba4ec99876bf4bfe086082b400254df6c356451471139a3afa71e48f544a" + "00" * 20
        assert plug("compac").ask(golden + "87320b1a1426674f2fa722ce") == "000187a280"


class TestBm1387:
    def test_counts(self, plug: Plug) -> None:
        assert plug("newpac").ask("5405000019") == "13879000000007" * 2
        assert plug("r606").ask("5405000019", 0.2) == "13879000000007" * 12

    def test_addresses_and_clock(self, plug: Plug) -> None:
        host = plug("newpac")
        for _ in range(3):
            host.ask("5505000010", 0.005)
        host.ask("4105000015", 0.005)
        host.ask("4105800019", 0.005)
        assert [chip.address for chip in host.device.chain] == [0, 0x80]
        host.ask("5809000c005002410c")
        assert [host.device.mhz(chip) for chip in host.device.chain] == [250, 250]
        answer = bytes.fromhex(host.ask("440500" + "0c04"))
        assert answer[:6].hex() == "805002410000"
        assert is_sealed(answer)

    def test_open_core_work_finds_its_two_nonces(self, plug: Plug) -> None:
        host = plug("newpac", chips=1)
        work = "2136000100000000" + "ff" * 12 + "00" * 32 + "5fd3"
        replies = bytes.fromhex(host.ask(work, 2))
        assert [replies[at : at + 4].hex() for at in (0, 7)] == ["7203ea83", "e16bf809"]

    def test_corpus(self, plug: Plug) -> None:
        host = plug("newpac", chips=1)
        host.send(JOB_J)
        replies = [item.data for item in host.wait(2)]
        assert replies[0].hex() == "0faed94200108b"
        assert [data[:4].hex() for data in replies] == ["0faed942", "5959e6eb", "b5f5c643"]
        assert all(is_sealed(data) for data in replies)

    def test_baud_rate_changes_on_command(self, plug: Plug) -> None:
        host = plug("newpac")
        host.baud[""] = 115200
        host.ask("5809001c002001001b")
        assert host.ask("5405000019") == ""
        host.baud[""] = 1_500_000
        assert host.ask("5405000019") == "13879000000007" * 2
        host.device.port_closed("", host.now)
        assert host.ask("5405000019") == ""
        host.baud[""] = 115200
        assert host.ask("5405000019") == "13879000000007" * 2

    def test_four_midstates_side_by_side(self, plug: Plug) -> None:
        host = plug("newpac", hash_rate=4e6, nonce_difficulty=EASY)
        host.ask(command("5809000c00200241", ""))
        midstates = [bytes([index]) * 32 for index in range(4)]
        host.send(job(0x20, midstates))
        heard = [item.data for item in host.wait(1)]
        assert len(heard) > 30
        assert {data[5] for data in heard} == {0x20, 0x21, 0x22, 0x23}
        assert {data[0] >> 7 for data in heard} == {0, 1}
        assert host.device.hashes(host.now) == pytest.approx(4e6, rel=0.02)

    def test_first_byte_of_a_nonce_tells_the_chip(self, plug: Plug) -> None:
        host = plug("r606", hash_rate=4e6, nonce_difficulty=EASY)
        host.ask(command("5809000c00580221", ""), 0.01)
        host.send(job(0x20, [bytes([index]) * 32 for index in range(2)]))
        found = [item.data[0] * 12 >> 8 for item in host.wait(4)]
        assert all(found.count(chip) > 5 for chip in range(12))

    def test_dead_chip_is_missing_in_the_count(self, plug: Plug) -> None:
        host = plug("r606", faults=["dead-chip=3@1"])
        assert len(host.ask("5405000019", 0.5)) == 12 * 14
        host.wait(1)
        assert len(host.ask("5405000019", 0.5)) == 11 * 14
        assert host.device.faults.injected == {"dead-chip": 1}


class TestBm1397:
    def test_bring_up_frames_are_understood(self, plug: Plug) -> None:
        host = plug("compac-f")
        assert host.ask("55aa52050000" + "0a") == "aa5513971800000006"[:18]
        for frame in (
            "55aa530500000355aa530500000355aa5305000003",
            "55aa40050000" + "1c",
            "55aa510900800000000" + "01c",
            "55aa5109008400000000" + "11",
            "55aa5109002000000001" + "02",
            "55aa5109003c80008074" + "10",
            "55aa5109001400000" + "0fc07",
            "55aa51090068c0700111" + "00",
            "55aa5109002806" + "00000f18",
            "55aa510900700f0f0f00" + "19",
            "55aa5109000840a0022516",
        ):
            host.ask(frame, 0.01)
        device = host.device
        [chip] = device.chain
        assert device.counts.bad_frames == 0
        assert device.ticket(chip) == 6
        assert device.mhz(chip) == 200
        assert chip.registers[0x3C] == 0x80008074
        answer = bytes.fromhex(host.ask("55aa52050008" + "07"))
        assert answer[:8].hex() == "aa55c0a002250008"
        assert is_sealed(answer[2:])
        host.ask("55aa51090018000061311c", 0.01)
        assert device.uarts[""].baud == 1_562_500
        host.ask("55aa5109001800007a3115", 0.01)
        assert device.uarts[""].baud == 115_741

    @pytest.mark.parametrize(("frame", "mhz"), [("40440221", 425), ("40480221", 450), ("40f00235", 200)])
    def test_clock_words(self, plug: Plug, frame: str, mhz: float) -> None:
        host = plug("compac-f")
        host.ask(command("51090008" + frame))
        assert host.device.mhz(host.device.chain[0]) == mhz

    def test_corpus(self, plug: Plug) -> None:
        host = plug("compac-f")
        host.send(JOB_J_1397)
        [first, *_] = host.wait(2)
        assert first.data.hex() == "aa550faed942000494"

    def test_self_test_job_of_a_bitaxe(self, plug: Plug) -> None:
        """Vector F: its start nonce is the answer, with the third midstate."""
        host = plug("compac-f")
        midstate = bytes.fromhex("7E027035B1ACBAF23EA01A527344FAF76AB476D328216118B7760F7B1B22D229")
        body = (
            bytes.fromhex("219618049B044C0A" + "3AAE0517" + "A0847364" + "50E37161") + bytes(64) + midstate + bytes(32)
        )
        assert crc16(body) == 0x76F9
        assert host.ask(b"\x55\xaa" + body + b"\x76\xf9") == "aa559b044c0a001a94"

    def test_ticket_mask_leaves_the_hard_ones(self, plug: Plug) -> None:
        counts = []
        for ticket in ("00000000", "000000e0"):
            host = plug("compac-f", hash_rate=4e6, nonce_difficulty=EASY)
            host.ask(command("51090008" + "40f00235"))
            host.ask(command("51090014" + ticket))
            host.send(job(0x10, [bytes(range(32))], preamble="55aa"))
            counts.append(len(host.wait(2)))
        assert 80 < counts[0] < 170  # 122 expected
        assert 3 < counts[1] < 30  # an eighth of that

    def test_reply_says_job_and_midstate(self, plug: Plug) -> None:
        host = plug("compac-f", hash_rate=4e6, nonce_difficulty=EASY)
        host.ask(command("51090008" + "40f00235"))
        host.send(job(0x7C, [bytes([index]) * 32 for index in range(4)], preamble="55aa"))
        heard = [item.data for item in host.wait(1)]
        assert {data[7] for data in heard} == {0x7C, 0x7D, 0x7E, 0x7F}
        assert all(is_sealed(data[2:]) and data[:2] == b"\xaa\x55" for data in heard)

    def test_unused_slots_are_not_searched(self, plug: Plug) -> None:
        host = plug("compac-f", hash_rate=4e6, nonce_difficulty=EASY)
        host.ask(command("51090008" + "40f00235"))
        frame = bytearray(job(4, [bytes(range(32)), bytes(32), bytes(32), bytes(32)]))
        frame[3] = 1
        frame[-2:] = crc16(bytes(frame[:-2])).to_bytes(2, "big")
        host.send(b"\x55\xaa" + bytes(frame))
        assert {item.data[7] for item in host.wait(1)} == {4}

    def test_wrong_chip_id(self, plug: Plug) -> None:
        answer = bytes.fromhex(plug("compac-f", faults=["wrong-chip-id"]).ask("55aa520500000a"))
        assert answer[2:4] != bytes.fromhex("1397")
        assert is_sealed(answer[2:])


def frames_of(data: bytes, preamble: bytes = b"\x55\xaa") -> tuple[list[bytes], FrameParser]:
    parser = FrameParser(preamble, midstate_job_size)
    return list(parser.feed(data)), parser


good_frames = st.sampled_from(
    [bytes.fromhex("55aa520500000a"), bytes.fromhex("55aa51090014000000ff08"), bytes.fromhex(JOB_J_1397)]
)


class TestFrames:
    @settings(deadline=None)
    @given(frames=st.lists(good_frames, max_size=6), cut=st.integers(0, 300))
    def test_in_pieces_as_in_one(self, frames: list[bytes], cut: int) -> None:
        whole = b"".join(frames)
        parser = FrameParser(b"\x55\xaa", midstate_job_size)
        found = [*parser.feed(whole[:cut]), *parser.feed(whole[cut:])]
        assert found == [frame[2:] for frame in frames]
        assert parser.bad == 0

    @settings(deadline=None)
    @given(frames=st.lists(good_frames, max_size=4))
    def test_byte_by_byte(self, frames: list[bytes]) -> None:
        parser = FrameParser(b"\x55\xaa", midstate_job_size)
        found = [frame for byte in b"".join(frames) for frame in parser.feed(bytes([byte]))]
        assert found == [frame[2:] for frame in frames]

    @settings(deadline=None)
    @given(noise=st.binary(max_size=40), frame=good_frames)
    def test_a_frame_is_found_after_noise_and_a_pause(self, noise: bytes, frame: bytes) -> None:
        parser = FrameParser(b"\x55\xaa", midstate_job_size)
        list(parser.feed(noise))
        parser.forget()
        assert list(parser.feed(frame)) == [frame[2:]]

    @settings(deadline=None)
    @given(frame=good_frames, bit=st.integers(0, 10_000))
    def test_a_flipped_bit_is_never_believed(self, frame: bytes, bit: int) -> None:
        damaged = bytearray(frame)
        damaged[bit // 8 % len(frame)] ^= 1 << bit % 8
        found, _ = frames_of(bytes(damaged))
        assert frame[2:] not in found

    @settings(deadline=None)
    @given(st.binary(max_size=400), st.sampled_from([b"", b"\x55\xaa"]), st.booleans())
    def test_anything_ends(self, data: bytes, preamble: bytes, full: bool) -> None:
        parser = FrameParser(preamble, full_job_size if full else midstate_job_size)
        found = list(parser.feed(data))
        assert all(len(frame) >= 5 and preamble + frame in data for frame in found)
        assert sum(map(len, found)) <= len(data)
        parser.forget()
        command = bytes.fromhex("5305000003")
        assert list(parser.feed(preamble + command)) == [command]

    def test_malformed_frame_of_a_real_driver(self) -> None:
        """kanoi's cgminer sends a BM1370 a frame whose length is wrong
        (docs/reference/asic.md#commands-to-a-chip)."""
        found, parser = frames_of(bytes.fromhex("55aa53050018f000c10002" + "55aa5305000003"))
        assert found == [bytes.fromhex("5305000003")]
        assert parser.bad == 1

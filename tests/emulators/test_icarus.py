"""Icarus, Block Erupter and Antminer U1: frames of docs/reference/asic.md in, frames and times out."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.emulators import known_work
from stratum_miner.emulators.antminer import AntminerU1Device, checksum_fits, clock_mhz
from stratum_miner.emulators.icarus import midstate_from_wire, tail_from_wire

FILLER = "00" * 20
GOLDEN = "4679ba4ec99876bf4bfe086082b400254df6c356451471139a3afa71e48f544a" + FILLER + "87320b1a1426674f2fa722ce"
PROBE = "2e4c8f91fd595d2d7ea20aaacb64a2a04382860277cf26b6a1ee04c56a5b504a" + FILLER + "6461011ac906a951fb9b3c73"
TAIL_J = FILLER + "043a0217df1b2266"
CORPUS = {
    1: "9f2c265eaafb3036704daabca7124e2d63e4a31e7adce7dbd0404a179d34bf2d" + TAIL_J + "61c0308a",
    2: "2adbda59a7ada12cf81268a6a5ca279d15ad7820bc878e826493fa83e4e65bc3" + TAIL_J + "224b2765",
    3: "7a248970c46e0f598a29423cf351965d01f8b9dc0b396ee5e7f50ae473ddd804" + TAIL_J + "afe85946",
    4: "605fbdb62e166dd0c4c7c7aa35859080a712ee4963e115bb8c55c5760ad59e7a" + TAIL_J + "6a7f5490",
}
BYTE = 10 / 115200
ERUPTER_S = 2.9761e-9
"""Per hash."""
EASY = 2**-16
"""One nonce in 65 536 hashes."""
UNKNOWN = bytes(range(64))
Plug = Callable[..., Any]


def meets(midstate_work: bytes, nonce: bytes, difficulty: float) -> bool:
    """Whether a nonce of unknown work is right, by a header that has the work's tail and an own SHA-256 state."""
    kernel = known_work_check(midstate_work, nonce)
    return kernel <= (0xFFFF << 208) / difficulty


def known_work_check(work: bytes, nonce: bytes) -> int:
    """The hash as a number, from midstate and tail, computed by a plain SHA-256 of the second block."""
    midstate = midstate_from_wire(work[:32])
    block = tail_from_wire(work[52:64]) + nonce + b"\x80" + bytes(45) + (640).to_bytes(2, "big")
    return int.from_bytes(sha256(compress(midstate, block)).digest(), "little")


def compress(state: bytes, block: bytes) -> bytes:
    """SHA-256's compression function as in FIPS 180-4."""
    words = [int.from_bytes(block[at : at + 4], "big") for at in range(0, 64, 4)]
    for t in range(16, 64):
        x, y = words[t - 15], words[t - 2]
        low = rotated(x, 7) ^ rotated(x, 18) ^ x >> 3
        high = rotated(y, 17) ^ rotated(y, 19) ^ y >> 10
        words.append((words[t - 16] + low + words[t - 7] + high) % 2**32)
    start = [int.from_bytes(state[at : at + 4], "big") for at in range(0, 32, 4)]
    a, b, c, d, e, f, g, h = start
    for constant, word in zip(CONSTANTS, words, strict=True):
        one = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + (e & f ^ ~e & g) + constant + word
        two = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (one + two) % 2**32, a, b, c, (d + one) % 2**32, e, f, g
    added = zip(start, (a, b, c, d, e, f, g, h), strict=True)
    return b"".join(((x + y) % 2**32).to_bytes(4, "big") for x, y in added)


def rotated(x: int, n: int) -> int:
    return (x >> n | x << 32 - n) % 2**32


def cube_root_bits(prime: int) -> int:
    """The first 32 bits of the fraction of a cube root."""
    scaled, root = prime << 96, 1 << 36
    low, high = 0, root
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= scaled else (low, middle - 1)
    return low % 2**32


PRIMES = [n for n in range(2, 312) if all(n % d for d in range(2, n))]
CONSTANTS = [cube_root_bits(prime) for prime in PRIMES[:64]]


class TestDetection:
    def test_erupter_answers_the_golden_work_once_in_its_time(self, plug: Plug) -> None:
        host = plug("erupter")
        host.send(GOLDEN)
        [answer] = host.wait(20)
        assert answer.data.hex() == "000187a2"
        assert answer.at == pytest.approx(64 * BYTE + 0x187A3 * ERUPTER_S + 4 * BYTE, abs=1e-6)

    @pytest.mark.parametrize(
        ("engines", "answer", "offset"),
        [
            (1, "04c0fdb4", 0x04C0FDB4),
            (2, "82540e46", 0x02540E46),
            (4, "417c0f36", 0x017C0F36),
            (8, "60c994d5", 0x00C994D5),
        ],
    )
    def test_icarus_tells_its_engines_by_what_they_find_first(
        self, plug: Plug, engines: int, answer: str, offset: int
    ) -> None:
        host = plug("icarus", chips=engines)
        host.send(PROBE)
        [heard] = host.wait(20)
        assert heard.data.hex() == answer
        seconds = (offset + 1) * engines * 2.6316e-9
        assert heard.at == pytest.approx(68 * BYTE + seconds, abs=1e-6)

    def test_erupter_continues_after_the_probe(self, plug: Plug) -> None:
        host = plug("erupter")
        assert host.ask(PROBE, 13) == "04c0fdb4417c0f3660c994d582540e46"

    def test_antminer_answers_five_bytes(self, plug: Plug) -> None:
        assert plug("antminer-u1").ask(GOLDEN) == "000187a280"

    def test_a_device_that_is_something_else(self, plug: Plug) -> None:
        answer = plug("erupter", faults=["wrong-chip-id"]).ask(GOLDEN)
        assert len(answer) == 8
        assert answer != "000187a2"


class TestCorpus:
    """Difficulty 1 at the true bound, in the true time."""

    @pytest.mark.parametrize(
        ("work", "nonces"), [(1, []), (2, ["0faed942", "5959e6eb", "b5f5c643"]), (3, []), (4, ["6544b836"])]
    )
    def test_all_nonces_of_a_range(self, plug: Plug, work: int, nonces: list[str]) -> None:
        host = plug("erupter")
        host.send(CORPUS[work])
        heard = host.wait(13)
        assert [item.data.hex() for item in heard] == nonces
        for item in heard:
            counter = int.from_bytes(item.data, "big")
            assert item.at == pytest.approx(68 * BYTE + (counter + 1) * ERUPTER_S, abs=1e-6)

    def test_every_known_nonce_is_a_solution(self) -> None:
        counts = []
        for work in (GOLDEN, PROBE, *CORPUS.values(), "00" * 32 + FILLER + "ff" * 12):
            frame = bytes.fromhex(work)
            nonces = known_work.known_nonces(frame[:32], frame[52:])
            assert nonces is not None
            assert all(known_work_check(frame, nonce.to_bytes(4, "big")) < 1 << 224 for nonce in nonces)
            counts.append(len(nonces))
        assert counts == [1, 4, 0, 3, 0, 1, 2]
        assert known_work.known_nonces(bytes(32), b"\xfe" * 12) is None

    def test_an_icarus_stops_after_the_first(self, plug: Plug) -> None:
        assert plug("icarus", chips=1).ask(CORPUS[2], 13) == "0faed942"


class TestSearching:
    def test_finds_what_the_counter_passes_when_it_passes_it(self, plug: Plug) -> None:
        host = plug("erupter", hash_rate=2e6, nonce_difficulty=EASY)
        host.send(UNKNOWN)
        heard = host.wait(1)
        assert 15 < len(heard) < 60  # 30 expected
        counters = [int.from_bytes(item.data, "big") for item in heard]
        assert counters == sorted(counters)
        for item, counter in zip(heard, counters, strict=True):
            assert meets(UNKNOWN, item.data, EASY)
            assert item.at == pytest.approx(68 * BYTE + (counter + 1) / 2e6, abs=4 * BYTE)
        assert host.device.hashes(host.now) == pytest.approx(2e6 * (1 - 64 * BYTE))

    def test_none_is_missing(self, plug: Plug) -> None:
        host = plug("erupter", hash_rate=1e4, nonce_difficulty=2**-26)
        host.send(UNKNOWN)
        heard = {item.data for item in host.wait(0.1)}
        passed = int(1e4 * (0.1 - 68 * BYTE)) - 1
        expected = {n.to_bytes(4, "big") for n in range(passed) if meets(UNKNOWN, n.to_bytes(4, "big"), 2**-26)}
        assert expected <= heard
        assert len(heard) <= len(expected) + 3

    def test_new_work_ends_the_old_at_once(self, plug: Plug) -> None:
        host = plug("erupter", hash_rate=2e6, nonce_difficulty=EASY)
        host.send(UNKNOWN)
        host.wait(0.5)
        host.send(CORPUS[1])
        late = host.wait(2)
        assert all(item.at < 0.5 + 68 * BYTE for item in late)
        assert host.device.counts.works == 2

    def test_an_icarus_is_idle_after_one_nonce_until_new_work(self, plug: Plug) -> None:
        host = plug("icarus", hash_rate=2e6, nonce_difficulty=EASY)
        host.send(UNKNOWN)
        [first] = host.wait(3)
        before = host.device.hashes(host.now)
        assert host.wait(3) == []
        assert host.device.hashes(host.now) == before
        assert before == pytest.approx((first.at - 68 * BYTE) * 2e6, abs=10)
        assert len(host.ask(bytes(reversed(UNKNOWN)), 3)) == 8

    def test_engines_sweep_their_parts_at_the_same_time(self, plug: Plug) -> None:
        host = plug("icarus", chips=4, hash_rate=2e6, nonce_difficulty=EASY)
        seen = set()
        for number in range(16):
            work = bytes([number]) + UNKNOWN[1:]
            host.send(work)
            [item] = host.wait(2, until_bytes=4)
            seen.add(item.data[0] >> 6)
            assert meets(work, item.data, EASY)
        assert len(seen) > 1


class TestFraming:
    def test_work_on_the_wire_changes_nothing_before_its_last_bit(self, plug: Plug) -> None:
        """An Icarus stops at a nonce until then; one nonce in a thousand hashes makes that its usual state."""
        host = plug("icarus", nonce_difficulty=2**-22)
        answered = 0
        for number in range(20):
            for half in range(2):
                host.send(bytes([number, half]) + UNKNOWN[2:])
            answers = host.wait(0.1)
            assert len(answers) <= 2, "at most one for each work"
            answered += len(answers)
        assert answered > 36

    @settings(deadline=None)
    @given(cut=st.integers(1, 63))
    def test_a_frame_in_two_pieces_is_one(self, plug: Plug, cut: int) -> None:
        host = plug("erupter")
        frame = bytes.fromhex(GOLDEN)
        host.send(frame[:cut])
        host.wait(0.02)
        assert host.ask(frame[cut:]) == "000187a2"

    @settings(deadline=None)
    @given(cut=st.integers(1, 63))
    def test_a_frame_cut_short_is_forgotten(self, plug: Plug, cut: int) -> None:
        host = plug("erupter")
        host.send(bytes.fromhex(GOLDEN)[:cut])
        host.wait(0.1)
        assert host.ask(GOLDEN) == "000187a2"
        assert host.device.counts.bad_frames == 1

    @settings(deadline=None)
    @given(noise=st.lists(st.binary(max_size=200), max_size=5))
    def test_noise_neither_breaks_nor_deafens_it(self, plug: Plug, noise: list[bytes]) -> None:
        for kind in ("erupter", "icarus", "antminer-u1"):
            host = plug(kind)
            for piece in noise:
                host.send(piece)
            host.wait(0.1)
            assert host.ask(GOLDEN).startswith("000187a2")

    def test_another_speed_is_garbage_in_both_directions(self, plug: Plug) -> None:
        host = plug("erupter")
        host.baud[""] = 9600
        assert host.ask(GOLDEN) == ""
        host.baud[""] = 115200
        host.wait(1)
        host.send(GOLDEN)
        host.baud[""] = 57600
        [answer] = host.wait(1)
        assert answer.data.hex() != "000187a2"


class TestAntminerCommands:
    def test_clock_words(self) -> None:
        assert clock_mhz(0x0781) == 200
        assert clock_mhz(0x0480) == 250

    def test_setting_the_clock_changes_the_rate(self, plug: Plug) -> None:
        host = plug("antminer-u1", hash_rate=1e6, nonce_difficulty=EASY)
        assert host.ask("82048000") == ""  # a wrong checksum
        assert host.device.mhz == 200
        host.wait(1)
        host.ask(bytes([0x82, 0x04, 0x80, crc27(bytes([0x82, 0x04, 0x80]))]))
        assert host.device.mhz == 250
        assert host.device.counts.commands == 1
        start = host.now
        host.send(UNKNOWN)
        host.wait(1)
        assert host.device.hashes(host.now) == pytest.approx(1.25e6 * (host.now - start - 64 * BYTE), rel=1e-6)

    def test_a_clock_beyond_this_machine_is_as_fast_as_it_can(self, plug: Plug) -> None:
        host = plug("antminer-u1", hash_rate=1e6)
        host.device.searcher.hash_rate = 2e6
        frame = bytes([0x82, 0x3F, 0x80])  # 127 times 25 MHz
        host.ask(frame + bytes([crc27(frame)]))
        assert host.device.mhz > 3000
        host.send(UNKNOWN)
        before = host.device.hashes(host.now)
        host.wait(1)
        assert host.device.hashes(host.now) - before == pytest.approx(1.6e6, rel=0.01)

    def test_captured_command(self, plug: Plug) -> None:
        host = plug("antminer-u1")
        host.ask("82078106", 0.5)
        assert host.device.counts.commands == 1
        assert host.ask(GOLDEN) == "000187a280"

    def test_work_id_comes_back(self, plug: Plug) -> None:
        work = bytearray.fromhex(GOLDEN)
        work[51] = 0x1D
        assert plug("antminer-u1").ask(bytes(work)) == "000187a29d"

    def test_voltage_and_led(self, plug: Plug) -> None:
        host = plug("antminer-u1")
        host.ask("aab750de")
        host.ask("00" * 32 + "80010112")
        device: AntminerU1Device = host.device
        assert (device.counts.commands, device.led_flashes) == (2, 1)

    @settings(deadline=None)
    @given(st.binary(min_size=4, max_size=4))
    def test_checksum_covers_27_bits(self, frame: bytes) -> None:
        if frame[0] != 0xAA:
            assert checksum_fits(frame[:3] + bytes([frame[3] & 0xE0 | crc27(frame)]))


def crc27(frame: bytes) -> int:
    """By polynomial division, for the check: 27 bits, as one number."""
    top = frame[3] & 0xE0 if len(frame) > 3 else 0
    bits = int.from_bytes(frame[:3] + bytes([top]), "big") >> 5
    value = (bits ^ 0x1F << 22) << 5
    for position in range(31, 4, -1):
        if value >> position & 1:
            value ^= 0x25 << position - 5
    return value


class TestFaults:
    def host(self, plug: Plug, *faults: str) -> Any:
        host = plug("erupter", hash_rate=2e6, nonce_difficulty=EASY, faults=faults, seed=7)
        host.send(UNKNOWN)
        return host

    def test_dropped(self, plug: Plug) -> None:
        whole = self.host(plug).wait(2)
        host = self.host(plug, "dropped-nonces=0.5")
        rest = host.wait(2)
        assert len(whole) - len(rest) == host.device.faults.injected["dropped-nonces"] > 5

    def test_duplicated(self, plug: Plug) -> None:
        host = self.host(plug, "duplicate-nonces=0.5")
        data = [item.data for item in host.wait(2)]
        assert len(data) - len(set(data)) == host.device.faults.injected["duplicate-nonces"] > 5

    @pytest.mark.parametrize("name", ["wrong-nonces", "crc-errors"])
    def test_wrong(self, plug: Plug, name: str) -> None:
        host = self.host(plug, f"{name}=0.5")
        wrong = [item for item in host.wait(2) if not meets(UNKNOWN, item.data, EASY)]
        assert len(wrong) == host.device.faults.injected[name] > 5

    def test_garbage(self, plug: Plug) -> None:
        host = self.host(plug, "garbage=0.5")
        long = [item for item in host.wait(2) if len(item.data) > 4]
        assert all(meets(UNKNOWN, item.data[-4:], EASY) for item in long)
        assert len(long) == host.device.faults.injected["garbage"] > 5

    def test_slow(self, plug: Plug) -> None:
        host = self.host(plug, "slow-answers=0.5")
        late = [item for item in host.wait(3) if item.at - int.from_bytes(item.data, "big") / 2e6 > 0.4]
        assert 5 < len(late) <= host.device.faults.injected["slow-answers"]

    def test_silent_chip_takes_work_and_reports_nothing(self, plug: Plug) -> None:
        host = self.host(plug, "silent-chip@0.5+0.5")
        times = [item.at for item in host.wait(2)]
        assert any(at < 0.5 for at in times)
        assert not any(0.51 < at < 1 for at in times)
        assert any(at > 1 for at in times)

    def test_brown_out_forgets_the_work(self, plug: Plug) -> None:
        host = self.host(plug, "brown-out@0.5+0.5")
        assert max(item.at for item in host.wait(2)) < 0.51
        assert host.ask(GOLDEN) == "000187a2"

    def test_nothing_is_heard_during_a_brown_out(self, plug: Plug) -> None:
        host = plug("erupter", faults=["brown-out@0+1"])
        assert host.ask(GOLDEN) == ""
        host.wait(1)
        assert host.ask(GOLDEN) == "000187a2"

    def test_overheating_makes_wrong_then_no_nonces(self, plug: Plug) -> None:
        host = self.host(plug, "overheating@0.5")
        heard = host.wait(8)
        before = [meets(UNKNOWN, item.data, EASY) for item in heard if item.at < 0.5]
        after = [meets(UNKNOWN, item.data, EASY) for item in heard if item.at > 0.51]
        assert before == [True] * len(before) != []
        assert after == [False] * len(after) != []
        assert max(item.at for item in heard) < 5.6

    def test_equal_seeds_damage_equally(self, plug: Plug) -> None:
        faults = ("wrong-nonces=0.3", "garbage=0.3", "dropped-nonces=0.3")
        assert self.host(plug, *faults).wait(1) == self.host(plug, *faults).wait(1)

"""The boards around a chip: requests of bitaxe-raw, regulators, sensors, heat, and the telemetry of a Compac A1."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.emulators.i2c_chips import linear11

Plug = Callable[..., Any]
COUNT = "55aa520500000a"


class Board:
    """Talks to the firmware."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self._next = 0

    def raw(self, frame: str, seconds: float = 0.01) -> str:
        return str(self.host.ask(frame, seconds, "control"))

    def ask(self, page: int, command: int, data: str = "") -> bytes:
        """The data of a successful reply."""
        self._next = (self._next + 1) % 256
        body = bytes([self._next, 0, page, command]) + bytes.fromhex(data)
        self.host.send((2 + len(body)).to_bytes(2, "little") + body, "control")
        [heard] = self.host.wait(0.01)
        length, identifier = int.from_bytes(heard.data[:2], "little"), heard.data[2]
        assert (identifier, length) == (self._next, len(heard.data) - 3)
        return bytes(heard.data[3:])

    def register(self, address: int, register: int, count: int = 1) -> int:
        data = self.ask(5, 0x40, f"{address:02x}{register:02x}{count:02x}")
        return int.from_bytes(data, "little")

    def write(self, address: int, data: str) -> None:
        assert self.ask(5, 0x20, f"{address:02x}{data}") == bytes([len(data) // 2])

    def power(self, volts: float = 1.15) -> "Board":
        self.write(0x24, "21" + round(volts * 512).to_bytes(2, "little").hex())
        self.write(0x24, "0180")
        return self

    def release(self) -> "Board":
        assert self.ask(6, 0, "01") == b"\x01"
        return self

    def count(self) -> str:
        return str(self.host.ask(COUNT, 0.05, "data"))


@pytest.fixture
def gamma(plug: Plug) -> Board:
    return Board(plug("bitaxe-gamma"))


@pytest.fixture
def supra(plug: Plug) -> Board:
    return Board(plug("bitaxe-supra"))


class TestProtocol:
    @pytest.mark.parametrize(
        ("request_frame", "reply"),
        [
            ("07000000060000", "01000000"),
            ("0a00010005 10a0860100", "040001a0860100"),
            ("0900020005404cfe01", "0100025d"),
            ("0900000008 10ff00ff", "030000ff00ff"),
            ("0900030005404cfd01", "01000316"),
            ("060004000600", "01000400"),
        ],
    )
    def test_examples(self, gamma: Board, request_frame: str, reply: str) -> None:
        assert gamma.raw(request_frame.replace(" ", "")) == reply

    def test_errors_carry_their_whole_length(self, gamma: Board) -> None:
        assert gamma.raw("06000700ff00") == "04000711"
        assert gamma.raw("090008000540 33fe01".replace(" ", "")) == "04000810"

    def test_a_length_that_cannot_be(self, gamma: Board) -> None:
        assert gamma.raw("0100") == "0400ff11"
        assert gamma.raw("060004000600") == "01000400"

    def test_half_a_request_is_forgotten_after_four_milliseconds(self, gamma: Board) -> None:
        assert gamma.raw("0700", 0.001) == ""
        assert gamma.raw("0000060000", 0.01) == "01000000"
        assert gamma.raw("0700000006", 0.01) == ""
        assert gamma.raw("060004000600") == "01000400"
        assert gamma.host.device.counts.bad_frames == 1

    def test_requests_are_answered_in_order(self, gamma: Board) -> None:
        assert gamma.raw("060001000600" + "060002000600" + "060003000600") == "01000100" + "01000200" + "01000300"

    @settings(deadline=None)
    @given(data=st.lists(st.binary(max_size=40), max_size=6))
    def test_noise_does_not_deafen_it(self, plug: Plug, data: list[bytes]) -> None:
        board = Board(plug("bitaxe-gamma"))
        for piece in data:
            board.host.send(piece, "control")
            board.host.wait(0.01)
        board.host.wait(0.01)
        assert board.raw("060004000600")[:6] == "010004"

    def test_a_failing_bus(self, plug: Plug) -> None:
        board = Board(plug("bitaxe-gamma", faults=["i2c-errors=1"]))
        assert board.raw("0900020005404cfe01") == "04000210"
        assert board.host.device.faults.injected == {"i2c-errors": 1}


class TestPower:
    def test_chip_needs_voltage_and_release(self, gamma: Board) -> None:
        assert gamma.count() == ""
        gamma.release()
        assert gamma.count() == ""
        gamma.power()
        assert gamma.count() == "aa5513700000000006"

    @pytest.mark.parametrize("off", ["voltage", "reset"])
    def test_chip_forgets_everything_without(self, gamma: Board, off: str) -> None:
        gamma.power().release()
        gamma.host.ask("55aa510900a49000ffff1c", 0.01, "data")
        assert len(gamma.count()) == 22
        if off == "reset":
            gamma.ask(6, 0, "00")
            assert gamma.count() == ""
            gamma.release()
        else:
            gamma.write(0x24, "0100")
            assert gamma.count() == ""
            gamma.write(0x24, "0180")
        assert gamma.count() == "aa5513700000000006"

    def test_tps546(self, gamma: Board) -> None:
        assert gamma.ask(5, 0x40, "24ad07").hex() == "06544954" + "6b2441"
        assert gamma.register(0x24, 0x20) == 0x97
        assert gamma.register(0x24, 0x79, 2) == 0x0040
        gamma.power()
        assert gamma.register(0x24, 0x21, 2) == 0x024D
        assert gamma.register(0x24, 0x8B, 2) == 0x024D
        assert gamma.register(0x24, 0x01) == 0x80
        assert gamma.register(0x24, 0x79, 2) == 0
        assert decoded(gamma.register(0x24, 0x88, 2)) == pytest.approx(5.1, rel=0.01)

    def test_no_more_than_the_maximum(self, gamma: Board) -> None:
        gamma.write(0x24, "24" + (2 * 512).to_bytes(2, "little").hex())
        gamma.power(3.3)
        assert gamma.register(0x24, 0x8B, 2) == 2 * 512

    def test_brown_out_switches_the_regulator_off(self, plug: Plug) -> None:
        board = Board(plug("bitaxe-gamma", faults=["brown-out@1+1"]))
        board.power().release()
        assert board.count()
        board.host.wait(1.2)
        assert board.count() == ""
        assert decoded(board.register(0x24, 0x88, 2)) < 4.5
        assert board.register(0x24, 0x79, 2) & 0x2048 == 0x2048
        board.host.wait(1)
        assert board.count() == ""
        board.write(0x24, "03")
        board.write(0x24, "0180")
        assert board.register(0x24, 0x79, 2) == 0
        assert board.count() == "aa5513700000000006"

    @pytest.mark.parametrize(("code", "volts"), [(0xC6, 1.2), (0xD0, 1.166), (0x90, 1.4)])
    def test_ds4432u(self, supra: Board, code: int, volts: float) -> None:
        supra.write(0x48, f"f8{code:02x}")
        assert supra.host.device.supply.core_volts == pytest.approx(volts, abs=0.03)
        assert supra.register(0x48, 0xF8) == code

    def test_ina260(self, supra: Board) -> None:
        supra.release()
        assert int.from_bytes(supra.ask(5, 0x40, "400202"), "big") * 1.25e-3 == pytest.approx(5.1, abs=0.01)
        amperes = int.from_bytes(supra.ask(5, 0x40, "400102"), "big") * 1.25e-3
        watts = int.from_bytes(supra.ask(5, 0x40, "400302"), "big") * 10e-3
        assert watts == pytest.approx(5.1 * amperes, abs=0.02)

    def test_boards_without_tps546_do_not_answer_at_its_address(self, supra: Board) -> None:
        assert supra.raw("09000100054024ad07") == "04000110"


class TestHeat:
    def mining(self, board: Board) -> Board:
        board.power().release()
        board.host.ask("55aa51090008" + "40a80230" + "0f", 0.01, "data")
        return board

    def celsius(self, board: Board) -> float:
        high, low = board.register(0x4C, 0x01), board.register(0x4C, 0x10)
        return (high << 3 | low >> 5) / 8

    def test_diode_is_open_until_the_chip_runs(self, gamma: Board) -> None:
        assert self.celsius(gamma) == 127
        self.mining(gamma)
        assert self.celsius(gamma) == 127
        gamma.host.wait(1)
        assert 20 < self.celsius(gamma) < 40

    def test_power_heats_and_the_fan_cools(self, gamma: Board) -> None:
        self.mining(gamma)
        gamma.write(0x4C, "4c3f")
        gamma.host.wait(120)
        cool = self.celsius(gamma)
        assert gamma.register(0x4C, 0x46) | gamma.register(0x4C, 0x47) << 8 == 5_400_000 // 7000
        gamma.write(0x4C, "4c08")
        gamma.host.wait(120)
        assert self.celsius(gamma) > cool + 5
        gamma.write(0x4C, "4c00")
        assert gamma.register(0x4C, 0x46) | gamma.register(0x4C, 0x47) << 8 == 0xFFFF

    def test_overheating_passes_every_limit(self, plug: Plug) -> None:
        board = self.mining(Board(plug("bitaxe-gamma", faults=["overheating@5+30"])))
        board.write(0x4C, "4c3f")
        board.host.wait(4)
        assert self.celsius(board) < 60
        board.host.wait(10)
        assert self.celsius(board) > 80
        board.write(0x24, "0100")
        board.host.wait(120)
        board.power()
        board.host.wait(1)
        assert self.celsius(board) < 60

    @pytest.mark.parametrize("value", [0.0, 5.1, 13.9, 0.02, 65.25, 1000.0])
    def test_linear11(self, value: float) -> None:
        assert decoded(int.from_bytes(linear11(value), "little")) == pytest.approx(value, rel=2e-3)


def decoded(word: int) -> float:
    """SLINEAR11 as PMBus defines it."""
    exponent, mantissa = word >> 11, word & 0x7FF
    signed = mantissa - 2048 if mantissa & 0x400 else mantissa
    return signed * 2.0 ** (exponent - 32 if exponent & 0x10 else exponent)


class TestCompacA1:
    def ask(self, host: Any, question: str) -> bytes:
        return bytes.fromhex(host.ask(question.encode(), 0.05, "telemetry"))

    def test_telemetry(self, plug: Plug) -> None:
        host = plug("compac-a1")
        assert self.ask(host, "?v") == b"\x31"
        assert self.ask(host, "V<") == b"<"
        assert host.device.core_volts == 0.3
        assert self.ask(host, "M.") == b"\x9f"
        volts_in, _, volts_out, _, celsius = self.ask(host, "G.")
        assert volts_in * 2.048 * 12 / 255 == pytest.approx(5, abs=0.1)
        assert volts_out * 2.048 / 255 / 2 == pytest.approx(0.3, abs=0.005)
        assert 20 < celsius * 175 / 218 - 50 < 40
        assert self.ask(host, "xx") == b""

    def test_regulator_off_and_on(self, plug: Plug) -> None:
        host = plug("compac-a1")
        host.ask("55aa510900a49000ffff1c")
        assert self.ask(host, "B-") == b"-"
        assert host.ask(COUNT) == ""
        assert self.ask(host, "BO") == b"O"
        assert host.ask(COUNT) == "aa551362030000000d"

    def test_overheating(self, plug: Plug) -> None:
        host = plug("compac-a1", faults=["overheating@1"])
        host.wait(20)
        assert self.ask(host, "G.")[4] * 175 / 218 - 50 > 100

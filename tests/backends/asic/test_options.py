"""Options of a device: limits, units, nearest spellings."""

from math import inf

import pytest

from stratum_miner.backends.asic.boards import BOARDS, board_of
from stratum_miner.backends.asic.chips import CHAINS
from stratum_miner.backends.asic.options import DeviceOptions
from stratum_miner.backends.base import BackendOptionError


def test_all_of_them() -> None:
    options = {
        "frequency": "500",
        "voltage": "1.1",
        "worker": "me.gamma",
        "nonce-difficulty": "0.001",
        "temperature_limit": "70",
        "idle-off": "never",
        "allow-out-of-limits": "yes",
    }
    assert DeviceOptions.parse(board_of("bitaxe-gamma"), options) == DeviceOptions(
        frequency=500,
        voltage=1.1,
        worker_name="me.gamma",
        nonce_difficulty=0.001,
        temperature_limit=70,
        idle_off=inf,
        allow_out_of_limits=True,
    )


def test_a_unit_may_stand_behind_the_number() -> None:
    options = {"frequency": "500MHz", "voltage": "1.1V", "temperature-limit": "70C", "idle-off": "5s"}
    parsed = DeviceOptions.parse(board_of("bitaxe-gamma"), options)
    assert (parsed.frequency, parsed.voltage, parsed.temperature_limit, parsed.idle_off) == (500, 1.1, 70, 5)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("compac", {"frequency": "900"}, "frequency: expected 25 to 400 MHz for the GekkoScience Compac, got 900"),
        ("compac", {"frequency": "fast"}, "frequency: expected a number of MHz, got 'fast'"),
        ("compac", {"frequency": "0.2GHz"}, "frequency: expected a number of MHz, got '0.2GHz'"),
        ("compac", {"frequency": "nan"}, "frequency: expected a number of MHz"),
        ("compac", {"idle-off": "5", "idle_off": "6"}, "idle_off: expected once, got '5' and '6'"),
        ("compac", {"freqency": "100"}, "did you mean 'frequency'"),
        (
            "compac",
            {"voltage": "0.7"},
            "the voltage of the GekkoScience Compac cannot be set",
        ),
        (
            "erupter",
            {"frequency": "100"},
            "the frequency of the ASICMINER Block Erupter USB cannot be set",
        ),
        ("erupter", {"temperature_limit": "70"}, "no temperature sensor"),
        (
            "bitaxe-gamma",
            {"voltage": "1150", "allow-out-of-limits": "yes"},
            "expected 1 to 1.5 V .*, got 1150$",
        ),
        ("bitaxe-gamma", {"frequency": "5"}, "frequency: expected 50 to 625 MHz"),
        ("bitaxe-gamma", {"temperature-limit": "110"}, "expected 46 to 75 °C"),
        ("r606", {"chips": "13"}, "chips: expected an integer from 1 to 12"),
        (
            "compac",
            {"idle-off": "soon"},
            "idle_off: expected a time from 0s to 1d, such as 90s or 1h30m, got 'soon'; with idle_off=never",
        ),
        ("compac", {"allow-out-of-limits": "maybe"}, "expected yes or no"),
    ],
)
def test_a_bad_option_is_named(kind: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(BackendOptionError, match=message):
        DeviceOptions.parse(board_of(kind), options)


def test_an_explicit_flag_lifts_the_limits() -> None:
    board = board_of("compac")
    assert DeviceOptions.parse(board, {"frequency": "450", "allow-out-of-limits": "yes"}).frequency == 450


def test_unknown_kind() -> None:
    with pytest.raises(BackendOptionError, match="did you mean 'erupter'"):
        board_of("eruptor")


@pytest.mark.parametrize("kind", BOARDS)
def test_each_board_makes_sense(kind: str) -> None:
    board = BOARDS[kind]
    assert board.kind == kind
    assert board.chip in CHAINS
    assert board.hash_rate() > 0
    for limits in (board.frequency, board.voltage):
        assert limits is None or limits.default in limits
    if board.temperature is not None:
        t = board.temperature
        assert t.resume < t.warn < t.throttle < t.cut_off
    assert all(pattern.is_specific for pattern in board.usb)


def test_port_paths() -> None:
    assert board_of("compac").port_paths("/dev/x") == {"data": "/dev/x"}
    assert board_of("bitaxe-gamma").port_paths("/dev/x") == {"control": "/dev/x-control", "data": "/dev/x-data"}
    assert board_of("compac-a1").port_paths("/dev/x") == {"data": "/dev/x", "telemetry": "/dev/x-telemetry"}

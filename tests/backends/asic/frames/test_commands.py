"""Commands against every known-good frame of docs/reference/asic.md#commands-to-a-chip."""

import pytest

from stratum_miner.backends.asic.frames import commands
from stratum_miner.backends.asic.frames.commands import BM13XX, BM1387
from tests.backends.asic.vectors import VECTORS, unhex


@pytest.mark.parametrize("frame", VECTORS["commands"])
def test_each_captured_command_is_what_we_build(frame: str) -> None:
    data = unhex(frame)
    header, _length, chip, register = data[2:6]
    rest = data[6:-1]
    built = {
        0x40: lambda: BM13XX.set_address(chip),
        0x41: lambda: BM13XX.write(register, int.from_bytes(rest, "big"), chip),
        0x51: lambda: BM13XX.write(register, int.from_bytes(rest, "big")),
        0x42: lambda: BM13XX.read(register, chip),
        0x52: lambda: BM13XX.read(register),
        0x53: BM13XX.chain_inactive,
    }[header]()
    assert built == data


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (BM1387.read(0), "5405000019"),
        (BM1387.chain_inactive(), "5505000010"),
        (BM1387.set_address(0), "4105000015"),
        (BM1387.set_address(0x80), "4105800019"),
        (BM1387.write(0x1C, 0x00200100), "5809001C002001001B"),
        (BM1387.write(0x1C, 0x40208180), "5809001C4020818009"),
        (BM1387.write(0x0C, 0x00500241), "5809000C005002410C"),
        (BM1387.read(0x0C, 0), "4405000C04"),
        (commands.set_clock(0x0781), "82078106"),
        (commands.set_clock(0x0B83), "820b8319"),
        (commands.COUNT_CHIPS, "84000011"),
        (commands.CHAIN_INACTIVE, "8500000f"),
        (commands.set_short_address(0), "01000019"),
        (commands.set_short_address(0x80), "01800016"),
    ],
)
def test_older_dialects(built: bytes, expected: str) -> None:
    assert built == unhex(expected)

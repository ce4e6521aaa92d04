"""GekkoScience Compac F: one BM1397 chip behind an FT230X USB bridge (docs/reference/asic.md#compac-f)."""

from stratum_miner.backends.asic.board import Board, Range, UsbPattern
from stratum_miner.backends.asic.bringup import (
    AssignAddresses,
    CountChips,
    Deactivate,
    RampUp,
    Reset,
    SetTicket,
    SwitchBaud,
    VerifyClock,
    Write,
)

_BRING_UP = (
    Reset(hold=1.0, wait=0.2),
    CountChips(1.0),
    Deactivate(times=3, pause=0.1),
    AssignAddresses(pause=0.01),
    Write(0x80, 0x00000000, pause=0.01),  # clock order control 0
    Write(0x84, 0x00000000, pause=0.1),  # clock order control 1
    Write(0x20, 0x00000001, pause=0.05),  # ordered clock enable
    Write(0x3C, 0x80008074, pause=0.1),  # core register 0, clock delay
    SetTicket(pause=0.02),
    Write(0x68, 0xC0700111, times=2, pause=0.05),  # PLL3, needed for a fast baud rate
    Write(0x28, 0x0600000F, pause=0.1),  # fast UART
    # the chip then sends at exactly 1.5625 MBd. This computer uses a rate that is 4 % lower, which does no harm
    SwitchBaud(0x18, 0x00006131, host_baud=1_500_000, back=0x00007A31),
    RampUp(base=200, step=25, pause=0.1),
    VerifyClock(),
)


COMPAC_F = Board(
    kind="compac-f",
    product="GekkoScience Compac F",
    chip="bm1397",
    usb=(UsbPattern(vid=0x0403, pid=0x6015, manufacturer="GekkoScience", product="CompacF"),),
    frequency=Range(100, 200, 600),
    bring_up=_BRING_UP,
    hash_rate_per_mhz=672e6,
)

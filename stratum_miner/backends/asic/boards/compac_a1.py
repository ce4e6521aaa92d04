"""GekkoScience Compac A1: one BM1362 chip behind a CP2105 USB bridge with two ports. The second port sets the core
voltage and reports measurements (docs/reference/asic.md#compac-a1)."""

from collections.abc import Mapping

from stratum_miner.backends.asic.board import Board, Port, Range, TemperatureLimits, UsbPattern
from stratum_miner.backends.asic.boards.compac_a1_power import CompacA1Power
from stratum_miner.backends.asic.bringup import (
    AssignAddresses,
    CountChips,
    Deactivate,
    RampUp,
    Reset,
    SetHashCount,
    SetTicket,
    Write,
    WriteEach,
)
from stratum_miner.backends.asic.power import NoPower, PowerControl
from stratum_miner.backends.asic.transport import Transport

_ROLL_VERSIONS = Write(0xA4, 0x9000FFFF, pause=0.01)
_BRING_UP = (
    Reset(hold=0.1, wait=0.1),
    _ROLL_VERSIONS,
    CountChips(1.0),
    Deactivate(pause=0.1),
    AssignAddresses(pause=0.01),
    Write(0x3C, 0x80008540, pause=0.01),  # core register 5, clock select
    Write(0x3C, 0x80008008, pause=0.1),  # core register 0, clock delay
    SetTicket(pause=0.02),
    Write(0x54, 0x00000003, pause=0.05),  # analog mux
    Write(0x58, 0x00011111, pause=0.1),  # IO driver strength
    WriteEach(
        (
            (0xA8, 0x00000002),  # soft reset
            (0x18, 0xB000C100),  # misc control: let the chip report nonces
            (0x3C, 0x80008540),
            (0x3C, 0x80008008),
            (0x3C, 0x800082AA),  # core register 2, core enable
        ),
        pause=0.01,
    ),
    RampUp(base=300, step=25),  # start the steps at 300 MHz, as in the maker's driver
    SetHashCount(),
    _ROLL_VERSIONS,
)


def _power(transports: Mapping[str, Transport]) -> PowerControl:
    if "telemetry" not in transports:
        return NoPower()
    return CompacA1Power(transports["telemetry"], transports["data"])


COMPAC_A1 = Board(
    kind="compac-a1",
    product="GekkoScience Compac A1",
    chip="bm1362",
    usb=(UsbPattern(vid=0x10C4, pid=0xEA70, product=r"GekkoScience Compac A1"),),
    ports=(Port("data", 0), Port("telemetry", 1, required=False)),
    frequency=Range(100, 300, 600),
    voltage=Range(0.25, 0.3, 0.4),
    temperature=TemperatureLimits(warn=85, throttle=95, cut_off=105, resume=45),
    power=_power,
    bring_up=_BRING_UP,
    hash_rate_per_mhz=512e6,
)

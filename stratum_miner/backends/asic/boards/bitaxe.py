"""Bitaxe Gamma, Supra and Ultra with the bitaxe-raw firmware. They have one chip, and the miner controls its power
(docs/reference/asic.md#bitaxe)."""

from collections.abc import Mapping

from stratum_miner.backends.asic.board import Board, Port, Range, TemperatureLimits, UsbPattern
from stratum_miner.backends.asic.boards.bitaxe_power import BitaxePower
from stratum_miner.backends.asic.bringup import (
    AssignAddresses,
    CountChips,
    Deactivate,
    RampUp,
    SetHashCount,
    SetTicket,
    SwitchBaud,
    Write,
    WriteEach,
    WriteTo,
)
from stratum_miner.backends.asic.peripherals.emc2101 import Diode
from stratum_miner.backends.asic.power import PowerControl
from stratum_miner.backends.asic.transport import Transport

_ROLL_VERSIONS = Write(0xA4, 0x9000FFFF)
_ASK = Write(0xA4, 0x9000FFFF, times=3, pause=0.005)
_ONE_MEGABAUD = SwitchBaud(0x28, 0x11300200, host_baud=1_000_000)  # the chip's exact rate is 1.0417 MBd
_RAMP = RampUp(base=50, step=6.25, pause=0.1)

_GAMMA = (  # BM1370: docs/reference/asic.md#gamma-supra-and-ultra
    _ASK,
    CountChips(),
    _ROLL_VERSIONS,
    Write(0xA8, 0x00070000),  # soft reset
    Write(0x18, 0xF000C100),  # misc control: let the chip report nonces
    Deactivate(),
    AssignAddresses(),
    Write(0x3C, 0x80008B00),  # core register B, clock select
    Write(0x3C, 0x8000800C),  # core register 0, clock delay
    SetTicket(),
    Write(0x58, 0x00011111),  # IO driver strength
    WriteEach(
        (
            (0xA8, 0x000701F0),
            (0x18, 0xF000C100),
            (0x3C, 0x80008B00),
            (0x3C, 0x8000800C),
            (0x3C, 0x800082AA),  # core register 2, core enable
        ),
        pause=0.01,
    ),
    Write(0xB9, 0x00004480),
    Write(0x54, 0x00000002),  # analog mux: select the temperature diode
    Write(0xB9, 0x00004480),
    Write(0x3C, 0x80008DEE),  # core register D, nonce overflow
    _RAMP,
    SetHashCount(),
    _ONE_MEGABAUD,
    _ROLL_VERSIONS,
)

_SUPRA = (  # BM1368: docs/reference/asic.md#gamma-supra-and-ultra
    Write(0xA4, 0x9000FFFF, times=4, pause=0.005),
    CountChips(),
    Deactivate(),
    Write(0xA8, 0x00070000),
    Write(0x18, 0xFF0FC100),
    Write(0x3C, 0x80008B00),
    Write(0x3C, 0x80008018),
    SetTicket(),
    Write(0x54, 0x00000003),
    Write(0x58, 0x02111111),
    AssignAddresses(),
    WriteEach(
        (
            (0xA8, 0x000701F0),
            (0x18, 0xF000C100),
            (0x3C, 0x80008B00),
            (0x3C, 0x80008018),
            (0x3C, 0x800082AA),
        ),
        pause=0.5,
    ),
    SetTicket(),
    _RAMP,
    SetHashCount(),
    _ROLL_VERSIONS,
    _ONE_MEGABAUD,
)

_ULTRA = (  # BM1366: docs/reference/asic.md#gamma-supra-and-ultra
    _ASK,
    CountChips(),
    Write(0xA8, 0x00070000),
    Write(0x18, 0xFF0FC100),
    Deactivate(),
    AssignAddresses(),
    Write(0x3C, 0x80008540),
    Write(0x3C, 0x80008020),
    SetTicket(),
    Write(0x54, 0x00000003),
    Write(0x58, 0x02111111),
    WriteTo(0, 0x2C, 0x007C0003),  # UART relay
    WriteEach(
        (
            (0xA8, 0x000701F0),
            (0x18, 0xF000C100),
            (0x3C, 0x80008540),
            (0x3C, 0x80008020),
            (0x3C, 0x800082AA),
        ),
        pause=0.5,
    ),
    _RAMP,
    SetHashCount(),
    _ROLL_VERSIONS,
    _ONE_MEGABAUD,
)


def _power(transports: Mapping[str, Transport]) -> PowerControl:
    return BitaxePower(transports["control"])


def _gamma_power(transports: Mapping[str, Transport]) -> PowerControl:
    return BitaxePower(transports["control"], Diode(ideality=0x24, beta=0x00))


_USB = (UsbPattern(vid=0xC0DE, pid=0xCAFE, manufacturer="OSMU", product=r"^Bitaxe$"),)
_PORTS = (Port("control", 0), Port("data", 1))
# as in ESP-Miner, which switches off above 75 °C (docs/reference/asic.md#heat)
_TEMPERATURE = TemperatureLimits(warn=65, throttle=70, cut_off=75, resume=45)

BITAXE_GAMMA = Board(
    kind="bitaxe-gamma",
    product="Bitaxe Gamma",
    bring_up=_GAMMA,
    chip="bm1370",
    usb=_USB,
    ports=_PORTS,
    frequency=Range(50, 525, 625),
    voltage=Range(1.0, 1.15, 1.25),
    temperature=_TEMPERATURE,
    power=_gamma_power,
    hash_rate_per_mhz=2040e6,
)

BITAXE_SUPRA = Board(
    kind="bitaxe-supra",
    product="Bitaxe Supra",
    bring_up=_SUPRA,
    chip="bm1368",
    usb=_USB,
    ports=_PORTS,
    frequency=Range(50, 490, 575),
    voltage=Range(1.0, 1.166, 1.3),
    temperature=_TEMPERATURE,
    power=_power,
    hash_rate_per_mhz=1276e6,
)

BITAXE_ULTRA = Board(
    kind="bitaxe-ultra",
    product="Bitaxe Ultra",
    bring_up=_ULTRA,
    chip="bm1366",
    usb=_USB,
    ports=_PORTS,
    frequency=Range(50, 485, 575),
    voltage=Range(1.0, 1.2, 1.3),
    temperature=_TEMPERATURE,
    power=_power,
    hash_rate_per_mhz=894e6,
)

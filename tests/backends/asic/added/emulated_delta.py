"""Emulates a board that does not exist, in the file that a new emulated device takes."""

from typing import ClassVar

from stratum_miner.emulators.bitaxe import BitaxeDevice
from stratum_miner.emulators.full_header_chips import Bm1370Device
from stratum_miner.emulators.kind import DeviceKind, UsbTexts


class DeltaDevice(BitaxeDevice, Bm1370Device):
    """A Gamma whose chip has another number."""

    chip_id: ClassVar[int] = 0x13710000
    usual_volts: ClassVar[float] = 1.15
    usual_watts: ClassVar[float] = 16.0


BITAXE_DELTA = DeviceKind(
    "bitaxe-delta",
    "Bitaxe Delta, BM1371",
    DeltaDevice,
    DeltaDevice.units * 525e6,
    UsbTexts(0xC0DE, 0xCAFE, "OSMU", "Bitaxe"),
)

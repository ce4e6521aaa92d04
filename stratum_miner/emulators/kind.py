"""A product that can be emulated: its names, its USB texts, and the class that emulates it."""

from dataclasses import dataclass

from stratum_miner.emulators.model import EmulatedDevice


@dataclass(frozen=True, slots=True)
class UsbTexts:
    """The ids and texts of a device on the USB bus (docs/reference/asic.md#recognising-a-device)."""

    vid: int
    pid: int
    manufacturer: str = ""
    product: str = ""


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """A product that can be emulated."""

    name: str
    product: str
    device: type[EmulatedDevice]
    real_hash_rate: float
    """Hash rate of the real product in H/s at its usual clock."""
    usb: UsbTexts
    chips: int = 1
    """Number of chips, or of engines, of the product as it is sold."""
    chip_counts: tuple[int, ...] = (1,)
    """Numbers of chips that an emulator may have."""

    def can_have(self, fault: str) -> bool:
        """Return whether a fault is possible for this product. Only a device with a control port has a bus to its
        sensors."""
        return fault != "i2c-errors" or "control" in self.device.ports

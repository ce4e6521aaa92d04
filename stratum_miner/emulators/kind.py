"""A product that can be emulated: its names, its USB ids and texts, and the class that emulates it."""

from dataclasses import dataclass

from stratum_miner.emulators.model import EmulatedDevice


@dataclass(frozen=True, slots=True)
class UsbTexts:
    """The ids and names that a device reports on the USB bus (docs/reference/asic.md#recognising-a-device)."""

    vid: int
    pid: int
    manufacturer: str = ""
    product: str = ""


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """A product that can be emulated: its names, what it reports on the USB bus, and the class that emulates it."""

    name: str
    product: str
    device: type[EmulatedDevice]
    real_hash_rate: float
    """Hash rate of the real product in H/s at its usual clock."""
    usb: UsbTexts
    chips: int = 1
    """Number of chips of the product as it is sold; for an Icarus, the number of engines."""
    chip_counts: tuple[int, ...] = (1,)
    """The numbers of chips that an emulated device of this kind may have."""

    def can_have(self, fault: str) -> bool:
        """Return whether this product can have the fault with this name.

        Only "i2c-errors" is restricted: it needs a device with a control port, through which the host reaches the I²C
        bus."""
        return fault != "i2c-errors" or "control" in self.device.ports

"""A product that can be emulated: how it is called and sold, how USB shows it, and what plays it."""

from dataclasses import dataclass

from stratum_miner.emulators.model import EmulatedDevice


@dataclass(frozen=True, slots=True)
class UsbTexts:
    """What a device says of itself on the bus (docs/reference/asic.md#recognising-a-device)."""

    vid: int
    pid: int
    manufacturer: str = ""
    product: str = ""


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """A product."""

    name: str
    product: str
    device: type[EmulatedDevice]
    real_hash_rate: float
    """H/s at its usual clock."""
    usb: UsbTexts
    chips: int = 1
    """Or engines, as it is sold."""
    chip_counts: tuple[int, ...] = (1,)
    """What it may have."""

    def can_have(self, fault: str) -> bool:
        """Whether a fault makes sense for it: only what has a control port has a bus to its sensors."""
        return fault != "i2c-errors" or "control" in self.device.ports

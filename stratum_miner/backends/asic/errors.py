"""What can go wrong with a device, each under the name of what its owner has to look at.

A device's task ends with one of these; the supervisor decides what follows. Messages start with the device's path.
"""

from stratum_miner.backends.base import BackendError


class DeviceError(BackendError):
    """Hardware, or the way to it, does not do what it must."""


class DeviceGone(DeviceError):  # noqa: N818  a condition of hardware
    """The port is not there any more: unplugged, or its bridge lost power. A replug may bring it back."""


class PortBusy(DeviceError):  # noqa: N818  a condition of hardware
    """Another program holds the port."""


class PortForbidden(DeviceError):  # noqa: N818  a condition of hardware
    """We may not open the port; the message says how to change that."""


class DeviceSilent(DeviceError):  # noqa: N818  a condition of hardware
    """The port is open and nothing, or nothing that makes sense, comes back."""


class DeviceDegraded(DeviceError):  # noqa: N818  a condition of hardware
    """It works, but so much worse than it should that only a restart may help."""


class DeviceRefused(DeviceError):  # noqa: N818  a condition of hardware
    """The device answered that it will not do what was asked."""


class WrongChip(DeviceRefused):
    """Something answers, but it is another chip, or another number of them, than the kind named has."""


class PowerFault(DeviceError):  # noqa: N818  a condition of hardware
    """Supply trouble: no chip after a reset, brown-out, a regulator's fault, re-enumeration under load."""


class Overheated(DeviceError):  # noqa: N818  a condition of hardware
    """Too hot too often: the device stays off until its owner acts."""


class GivenUp(DeviceError):  # noqa: N818  a condition of hardware
    """Restarted too often without success; the message carries the last cause."""

"""Errors of a device. The name of each error says what the user has to check.

``Device.run`` raises one of these errors when it ends, and its caller ``AsicBackend`` decides what follows. A message
starts with the path of the device.
"""

from stratum_miner.backends.base import BackendError


class DeviceError(BackendError):
    """The device, or the connection to it, does not work as it must."""


class DeviceGone(DeviceError):  # noqa: N818  a condition of hardware
    """The port is not there any more: the device is unplugged, or its bridge lost power. Plugging it in again may
    help."""


class PortBusy(DeviceError):  # noqa: N818  a condition of hardware
    """Another program has opened the port."""


class PortForbidden(DeviceError):  # noqa: N818  a condition of hardware
    """The user may not open the port. The message says how to change that."""


class DeviceSilent(DeviceError):  # noqa: N818  a condition of hardware
    """The port is open, but the device sends nothing, or nothing that makes sense."""


class DeviceDegraded(DeviceError):  # noqa: N818  a condition of hardware
    """The device works so much worse than it should that only a restart may help."""


class DeviceRefused(DeviceError):  # noqa: N818  a condition of hardware
    """The device or its port cannot do what was requested."""


class WrongChip(DeviceRefused):
    """A device answers, but its chips differ from those of the expected board: either the kind of chip is wrong, or
    there are too many or too few chips."""


class PowerFault(DeviceError):  # noqa: N818  a condition of hardware
    """The power supply fails: no chip answers after a reset, the voltage drops, the regulator reports a fault, or the
    device disconnects under load."""


class Overheated(DeviceError):  # noqa: N818  a condition of hardware
    """The device was too hot too often, and stays off until the user restarts it or plugs it in again."""


class GivenUp(DeviceError):  # noqa: N818  a condition of hardware
    """The device was restarted too often without success. The message contains the last cause."""

"""What a driver needs of a port, and nothing of how it is done: real ports, pseudo-terminals and tests provide it.

All methods belong to the trio thread. Whatever the operating system says about a vanished port comes out as
``DeviceGone``, from any method, with the path in its message.
"""

from typing import Protocol


class Transport(Protocol):
    """One open serial port: 8 data bits, no parity, 1 stop bit, no flow control, raw."""

    @property
    def path(self) -> str:
        """The name its messages carry, such as /dev/ttyUSB0."""
        ...

    async def receive(self, max_bytes: int = 4096) -> bytes:
        """Wait for input and return what is there: 1 to ``max_bytes`` bytes, never none. One receiver at a time.

        Cancelled it has taken nothing.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Hand all of ``data`` to the operating system without blocking the loop; one sender at a time.

        Cancelled half-way it has sent a prefix: the device then needs a reset or a resynchronisation.
        """
        ...

    async def drain(self) -> None:
        """Wait until the last bit has left the host."""
        ...

    async def set_baud(self, baud: int) -> None:
        """Drain, switch the host's rate, discard input that came at the old one. DeviceRefused for an unusable rate."""
        ...

    async def hold_reset(self, held: bool) -> bool:
        """Hold the chips in reset, or release them, through a line of the USB bridge
        (docs/reference/asic.md#reset-lines).

        False where there is no such line or no way to it: then closing and opening again is all there is.
        """
        ...

    def discard_input(self) -> None:
        """Forget what has arrived and was not received."""
        ...

    def close(self) -> None:
        """Give the port back; at once, never raises, may be called twice. A pending ``receive`` ends."""
        ...


class PortOpener(Protocol):
    """Opens the ports of one device by role, as often as asked: a restart closes them all and opens them again."""

    async def __call__(self, role: str, baud: int) -> Transport:
        """Open the port that plays ``role`` ("data", "control", "telemetry"; see ``Board.ports``).

        Raises DeviceGone when it is not there, PortBusy or PortForbidden when it cannot be ours.
        """
        ...

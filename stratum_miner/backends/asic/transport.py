"""The interface of a serial port, as drivers use it. Real ports, pseudo-terminals and tests implement this interface.

Call all methods in the trio thread. If the port has disappeared, any method may raise ``DeviceGone``, with the path in
its message.
"""

from typing import Protocol


class Transport(Protocol):
    """One open serial port in raw mode: 8 data bits, no parity, 1 stop bit, no flow control."""

    @property
    def path(self) -> str:
        """The name of the port in messages, such as /dev/ttyUSB0."""
        ...

    async def receive(self, max_bytes: int = 4096) -> bytes:
        """Wait for input and return it: 1 to ``max_bytes`` bytes. Only one task may receive at a time.

        If the call is cancelled, no input is lost.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Pass all of ``data`` to the operating system without blocking the trio loop. Only one task may send at a
        time.

        If the call is cancelled, perhaps only a part of ``data`` was sent. The device then needs a reset or a
        resynchronisation.
        """
        ...

    async def drain(self) -> None:
        """Wait until the last bit has left the computer."""
        ...

    async def set_baud(self, baud: int) -> None:
        """Drain the port, switch its rate, and discard input that came at the old rate. Raises DeviceRefused for a bad
        rate."""
        ...

    async def hold_reset(self, held: bool) -> bool:
        """Hold the chips in reset, or release them, through a line of the USB bridge
        (docs/reference/asic.md#reset-lines).

        Return False if there is no such line or it cannot be used. Then the only reset is to close the port and open it
        again.
        """
        ...

    def discard_input(self) -> None:
        """Discard input that has arrived but was not read by ``receive``."""
        ...

    def close(self) -> None:
        """Close the port at once. This never raises an error, and may be called twice. A pending ``receive`` ends."""
        ...


class PortOpener(Protocol):
    """Opens the ports of one device by role: what a port is for, such as "data". A restart closes all ports and opens
    them again."""

    async def __call__(self, role: str, baud: int) -> Transport:
        """Open the port with ``role`` ("data", "control" or "telemetry"; see ``Board.ports``) at a baud rate.

        Raises DeviceGone if there is no such port, and PortBusy or PortForbidden if it cannot be opened.
        """
        ...

"""The control channel of the bitaxe-raw firmware: I²C, GPIO and a lamp behind a USB port
(docs/reference/asic.md#control-channel-of-bitaxe-raw).

Packets begin with a length, and what it counts depends on the packet. In a request and in an error reply, it counts the
whole packet. In a successful reply, it counts only the data. A parser that took the length of an error reply for that
of its data would wait for bytes that never come. This parser knows how many bytes of data it requested. If the length
equals this number, the reply is a successful one.

The parser also understands the successful replies of the later emberOne firmware, which have a status byte. Their
length counts the whole packet.
"""

from dataclasses import dataclass

import trio

from stratum_miner.backends.asic.errors import DeviceRefused, DeviceSilent
from stratum_miner.backends.asic.transport import Transport

ANSWER_SECONDS = 2.0
"""Seconds to wait for a reply. The mining program mujina waits 1 s. The longer wait does little harm, because it delays
only this request."""
QUIET_SECONDS = 0.1
"""After a wrong reply, input is discarded until no byte has come for this many seconds. The rest of the wrong reply
could otherwise be taken for the reply to the next request."""
MAX_REPLY = 4096
ERRORS = {0x10: "timeout", 0x11: "invalid command", 0x12: "buffer overflow", 0xFF: "failed"}
UNPARSED = 0xFF
"""The id in a reply of the firmware to a packet that it could not read."""

I2C, GPIO, ADC, LED = 5, 6, 7, 8
SET_SPEED, WRITE, READ, WRITE_READ = 0x10, 0x20, 0x30, 0x40
SET_COLOUR = 0x10
RESET_PIN = 0


def encode_request(identifier: int, page: int, command: int, data: bytes = b"") -> bytes:
    """Return a request packet: the length of the whole packet (2 bytes, little-endian), the id, bus 0, page, command,
    and data."""
    return (6 + len(data)).to_bytes(2, "little") + bytes([identifier, 0, page, command]) + data


@dataclass(frozen=True, slots=True)
class ControlReply:
    """A reply: the data if the request succeeded, otherwise the error code and text of the firmware."""

    data: bytes = b""
    error: int | None = None
    text: str = ""


def decode_reply(buffer: bytes, identifier: int, expected: int, *, final: bool = False) -> ControlReply | None:
    """Return the reply to the request with the id ``identifier``, which asked for ``expected`` bytes of data. Return
    None if ``buffer`` does not contain the whole reply yet.

    ``final`` says that no more bytes will come. Without it, bytes that are either a whole error reply or the start of a
    successful reply count as incomplete; with it, they are an error reply. Raises DeviceSilent for bytes that are no
    reply to this request.
    """
    if len(buffer) < 4 and not (expected == 0 and len(buffer) == 3):
        return None
    length = int.from_bytes(buffer[:2], "little")
    if buffer[2] not in (identifier, UNPARSED) or length > MAX_REPLY:
        raise DeviceSilent(f"control: expected a reply to request {identifier}, got {buffer[:16].hex()}")
    if buffer[2] == identifier:
        if length == expected and len(buffer) >= 3 + expected:
            return ControlReply(buffer[3 : 3 + expected])
        if length == 4 + expected and len(buffer) >= length and buffer[3] == 0:
            return ControlReply(buffer[4:length])
    is_error = len(buffer) >= length >= 4 and buffer[3] in ERRORS
    if is_error and (length != expected or final):
        return ControlReply(error=buffer[3], text=buffer[4:length].decode("ascii", "replace"))
    return None


class BitaxeControl:
    """Sends one request at a time and waits for its reply, for at most ``ANSWER_SECONDS``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._turn = trio.Lock()
        self._next_id = 0
        self._late: tuple[int, int] | None = None
        """The id of a request whose reply did not come in time but may still come, and the number of bytes of data in
        this reply."""

    async def i2c_speed(self, hertz: int) -> None:
        """Set the clock of the I²C bus, in hertz."""
        await self._request(I2C, SET_SPEED, hertz.to_bytes(4, "little"), 4, "I²C speed")

    async def i2c_write(self, address: int, data: bytes) -> None:
        """Write bytes to the I²C device at a 7-bit address."""
        await self._request(I2C, WRITE, bytes([address]) + data, 1, f"I²C write to {address:02x}")

    async def i2c_read(self, address: int, data: bytes, count: int) -> bytes:
        """Write bytes (usually a register number) to the I²C device at a 7-bit address. Then read ``count`` bytes from
        the device."""
        return await self._request(
            I2C, WRITE_READ, bytes([address]) + data + bytes([count]), count, f"I²C read from {address:02x}"
        )

    async def set_pin(self, pin: int, level: bool) -> None:
        """Set the level of a GPIO pin."""
        await self._request(GPIO, pin, bytes([level]), 1, f"GPIO {pin}")

    async def get_pin(self, pin: int) -> bool:
        """Return the level of a GPIO pin."""
        return (await self._request(GPIO, pin, b"", 1, f"GPIO {pin}"))[0] != 0

    async def set_lamp(self, red: int, green: int, blue: int) -> None:
        """Set the colour of the lamp. Each of its three components is 0 to 255."""
        await self._request(LED, SET_COLOUR, bytes([red, green, blue]), 3, "lamp")

    async def _request(self, page: int, command: int, data: bytes, expected: int, what: str) -> bytes:
        async with self._turn:
            identifier = self._next_id
            self._next_id = (identifier + 1) % UNPARSED
            await self._transport.send(encode_request(identifier, page, command, data))
            try:
                reply = await self._reply(identifier, expected)
            except DeviceSilent as error:
                await self._silence()
                raise DeviceSilent(f"{self._transport.path}: {what}: {error}") from None
        if reply is None:
            self._late = identifier, expected
            raise DeviceSilent(f"{self._transport.path}: {what}: no answer within {ANSWER_SECONDS:g} s")
        if reply.error is not None:
            text = reply.text or ERRORS[reply.error]
            raise DeviceRefused(f"{self._transport.path}: {what}: error {reply.error:02x}, {text}")
        return reply.data

    async def _reply(self, identifier: int, expected: int) -> ControlReply | None:
        buffer, reply = b"", None
        with trio.move_on_after(ANSWER_SECONDS):
            while reply is None:
                buffer = self._without_late_reply(buffer + await self._transport.receive())
                reply = decode_reply(buffer, identifier, expected)
            return reply
        return decode_reply(buffer, identifier, expected, final=True)

    def _without_late_reply(self, buffer: bytes) -> bytes:
        if self._late is None or len(buffer) < 3 or buffer[2] != self._late[0]:
            return buffer
        length, expected = int.from_bytes(buffer[:2], "little"), self._late[1]
        size = 3 + expected if length == expected else length
        if not 3 <= size <= len(buffer):
            return buffer
        self._late = None
        return buffer[size:]

    async def _silence(self) -> None:
        """Discard input until none has come for ``QUIET_SECONDS``."""
        while True:
            with trio.move_on_after(QUIET_SECONDS) as quiet:
                await self._transport.receive()
            if quiet.cancelled_caught:
                return

"""The bitaxe-raw firmware in a few lines: registers behind I²C, the reset pin, and failures on demand."""

from collections.abc import Callable

from tests.backends.asic.memory_port import MemoryPort

EMC2101, TPS546, DS4432U, INA260 = 0x4C, 0x24, 0x48, 0x40
GAMMA_REGISTERS = {
    EMC2101: {0xFE: b"\x5d", 0xFD: b"\x16", 0x03: b"\x00", 0x00: b"\x28", 0x01: b"\x32", 0x10: b"\xa0",
              0x46: b"\x98", 0x47: b"\x08", 0x4C: b"\x3f"},
    TPS546: {0xAD: bytes.fromhex("065449546b2441"), 0x20: b"\x97", 0x79: b"\x00\x00", 0x8B: b"\x4d\x02",
             0x88: b"\x0a\xd2", 0x8C: b"\x14\xd2", 0x8D: b"\x34\x00"},
}  # fmt: skip
ULTRA_REGISTERS = {
    EMC2101: GAMMA_REGISTERS[EMC2101],
    INA260: {0x01: b"\x07\xd0", 0x02: b"\x0f\xa0", 0x03: b"\x03\xe8"},
    DS4432U: {},
}


class ScriptedBitaxe:
    """Answers the control port. ``mangle`` turns a good reply into what is really sent."""

    def __init__(
        self, registers: dict[int, dict[int, bytes]], *, mangle: Callable[[bytes], bytes] = lambda reply: reply
    ) -> None:
        self.registers = {address: dict(values) for address, values in registers.items()}
        self.mangle = mangle
        self.writes: list[tuple[int, bytes]] = []
        self.pins: list[bool] = []
        self.lamp: list[bytes] = []

    def __call__(self, port: MemoryPort, request: bytes) -> None:
        assert int.from_bytes(request[:2], "little") == len(request)
        identifier, page, command, data = request[2], request[4], request[5], request[6:]
        answer = self.answer(page, command, data)
        if answer is None:
            port.say(b"\x04\x00" + bytes([identifier, 0x10]))
        else:
            port.say(self.mangle(len(answer).to_bytes(2, "little") + bytes([identifier]) + answer))

    def answer(self, page: int, command: int, data: bytes) -> bytes | None:
        match page, command:
            case 5, 0x10:
                return data
            case 5, 0x20 if data[0] in self.registers:
                self.writes.append((data[0], data[1:]))
                return bytes([len(data) - 1])
            case 5, 0x40 if data[0] in self.registers:
                return self.registers[data[0]].get(data[1], b"\0" * 8)[: data[-1]].ljust(data[-1], b"\0")
            case 6, 0:
                if data:
                    self.pins.append(data[0] != 0)
                return bytes([self.pins[-1] if self.pins else 0])
            case 8, 0x10:
                self.lamp.append(data)
                return data
        return None

    def written(self, address: int) -> list[str]:
        """Everything written to one device, as hex."""
        return [data.hex() for to, data in self.writes if to == address]

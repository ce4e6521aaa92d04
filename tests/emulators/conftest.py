"""A serial line without a line: a model, a clock that a test moves, and the bytes that arrived with their times."""

from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

import pytest

from stratum_miner.emulators import KINDS, parse_fault
from stratum_miner.emulators.faults import Faults
from stratum_miner.emulators.model import EmulatedDevice, Settings
from stratum_miner.emulators.sweep import Searcher


class Heard(NamedTuple):
    """What the host read, and when."""

    at: float
    data: bytes
    port: str


class Host:
    """Plays the host of one device. Time stands still but in `wait`."""

    def __init__(self, device: EmulatedDevice) -> None:
        self.device = device
        self.now = 0.0
        self.baud: dict[str, int] = {}
        device.reset(0.0)

    def send(self, data: bytes | str, port: str = "") -> None:
        """Write; does not wait until it has arrived."""
        frame = bytes.fromhex(data) if isinstance(data, str) else data
        self.device.receive(frame, self.now, port=port, host_baud=self.baud.get(port))

    def wait(self, seconds: float, until_bytes: float = inf) -> list[Heard]:
        """Let time pass step by step; stop when this many bytes have arrived."""
        end, heard = self.now + seconds, list[Heard]()
        while True:
            self.device.advance(self.now)
            heard += [Heard(item.at, item.data, item.port) for item in self.device.take(self.now, self.baud.get)]
            due = self.device.due(self.now)
            if sum(len(item.data) for item in heard) >= until_bytes:
                return heard
            if due > end and self.now >= end:
                return heard
            self.now = max(self.now, min(due, end))

    def ask(self, data: bytes | str, seconds: float = 0.1, port: str = "") -> str:
        """Write, wait, and return all that came as hex."""
        self.send(data, port)
        return b"".join(item.data for item in self.wait(seconds)).hex()


Plug = Callable[..., Host]


def plug_in(
    kind: str,
    *,
    hash_rate: float = 1e6,
    chips: int | None = None,
    faults: Iterable[str] = (),
    seed: int = 0,
    nonce_difficulty: float = 1.0,
) -> Host:
    """A host with a device of a kind; each keyword as `emulated` has it."""
    described = KINDS[kind]
    settings = Settings(hash_rate, chips or described.chips, nonce_difficulty, seed)
    given = Faults([parse_fault(fault) for fault in faults], seed)
    return Host(described.device(settings, given, Searcher(), 0.0))


@pytest.fixture(scope="session")
def plug() -> Plug:
    """What plugs devices in; as a fixture, since a test cannot import its conftest."""
    return plug_in

"""Devices on a computer that is busy with other things: this program gets each turn late, and no device pays for it.

The devices are emulated in memory, and time is virtual: each turn of the event loop takes a fixed time.
"""

import pytest
import trio
from trio.testing import MockClock

from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device import DeviceSnapshot, DeviceState
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.work.unit import NonceFound
from tests.backends.asic.device_soak import EndlessWork
from tests.backends.asic.emulated_bus import PluggedDevice

HASH_RATE = 2e4
NONCE_DIFFICULTY = HASH_RATE / 30 / 2**32
"""30 nonces a second. In ten turns a second, they can only be read several at a time."""
NONCES_PER_SHARE = 5
TURN_S = 0.1
MINED_S = 40.0


class LateTurns(trio.abc.Instrument):
    """Lets some time pass before each turn of the event loop."""

    def __init__(self, clock: MockClock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds

    def after_io_wait(self, timeout: float) -> None:
        del timeout
        self._clock.jump(self._seconds)


@pytest.mark.parametrize("kind", ["compac", "compac-f", "compac-a1", "bitaxe-gamma"])
async def test_a_device_mines_without_errors_though_each_turn_is_late(kind: str, autojump_clock: MockClock) -> None:
    plugged = PluggedDevice(kind, 1, HASH_RATE, NONCE_DIFFICULTY)
    spec = f"{kind}:{plugged.path},nonce-difficulty={NONCE_DIFFICULTY},hash-rate={HASH_RATE}H"
    backend = AsicBackend(
        [DeviceSpec.parse(spec)], listing=plugged.listing, open_port=plugged.open_port, clock=trio.current_time
    )
    send, _receive = trio.open_memory_channel[NonceFound](10_000)
    trio.lowlevel.add_instrument(LateTurns(autojump_clock, TURN_S))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(plugged.run)
        nursery.start_soon(backend.run, EndlessWork(1, NONCES_PER_SHARE * NONCE_DIFFICULTY), send)
        device = _device(backend)
        while device is None or not device.nonces:
            await trio.sleep(1)
            device = _device(backend)
        await trio.sleep(MINED_S)
        device = _device(backend)
        nursery.cancel_scope.cancel()
    assert device is not None
    assert (device.state, device.reason) == (DeviceState.MINING, "")
    assert (device.hardware_errors, device.crc_errors, device.restarts) == (0, 0, 0)
    assert device.hashes == pytest.approx(device.expected_hashes, rel=0.1)


def _device(backend: AsicBackend) -> DeviceSnapshot | None:
    return next((record.device for record in backend.device_records()), None)

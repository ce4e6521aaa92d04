"""Boards with a controllable supply, on emulators: whenever they are stopped, also on a failing bus, all power is
off."""

import pytest
import trio

from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.emulators.bitaxe import BitaxeDevice
from stratum_miner.emulators.compac_a1 import CompacA1Device
from stratum_miner.emulators.faults import Fault
from stratum_miner.emulators.model import EmulatedDevice
from stratum_miner.work.unit import NonceFound
from tests.backends.asic.device_soak import EndlessWork
from tests.backends.asic.emulated_bus import PluggedDevice

HASH_RATE, NONCE_DIFFICULTY = 2e4, 1e-6
MOMENTS = [0.0, 0.001, *(0.037 * 1.17**step for step in range(38))]
"""Seconds after the start, up to 12: from opening the ports to some seconds of mining."""


def is_off(device: EmulatedDevice) -> bool:
    if isinstance(device, BitaxeDevice):
        return device.in_reset and (device.supply.core_volts == 0 or not device.has_tps546)
    assert isinstance(device, CompacA1Device)
    return not device.regulator_on


@pytest.mark.parametrize(
    ("kind", "bus_errors"),
    [("bitaxe-gamma", 0.0), ("bitaxe-gamma", 0.3), ("bitaxe-ultra", 0.3), ("compac-a1", 0.0)],
)
async def test_ended_at_any_moment_it_is_off(kind: str, bus_errors: float, autojump_clock: object) -> None:
    works = judged = 0
    for moment in MOMENTS:
        plugged = PluggedDevice(kind, 1, HASH_RATE, NONCE_DIFFICULTY)
        if bus_errors:
            plugged.inject(Fault("i2c-errors", bus_errors, moment, 1e9))
        spec = f"{kind}:{plugged.path},nonce-difficulty={NONCE_DIFFICULTY},hash-rate={HASH_RATE}"
        backend = AsicBackend(
            [DeviceSpec.parse(spec)], listing=plugged.listing, open_port=plugged.open_port, clock=trio.current_time
        )
        send, receive = trio.open_memory_channel[NonceFound](1000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(plugged.run)
            with trio.move_on_after(moment):
                await backend.run(EndlessWork(1, 1e-3), send)
            if plugged.device.counts.bytes_received:  # a Compac A1 is on when it is plugged in
                assert is_off(plugged.device), moment
                judged += 1
            nursery.cancel_scope.cancel()
        receive.close()
        works += plugged.device.counts.works
    assert works, "some of the moments were while it mined"
    assert judged >= len(MOMENTS) - 2, "only at the first moments has it received nothing"

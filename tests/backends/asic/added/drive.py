"""Finds, recognises and mines with an emulated device that this copy of the package has, and prints the result."""

import json
import sys

import trio
from trio.testing import MockClock

from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.asic.discovery import discover
from stratum_miner.work.unit import NonceFound
from tests.backends.asic.device_soak import EndlessWork
from tests.backends.asic.emulated_bus import PluggedDevice

NONCES = 20
SECONDS = 600.0
DIFFICULTY = 1e-5


async def drive(kind: str) -> dict[str, object]:
    """Whatever is plugged in is only called ``auto``: the chips have to tell what it is."""
    plugged = PluggedDevice(kind, seed=1, hash_rate=1e6, nonce_difficulty=DIFFICULTY)
    [found] = discover(await plugged.listing())
    backend = AsicBackend(
        [DeviceSpec.parse(f"auto,nonce-difficulty={DIFFICULTY},hash-rate=1MH")],
        listing=plugged.listing,
        open_port=plugged.open_port,
        clock=trio.current_time,
    )
    send, receive = trio.open_memory_channel[NonceFound](1000)
    with trio.move_on_after(SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(plugged.run)
            nursery.start_soon(backend.run, EndlessWork(1, DIFFICULTY), send)
            for _ in range(NONCES):
                await receive.receive()
            nursery.cancel_scope.cancel()
    [told] = backend.statistics().devices
    assert told.hardware is not None
    return {
        "may be": found.kinds,
        "name": told.name,
        "product": told.hardware.product,
        "chip": told.hardware.chip,
        "nonces": told.nonces_found,
        "errors": told.hardware_errors,
    }


if __name__ == "__main__":
    print(json.dumps(trio.run(drive, sys.argv[1], clock=MockClock(autojump_threshold=0))))
